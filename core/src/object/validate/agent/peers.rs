//! The peers of a member: their kinds, prefixes and groups.

use super::codes::*;
use super::path::Path;
use super::{Checker, MemberList};
use crate::diagnostic::Diagnostic;
use crate::object::cidr::{self, CidrError};
use crate::object::cilium::{CidrRule, PolicyMember};
use crate::source::{Span, Spanned};
use ipnet::IpNet;

impl Checker<'_> {
    /// `IngressCommonRule.sanitize`, `EgressCommonRule.sanitize`.
    pub(super) fn peers(&mut self, member: &PolicyMember, list: MemberList) {
        let kinds = peer_kinds(member);
        let mut used = kinds.iter().filter_map(|k| Some((k.name, k.first?)));
        if let Some((first, first_span)) = used.next() {
            let others: Vec<_> = used.collect();
            for (other, span) in others {
                let [first, other] = [first, other].map(|name| field(name, list));
                let problem = self.problem(
                    PEER_KINDS,
                    span,
                    format!("{}.{other}", member.path),
                    format!("`{first}` and `{other}` stand in one member"),
                    "a member has one kind of peers: make two members of them, each with the same ports",
                );
                self.found
                    .push(problem.label(first_span, format!("`{first}`")));
            }
        }
        let whole = Path::Whole(&member.path);
        let at = |list_of: &'static str, i| whole.peer(direction(list), list_of, i);
        if let Some(node) = member.nodes.iter().flatten().next()
            && !self.config.node_selector_labels
        {
            let name = field("Nodes", list);
            self.report(
                NODES_DISABLED,
                node.span,
                format!("{}.{name}", member.path),
                format!("`{name}` is switched off"),
                "the agent needs `enable-node-selector-labels`; the entities `host` and `remote-node` work without",
            );
        }
        for (i, selector) in member.endpoints.iter().flatten().enumerate() {
            self.selector(selector, &at("Endpoints", i));
        }
        for (i, selector) in member.nodes.iter().flatten().enumerate() {
            self.selector(selector, &at("Nodes", i));
        }
        let translated = !kinds.iter().any(|k| k.selects_nobody);
        for (i, text) in member.cidrs.iter().flatten().enumerate() {
            self.cidr(text, &at("CIDR", i), translated);
        }
        for (i, rule) in member.cidr_sets.iter().flatten().enumerate() {
            self.cidr_rule(rule, &at("CIDRSet", i), translated);
        }
        for (i, entity) in member.entities.iter().flatten().enumerate() {
            self.entity(entity, &at("Entities", i));
        }
        self.peer_hints(member, list);
    }

    fn peer_hints(&mut self, member: &PolicyMember, list: MemberList) {
        for kind in peer_kinds(member) {
            if kind.selects_nobody {
                let name = field(kind.name, list);
                self.report(
                    NO_PEERS,
                    member.span,
                    format!("{}.{name}", member.path),
                    format!("`{name}` is empty and selects nobody"),
                    "leave the field out to mean everybody; an empty list only switches on default deny",
                );
            }
        }
        let kinds = peer_kinds(member);
        let open = kinds.iter().all(|k| k.first.is_none() && !k.selects_nobody)
            && !(member.to_ports.is_empty() && member.icmps.is_empty());
        if let Some(empty) = member.absent_lists.first()
            && open
        {
            self.report(
                ABSENT_LIST,
                empty.span,
                format!("{}.{}", member.path, empty.value),
                format!(
                    "the empty `{}` counts as absent: every peer is meant",
                    empty.value
                ),
                "remove the member if nobody is meant",
            );
        }
        if let Some(service) = member.services.first()
            && list.deny
        {
            self.report(
                SERVICES_IN_DENY,
                service.span,
                Path::Whole(&member.path).field("toServices"),
                "Cilium never translates `toServices` of a deny rule",
                "the member denies nothing, or with `toPorts` denies these ports to everybody; select the backends with `toEndpoints` or `toCIDR`",
            );
        }
        let modes = ["", "disabled", "required", "test-always-fail"];
        if let Some(mode) = &member.authentication
            && !modes.contains(&mode.value.as_str())
        {
            self.report_text(
                AUTH_MODE,
                mode,
                Path::Whole(&member.path).field("authentication.mode"),
                format!("there is no authentication mode `{}`", mode.value),
                "the modes are `disabled`, `required` and `test-always-fail`; anything else counts as none",
            );
        }
    }

    /// `CIDR.sanitize`: a prefix, or a single address.
    fn cidr(&mut self, text: &Spanned<String>, path: &Path<'_>, translated: bool) {
        match cidr::parse_prefix(&text.value) {
            Ok(prefix) => return self.host_bits(text, &prefix, path),
            Err(_) if cidr::parse_addr(&text.value).is_ok() => return,
            Err(_) => {}
        }
        let problem = match cidr::parse_addr(&text.value) {
            Err(CidrError::Zone) if !translated => return,
            Err(CidrError::Zone) => self.problem(
                CIDR_ZONE,
                text.span,
                path,
                format!("`{}` has a zone", text.value),
                "the agent crashes on it; leave out the part from `%` on",
            ),
            _ => self.bad_prefix(CIDR, text, path),
        };
        self.found.push(problem);
    }

    fn bad_prefix(
        &self,
        code: crate::diagnostic::Code,
        text: &Spanned<String>,
        path: &Path<'_>,
    ) -> Diagnostic {
        let message = if text.value.is_empty() {
            "the CIDR is empty".to_owned()
        } else {
            format!("`{}` is no CIDR", text.value)
        };
        let mut fix = None;
        let help = match cidr::parse_prefix(&text.value) {
            Err(CidrError::NoLength) => match cidr::parse_addr(&text.value) {
                Ok(address) => {
                    let whole = IpNet::from(address).to_string();
                    let help = format!("a prefix is wanted here: `{whole}` is the single address");
                    fix = Some((whole, true));
                    help
                }
                Err(_) => "write an address and a prefix length, such as `10.0.0.0/8`".to_owned(),
            },
            Err(CidrError::LengthSyntax) if text.value.contains("/255.") => {
                "give the length of the prefix, not its mask".to_owned()
            }
            Err(CidrError::LengthSyntax | CidrError::LengthRange) => {
                "the length is a number up to 32 (IPv4) or 128 (IPv6), without leading zeros".to_owned()
            }
            Err(CidrError::Zone) => "leave out the part from `%` on".to_owned(),
            Err(CidrError::Address) | Ok(_) => match completed(&text.value) {
                Some(whole) => {
                    let help = format!("an IPv4 address has four parts; did you mean `{whole}`?");
                    fix = Some((whole, false));
                    help
                }
                None => "write an address and a prefix length, such as `10.0.0.0/8`; names belong into `toFQDNs`"
                    .to_owned(),
            },
        };
        let problem = self.text_problem(code, text, path, message, help);
        match fix {
            Some((whole, certain)) => {
                problem.fix(format!("write `{whole}`"), text.span, whole, certain)
            }
            None => problem,
        }
    }

    fn host_bits(&mut self, text: &Spanned<String>, prefix: &IpNet, path: &Path<'_>) {
        if !cidr::has_host_bits(prefix) {
            return;
        }
        let masked = prefix.trunc().to_string();
        let problem = self.problem(
            HOST_BITS,
            text.span,
            path,
            format!("`{}` means `{masked}`", text.value),
            "Cilium ignores the bits after the prefix length",
        );
        let title = format!("write `{masked}`");
        self.found
            .push(problem.fix(title, text.span, masked, false));
    }

    /// `CIDRRule.sanitize`.
    fn cidr_rule(&mut self, rule: &CidrRule, path: &Path<'_>, translated: bool) {
        let given = [
            (
                !rule.cidr_group_ref.value.is_empty(),
                rule.cidr_group_ref.span,
            ),
            (!rule.cidr.value.is_empty(), rule.cidr.span),
            (rule.cidr_group_selector.is_some(), rule.span),
        ];
        if let Some(selector) = &rule.cidr_group_selector {
            let path = path.field("cidrGroupSelector");
            self.group_selector(selector, &path);
            if selector.match_labels.is_empty() && selector.match_expressions.is_empty() {
                let message = if rule.except.is_empty() {
                    "an empty `cidrGroupSelector` means everybody, pods and nodes included"
                } else {
                    "an empty `cidrGroupSelector` means the whole world but the exceptions, not the groups"
                };
                self.report(
                    GROUP_WILDCARD,
                    selector.span,
                    path,
                    message,
                    "select groups by a label they all have, or name them with `cidrGroupRef`",
                );
            }
        }
        match given.iter().filter(|(given, _)| *given).count() {
            0 => {
                self.report(
                    CIDR_RULE_EMPTY,
                    rule.span,
                    path,
                    "one of `cidr`, `cidrGroupRef` and `cidrGroupSelector` is needed",
                    "name the prefix the exceptions are taken from: `cidr: 0.0.0.0/0` for all of IPv4",
                );
            }
            1 => {}
            _ => {
                self.report(
                    CIDR_RULE_MANY,
                    rule.span,
                    path,
                    "only one of `cidr`, `cidrGroupRef` and `cidrGroupSelector` may be set",
                    "make several elements of them",
                );
            }
        }
        if !rule.cidr_group_ref.value.is_empty() || rule.cidr_group_selector.is_some() {
            self.group_except(rule, path, translated);
            return;
        }
        if rule.cidr.value.is_empty() {
            return;
        }
        let outer = match cidr::parse_prefix(&rule.cidr.value) {
            Ok(prefix) => {
                self.host_bits(&rule.cidr, &prefix, &path.field("cidr"));
                Some(prefix)
            }
            Err(_) => {
                let problem = self.bad_prefix(CIDR_RULE, &rule.cidr, &path.field("cidr"));
                self.found.push(problem);
                None
            }
        };
        for (i, text) in rule.except.iter().enumerate() {
            let path = path.element("except", i);
            match cidr::parse_prefix(&text.value) {
                Err(_) => {
                    let problem = self.bad_prefix(EXCEPT, text, &path);
                    self.found.push(problem);
                }
                Ok(inner) if outer.is_some_and(|outer| !cidr::covers(&outer, &inner)) => {
                    let problem = self.problem(
                        EXCEPT_OUTSIDE,
                        text.span,
                        path,
                        format!("`{}` is not inside `{}`", text.value, rule.cidr.value),
                        "an exception lies within its own `cidr`; move it to the element it belongs to",
                    );
                    self.found.push(problem.label(rule.cidr.span, "the prefix"));
                }
                Ok(inner) => self.host_bits(text, &inner, &path),
            }
        }
    }

    /// Exceptions beside a group are not validated, but the agent crashes
    /// when it cannot make a label of one. It takes addresses too, even with
    /// a zone.
    fn group_except(&mut self, rule: &CidrRule, path: &Path<'_>, translated: bool) {
        for (i, text) in rule.except.iter().enumerate() {
            let path = path.element("except", i);
            match cidr::parse_prefix_or_addr(&text.value) {
                Ok(prefix) => self.host_bits(text, &prefix, &path),
                Err(CidrError::Zone) if !text.value.contains('/') => {}
                Err(_) if translated => {
                    let problem = self.bad_prefix(EXCEPT, text, &path);
                    self.found.push(problem);
                }
                Err(_) => {}
            }
        }
    }
}

/// The field that a kind of peers has in a list.
pub(super) fn field(name: &str, list: MemberList) -> String {
    format!("{}{name}", direction(list))
}

fn direction(list: MemberList) -> &'static str {
    if list.ingress { "from" } else { "to" }
}

/// A kind of peers in a member.
pub(super) struct PeerKind {
    /// The field without `from` or `to`.
    pub(super) name: &'static str,
    /// Its first element.
    pub(super) first: Option<Span>,
    /// Present and empty, where that selects nobody (pkg/policy/utils,
    /// `mergeEndpointSelectors`).
    pub(super) selects_nobody: bool,
}

pub(super) fn peer_kinds(member: &PolicyMember) -> [PeerKind; 8] {
    fn list<T>(name: &'static str, items: Option<&Vec<T>>, span: impl Fn(&T) -> Span) -> PeerKind {
        PeerKind {
            name,
            first: items.and_then(|items| items.first()).map(span),
            selects_nobody: items.is_some_and(Vec::is_empty),
        }
    }
    let optional = |name, first| PeerKind {
        name,
        first,
        selects_nobody: false,
    };
    [
        list("Endpoints", member.endpoints.as_ref(), |s| s.span),
        list("CIDR", member.cidrs.as_ref(), |c| c.span),
        list("CIDRSet", member.cidr_sets.as_ref(), |c| c.span),
        list("Entities", member.entities.as_ref(), |e| e.span),
        list("Nodes", member.nodes.as_ref(), |s| s.span),
        optional("Groups", member.groups.first().map(|g| g.span)),
        optional("Services", member.services.first().map(|s| s.span)),
        optional("FQDNs", member.fqdns.first().map(|f| f.span)),
    ]
}

/// `172.224.3/24` with the missing parts as zeros.
fn completed(text: &str) -> Option<String> {
    let (address, length) = text.split_once('/')?;
    let parts = address.split('.').count();
    let digits = address.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if !digits || !(1..4).contains(&parts) {
        return None;
    }
    let whole = format!("{address}{}/{length}", ".0".repeat(4 - parts));
    cidr::parse_prefix(&whole).ok().map(|_| whole)
}
