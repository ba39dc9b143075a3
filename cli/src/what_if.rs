//! What if: objects that are not there yet, and objects that no longer are.
//!
//! In: `--with FILE`, `--without KIND/NAMESPACE/NAME`. Out: the objects that
//! questions are asked of.

use crate::exit::Failure;
use clap::Args;
use netverdict::diagnostic::suggest;
use netverdict::object::Object;
use std::path::PathBuf;

/// What to pretend.
#[derive(Args, Debug, Default)]
pub(crate) struct WhatIfArgs {
    /// What if this were applied, too: a file or folder whose objects are
    /// added, or take the place of those of their name.
    #[arg(long, value_name = "PATH")]
    pub(crate) with: Vec<PathBuf>,
    /// What if this were deleted: `kind/namespace/name`, `kind/name`,
    /// `namespace/name` or the name of one object.
    #[arg(long, value_name = "OBJECT")]
    without: Vec<String>,
}

impl WhatIfArgs {
    pub(crate) const fn is_empty(&self) -> bool {
        self.with.is_empty() && self.without.is_empty()
    }

    /// Removes what is to be pretended away.
    ///
    /// # Errors
    /// When a name means nothing, or more than one object.
    pub(crate) fn remove_from(&self, objects: &mut Vec<Object>) -> Result<(), Failure> {
        for text in &self.without {
            let mut found: Vec<String> = objects
                .iter()
                .filter(|o| means(text, o))
                .map(full_name)
                .collect();
            found.sort();
            found.dedup();
            match &*found {
                [_] => objects.retain(|o| !means(text, o)),
                [] => return Err(unknown(text, objects)),
                several => {
                    let failure =
                        Failure::new(format!("`--without {text}` could be several objects"));
                    return Err(failure.help(format!("name one of {}", several.join(", "))));
                }
            }
        }
        Ok(())
    }
}

fn full_name(object: &Object) -> String {
    let parts = [object.kind(), object.namespace(), object.name()];
    let parts: Vec<&str> = parts.into_iter().filter(|p| !p.is_empty()).collect();
    parts.join("/")
}

fn unknown(text: &str, objects: &[Object]) -> Failure {
    let failure = Failure::new(format!("`--without {text}` names no object in the input"));
    let names: Vec<String> = objects
        .iter()
        .filter(|o| o.is_policy())
        .map(full_name)
        .collect();
    let short: Vec<&str> = objects.iter().map(Object::name).collect();
    let meant = suggest(text, names.iter().map(String::as_str)).or_else(|| suggest(text, short));
    match meant {
        Some(meant) => failure.help(format!("did you mean `{meant}`?")),
        None => failure.help("write it as `kind/namespace/name`"),
    }
}

/// True when a text names an object.
fn means(text: &str, object: &Object) -> bool {
    let (namespace, name) = (object.namespace(), object.name());
    let parts: Vec<&str> = text.split('/').collect();
    match &*parts {
        [only] => *only == name,
        [first, last] => {
            *last == name
                && (*first == namespace && !namespace.is_empty() || is_kind(first, object))
        }
        [kind, middle, last] => *last == name && *middle == namespace && is_kind(kind, object),
        _ => false,
    }
}

fn is_kind(text: &str, object: &Object) -> bool {
    let kind = object.kind();
    let short = match kind {
        "CiliumNetworkPolicy" => "cnp",
        "CiliumClusterwideNetworkPolicy" => "ccnp",
        "NetworkPolicy" => "netpol",
        "CiliumCIDRGroup" => "ccg",
        "Namespace" => "ns",
        "Deployment" => "deploy",
        "StatefulSet" => "sts",
        "DaemonSet" => "ds",
        _ => kind,
    };
    text.eq_ignore_ascii_case(kind) || text.eq_ignore_ascii_case(short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use netverdict::config::Config;
    use netverdict::object::load::{LoadOptions, load};
    use netverdict::source::SourceId;

    fn objects() -> Vec<Object> {
        let text = r#"
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: a}
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: web, namespace: a}
spec: {endpointSelector: {}, ingress: [{}]}
---
apiVersion: cilium.io/v2
kind: CiliumClusterwideNetworkPolicy
metadata: {name: all}
spec: {endpointSelector: {}, ingress: [{}]}
"#;
        let config = Config::default();
        let loaded = load(SourceId(0), text, &LoadOptions::new(&config));
        loaded.into_objects().collect()
    }

    fn left(without: &str) -> Result<Vec<String>, Failure> {
        let args = WhatIfArgs {
            with: Vec::new(),
            without: vec![without.to_owned()],
        };
        let mut objects = objects();
        args.remove_from(&mut objects)?;
        Ok(objects.iter().map(full_name).collect())
    }

    #[test]
    fn objects_are_named_in_several_ways() {
        let rest = ["Pod/a/web", "CiliumClusterwideNetworkPolicy/all"];
        assert_eq!(left("cnp/a/web").unwrap(), rest);
        assert_eq!(left("CiliumNetworkPolicy/web").unwrap(), rest);
        assert_eq!(left("all").unwrap().len(), 2);
        assert_eq!(left("ccnp/all").unwrap().len(), 2);
        // A pod and a policy.
        assert!(left("web").is_err());
        assert!(left("a/web").is_err());
        assert!(left("cnp/b/web").is_err());
    }
}
