//! `CiliumIdentity` (cilium.io/v2): a number and the labels it stands for.

use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::object::ObjectMeta;
use crate::object::decode::{Decode, Decoder};
use crate::source::{Span, Spanned};
use crate::yaml::Node;

/// The name of a CiliumIdentity is no identity number.
pub const NUMBER: Code = Code::new(601, Severity::Error, "name is no identity number");

/// A security identity that an operator or agent has allocated.
#[derive(Clone, Debug, PartialEq)]
pub struct CiliumIdentity {
    /// The whole object.
    pub span: Span,
    /// Name and labels; the name is the number in decimal digits.
    pub meta: ObjectMeta,
    /// The number; the span is that of the name.
    pub id: Spanned<u32>,
    /// `security-labels`: `source:key` → value, in the order written.
    pub security_labels: Vec<(Spanned<String>, Spanned<String>)>,
}

impl Decode for CiliumIdentity {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.ignore(&["apiVersion", "kind", "status"]);
            let meta: ObjectMeta = f.get("metadata");
            let number = meta.name.parse();
            if number.is_err() {
                let message = format!("`{}` is no identity number", meta.name.value);
                let span = if meta.name.is_empty() {
                    node.span
                } else {
                    meta.name.span
                };
                f.decoder().report(
                    Diagnostic::new(NUMBER, span, message)
                        .at("metadata.name")
                        .help("a CiliumIdentity is named by its number, like `20001`"),
                );
            }
            Self {
                span: f.span(),
                id: Spanned::new(number.unwrap_or_default(), meta.name.span),
                meta,
                security_labels: f.string_map("security-labels"),
            }
        })
    }
}
