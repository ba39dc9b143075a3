//! ICMP fields, whose type names are resolved here.

use super::ICMP_TYPE;
use crate::diagnostic::{Diagnostic, suggest};
use crate::object::cilium::{IcmpFamily, IcmpField, IcmpRule, icmp_type_number};
use crate::object::decode::{Decode, Decoder, Fields};
use crate::object::network_policy::IntOrString;
use crate::object::template;
use crate::source::{Span, Spanned};
use crate::yaml::Node;

impl Decode for IcmpRule {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            fields: f.get("fields"),
        })
    }
}

impl Decode for IcmpField {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.in_any_case(|d| {
            d.fields(node, |f| {
                let family: Spanned<String> = f.get("family");
                let written: Option<Spanned<IntOrString>> = f.get("type");
                let icmp_type = icmp_type(f, &family, written);
                Self {
                    span: f.span(),
                    family,
                    icmp_type,
                }
            })
        })
    }
}

/// The text of the port that a type becomes. A text counts as a number when
/// Go's strconv.Atoi reads something other than zero from it.
fn icmp_type(
    f: &mut Fields<'_, '_>,
    family: &Spanned<String>,
    written: Option<Spanned<IntOrString>>,
) -> Spanned<String> {
    let Some(Spanned { value, span }) = written else {
        let d = Diagnostic::new(ICMP_TYPE, f.span(), "an ICMP field needs a `type`");
        f.decoder()
            .report(d.help("the agent crashes without one; write one field per type"));
        return Spanned::new(String::new(), f.span());
    };
    let text = match value {
        IntOrString::Int(number) => return Spanned::new(number.to_string(), span),
        IntOrString::String(text) => text,
    };
    if text == "0" || is_nonzero_number(&text) {
        return Spanned::new(text, span);
    }
    let wanted = IcmpFamily::of(&family.value);
    if let Some(number) = icmp_type_number(wanted, &text) {
        return Spanned::new(number.to_string(), span);
    }
    let d = unknown_icmp_type(wanted, &text, span);
    f.decoder().in_field("type", |decoder| decoder.report(d));
    Spanned::new(text, span)
}

fn unknown_icmp_type(wanted: IcmpFamily, text: &str, span: Span) -> Diagnostic {
    let (name, other, other_name) = match wanted {
        IcmpFamily::V4 => ("IPv4", IcmpFamily::V6, "IPv6"),
        IcmpFamily::V6 => ("IPv6", IcmpFamily::V4, "IPv4"),
    };
    let message = format!("{name} has no ICMP type `{text}`");
    let d = Diagnostic::new(ICMP_TYPE, span, message);
    let close = suggest(text, wanted.types().iter().map(|(n, _)| *n));
    if let Some(variable) = template::find(text) {
        d.help(format!(
            "`{variable}` is not resolved; as it stands the object is refused"
        ))
    } else if icmp_type_number(other, text).is_some() {
        d.help(format!(
            "it is a type of {other_name}: set `family: {other_name}`"
        ))
    } else if let Some(close) = close {
        d.help(format!("did you mean `{close}`?")).fix(
            format!("write `{close}`"),
            span,
            close,
            false,
        )
    } else {
        d.help("give the number of the type, or its name in CamelCase such as `EchoRequest`")
    }
}

fn is_nonzero_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    digits.bytes().all(|b| b.is_ascii_digit()) && digits.bytes().any(|b| b != b'0')
}
