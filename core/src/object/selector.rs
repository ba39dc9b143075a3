//! `metav1.LabelSelector` as written.

use super::decode::{Decode, Decoder};
use crate::source::{Span, Spanned};
use crate::yaml::Node;

/// A label selector. Both lists empty: selects everything in its scope.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabelSelector {
    /// Where it stands.
    pub span: Span,
    /// `matchLabels`, in the order written; keys unique.
    pub match_labels: Vec<(Spanned<String>, Spanned<String>)>,
    /// `matchExpressions`, in the order written.
    pub match_expressions: Vec<SelectorRequirement>,
}

/// One element of `matchExpressions`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SelectorRequirement {
    /// Where it stands.
    pub span: Span,
    /// The label key, with its source prefix if the author wrote one.
    pub key: Spanned<String>,
    /// The operator; `None` when the text is none of the four. (The text is
    /// in the source under the span.)
    pub operator: Spanned<Option<SelectorOperator>>,
    /// The values, in the order written.
    pub values: Vec<Spanned<String>>,
}

/// The operators of `matchExpressions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SelectorOperator {
    /// The label is present with one of the values.
    In,
    /// The label is absent or has none of the values.
    NotIn,
    /// The label is present.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

impl SelectorOperator {
    /// The word as Kubernetes spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In => "In",
            Self::NotIn => "NotIn",
            Self::Exists => "Exists",
            Self::DoesNotExist => "DoesNotExist",
        }
    }
}

impl std::str::FromStr for SelectorOperator {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::In, Self::NotIn, Self::Exists, Self::DoesNotExist]
            .into_iter()
            .find(|o| o.as_str() == text)
            .ok_or(())
    }
}

impl Decode for LabelSelector {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            match_labels: f.string_map("matchLabels"),
            match_expressions: f.get("matchExpressions"),
        })
    }
}

impl Decode for SelectorRequirement {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            key: f.get("key"),
            operator: f
                .get::<Spanned<String>>("operator")
                .map(|text| text.parse().ok()),
            values: f.get("values"),
        })
    }
}
