//! What every object begins with: `apiVersion`, `kind`, `metadata`.

use super::decode::{Decode, Decoder, Fields};
use crate::source::Spanned;
use crate::yaml::Node;
use std::fmt;

/// The metadata every object has, as far as policy depends on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectMeta {
    /// `metadata.name`; empty when absent.
    pub name: Spanned<String>,
    /// `metadata.namespace` as written.
    pub namespace: Option<Spanned<String>>,
    /// `metadata.labels`, in the order written.
    pub labels: Vec<(Spanned<String>, Spanned<String>)>,
    /// `metadata.annotations`, in the order written.
    pub annotations: Vec<(Spanned<String>, Spanned<String>)>,
    /// `metadata.uid`; empty when absent.
    pub uid: String,
    /// `metadata.creationTimestamp` as written; empty when absent.
    pub creation_timestamp: String,
}

impl Decode for ObjectMeta {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            // Nothing depends on these, but a value of another type refuses
            // the object all the same.
            for name in ["generateName", "selfLink", "resourceVersion"] {
                f.free_text(name);
            }
            f.get::<i64>("generation");
            f.get::<i64>("deletionGracePeriodSeconds");
            f.time("deletionTimestamp");
            f.get::<Vec<String>>("finalizers");
            f.with("ownerReferences", |n, d| d.list(n, owner_reference));
            f.with("managedFields", |n, d| d.list(n, managed_fields));
            Self {
                name: f.get("name"),
                namespace: f.get("namespace"),
                labels: f.string_map("labels"),
                annotations: f
                    .with("annotations", |n, d| d.free_text_map(n))
                    .unwrap_or_default(),
                uid: f.get("uid"),
                creation_timestamp: f.time("creationTimestamp"),
            }
        })
    }
}

impl ObjectMeta {
    /// Decodes the metadata of the kinds of which Cilium reads but a part
    /// (Cilium 1.20.2 pkg/k8s/slim): it does not look at the other fields, so
    /// nothing in them refuses the object.
    #[must_use]
    pub fn decode_slim(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            for name in ["generateName", "resourceVersion"] {
                f.free_text(name);
            }
            f.get::<i64>("generation");
            f.time("deletionTimestamp");
            f.with("ownerReferences", |n, d| {
                d.list(n, |n, d| {
                    d.fields(n, |f| {
                        for name in ["apiVersion", "kind", "name", "uid"] {
                            f.free_text(name);
                        }
                        f.get::<bool>("controller");
                        f.ignore(&["blockOwnerDeletion"]);
                    });
                })
            });
            f.ignore(&[
                "selfLink",
                "deletionGracePeriodSeconds",
                "finalizers",
                "managedFields",
            ]);
            let created = f.entry("creationTimestamp").and_then(|e| e.node.as_str());
            Self {
                name: f.get("name"),
                namespace: f.get("namespace"),
                labels: f.string_map("labels"),
                annotations: f
                    .with("annotations", |n, d| d.free_text_map(n))
                    .unwrap_or_default(),
                uid: f.get("uid"),
                creation_timestamp: created.unwrap_or_default().to_owned(),
            }
        })
    }
}

fn owner_reference(node: &Node, decoder: &mut Decoder) {
    decoder.fields(node, |f| {
        for name in ["apiVersion", "kind", "name", "uid"] {
            f.free_text(name);
        }
        f.get::<bool>("controller");
        f.get::<bool>("blockOwnerDeletion");
    });
}

fn managed_fields(node: &Node, decoder: &mut Decoder) {
    decoder.fields(node, |f| {
        for name in ["manager", "operation", "apiVersion", "fieldsType"] {
            f.free_text(name);
        }
        f.free_text("subresource");
        f.time("time");
        f.ignore(&["fieldsV1"]);
    });
}

/// A condition of a status, on which nothing depends.
pub(super) fn condition(f: &mut Fields<'_, '_>) {
    for name in ["type", "status", "reason", "message"] {
        f.free_text(name);
    }
    f.time("lastTransitionTime");
}

/// The few fields that say which type a tree is to be decoded as.
///
/// Reading them reports nothing: what is wrong in them comes to light when
/// the object is decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head<'n> {
    /// `apiVersion`; empty when it is no string.
    pub api_version: &'n str,
    /// `kind`, likewise.
    pub kind: &'n str,
    /// `metadata.namespace`, likewise.
    pub namespace: &'n str,
    /// `metadata.name`, likewise.
    pub name: &'n str,
}

impl<'n> Head<'n> {
    /// Reads the head of an object.
    #[must_use]
    pub fn of(node: &'n Node) -> Self {
        let text = |node: Option<&'n Node>| node.and_then(Node::as_str).unwrap_or_default();
        let metadata = node.get("metadata");
        Self {
            api_version: text(node.get("apiVersion")),
            kind: text(node.get("kind")),
            namespace: text(metadata.and_then(|m| m.get("namespace"))),
            name: text(metadata.and_then(|m| m.get("name"))),
        }
    }
}

/// The longest name that Kubernetes allows. Every diagnostic of an object
/// repeats its name: longer ones are cut.
pub const MAX_NAME: usize = 253;

fn name(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some((cut, _)) = text.char_indices().nth(MAX_NAME) else {
        return f.write_str(text);
    };
    write!(f, "{}…", text.get(..cut).unwrap_or_default())
}

/// `Kind/namespace/name` without the parts that are unknown: what diagnostics
/// call the object.
impl fmt::Display for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        name(self.kind, f)?;
        for part in [self.namespace, self.name] {
            if !part.is_empty() {
                f.write_str("/")?;
                name(part, f)?;
            }
        }
        Ok(())
    }
}
