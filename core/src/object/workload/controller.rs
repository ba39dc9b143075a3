//! What creates pods: `Deployment`, `StatefulSet`, `DaemonSet`, `ReplicaSet`,
//! `ReplicationController`, `Job`, `CronJob`.

use super::pod::{OwnerReference, PodTemplate};
use crate::object::ObjectMeta;
use crate::object::decode::{Decode, Decoder};
use crate::source::{Span, Spanned};
use crate::yaml::Node;

/// Which kind a [`Controller`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ControllerKind {
    /// apps/v1 `Deployment`.
    Deployment,
    /// apps/v1 `StatefulSet`.
    StatefulSet,
    /// apps/v1 `DaemonSet`.
    DaemonSet,
    /// apps/v1 `ReplicaSet`.
    ReplicaSet,
    /// v1 `ReplicationController`.
    ReplicationController,
    /// batch/v1 `Job`.
    Job,
    /// batch/v1 `CronJob`.
    CronJob,
}

impl ControllerKind {
    /// The kind as Kubernetes spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::ReplicationController => "ReplicationController",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
        }
    }

    /// Where the pod template stands in the object.
    #[must_use]
    pub const fn template_path(self) -> &'static str {
        match self {
            Self::CronJob => "spec.jobTemplate.spec.template",
            _ => "spec.template",
        }
    }
}

/// An object that creates pods from a template.
#[derive(Clone, Debug, PartialEq)]
pub struct Controller {
    /// The whole object.
    pub span: Span,
    /// Its kind.
    pub kind: ControllerKind,
    /// Name, namespace, labels of the object itself, not of its pods.
    pub meta: ObjectMeta,
    /// `metadata.ownerReferences`.
    pub owners: Vec<OwnerReference>,
    /// `spec.replicas`; `None` when absent or when the kind has none.
    pub replicas: Option<Spanned<i32>>,
    /// The pods it creates.
    pub template: PodTemplate,
}

impl Controller {
    /// The owner that manages the object: a ReplicaSet's Deployment, a Job's
    /// CronJob.
    #[must_use]
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owners.iter().find(|o| o.controller)
    }
}

impl Controller {
    /// Decodes an object of that kind.
    #[must_use]
    pub fn decode(kind: ControllerKind, node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.partial();
            let meta = f.get("metadata");
            let spec: Spec = f.get("spec");
            let cron = kind == ControllerKind::CronJob;
            Self {
                span: f.span(),
                kind,
                meta,
                owners: OwnerReference::of(node),
                replicas: spec.replicas,
                template: if cron {
                    spec.job_template
                } else {
                    spec.template
                },
            }
        })
    }
}

#[derive(Default)]
struct Spec {
    replicas: Option<Spanned<i32>>,
    template: PodTemplate,
    job_template: PodTemplate,
}

impl Decode for Spec {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.partial();
            Self {
                replicas: f.get("replicas"),
                template: f.get("template"),
                job_template: f.with("jobTemplate", job_template).unwrap_or_default(),
            }
        })
    }
}

/// The pod template within a CronJob's job template.
fn job_template(node: &Node, decoder: &mut Decoder) -> PodTemplate {
    decoder.fields(node, |f| {
        f.partial();
        let spec = |node: &Node, decoder: &mut Decoder| {
            decoder.fields(node, |f| {
                f.partial();
                f.get("template")
            })
        };
        f.with("spec", spec).unwrap_or_default()
    })
}
