//! Peers of Cilium's own kinds to selectors.

use super::Translator;
use super::service::service_peers;
use crate::label::keys;
use crate::object::SelectorOperator;
use crate::object::cidr::{parse_exception, parse_prefix_or_addr};
use crate::object::cilium::{AwsGroup, CidrRule, Group, PolicyMember};
use crate::selector::{LabelQuery, Selector};
use crate::source::{Span, Spanned};
use ipnet::IpNet;
use sha2::{Digest, Sha224};
use std::sync::Arc;

/// Scope of a policy's peer selectors.
pub(super) struct Scope<'a> {
    /// The policy's namespace; empty for clusterwide ones.
    pub namespace: &'a str,
    /// The subject selector asks for `reserved:init`: pods that have no
    /// labels yet, so none can be demanded of their peers.
    pub subject_is_init: bool,
}

impl Translator<'_> {
    /// A member's peers: `None` selects nothing, an empty list everything.
    pub(super) fn peers(
        &self,
        member: &PolicyMember,
        scope: &Scope<'_>,
        to_services: bool,
    ) -> Option<Vec<Arc<Selector>>> {
        let mut endpoints: Option<Vec<(LabelQuery, Span)>> =
            member.endpoints.as_ref().map(|list| {
                list.iter()
                    .map(|s| (LabelQuery::from_object(s, "any"), s.span))
                    .collect()
            });
        let mut prefixes = Vec::new();
        if let Some(services) = self.services.filter(|_| to_services) {
            let behind = service_peers(member, services);
            if !behind.endpoints.is_empty() {
                endpoints.get_or_insert_default().extend(behind.endpoints);
            }
            prefixes = behind.prefixes;
        }
        let empty = |present: bool, len: usize| present && len == 0;
        // Present but empty selects nothing, and takes the whole member along.
        if endpoints.as_ref().is_some_and(Vec::is_empty)
            || member.nodes.as_ref().is_some_and(Vec::is_empty)
            || member.entities.as_ref().is_some_and(Vec::is_empty)
            || member.cidrs.as_ref().is_some_and(Vec::is_empty)
            || empty(
                member.cidr_sets.is_some(),
                member.cidr_sets.iter().flatten().count() + prefixes.len(),
            )
        {
            return None;
        }

        let mut peers = Vec::new();
        for (query, span) in endpoints.into_iter().flatten() {
            peers.push(self.endpoint_peer(query, scope, span));
        }
        for selector in member.nodes.iter().flatten() {
            let mut query = LabelQuery::from_object(selector, "any");
            query.add_expression("reserved:remote-node", SelectorOperator::Exists);
            self.add_cluster(&mut query);
            peers.push(query.build(selector.span));
        }
        for entity in member.entities.iter().flatten() {
            peers.extend(entity_selectors(entity, self.config.cluster_name.as_str()));
        }
        for cidr in member.cidrs.iter().flatten() {
            peers.extend(self.cidr_peer(cidr));
        }
        for rule in member.cidr_sets.iter().flatten() {
            peers.extend(self.cidr_rule_peer(rule));
        }
        for (prefix, span) in prefixes {
            let text = prefix.to_string();
            peers.push(Selector::cidr(&text, &prefix, &[], self.config, span));
        }
        for f in &member.fqdns {
            peers.push(Selector::fqdn(&f.match_name, &f.match_pattern, f.span));
        }
        peers.extend(member.groups.iter().map(group_selector));
        Some(peers.into_iter().map(Arc::new).collect())
    }

    /// Adds the namespace and cluster a peer selector leaves out
    /// (pkg/k8s/apis/cilium.io/utils getEndpointSelector).
    fn endpoint_peer(&self, mut query: LabelQuery, scope: &Scope<'_>, span: Span) -> Selector {
        if query.has_key_prefix("reserved:") {
            return query.build(span);
        }
        let namespace_key = format!("k8s:{}", keys::POD_NAMESPACE);
        let any_namespace_key = format!("any:{}", keys::POD_NAMESPACE);
        if !query.has_key(&namespace_key) && !query.has_key(&any_namespace_key) {
            let by_label = |source: &str| {
                query.has_key_prefix(&format!("{source}:{}.", keys::NAMESPACE_LABELS))
            };
            if scope.namespace.is_empty() {
                if !scope.subject_is_init {
                    query.add_expression(namespace_key, SelectorOperator::Exists);
                }
            } else if !by_label("k8s") && !by_label("any") {
                query.add_match(namespace_key, scope.namespace);
            }
        }
        self.add_cluster(&mut query);
        query.build(span)
    }

    fn add_cluster(&self, query: &mut LabelQuery) {
        let key = format!("k8s:{}", keys::CLUSTER);
        if let Some(cluster) = self.config.peer_cluster()
            && !query.has_key(&key)
            && !query.has_key(&format!("any:{}", keys::CLUSTER))
        {
            query.add_match(key, cluster);
        }
    }

    /// A prefix or address as text. Validation has seen that it is one.
    pub(super) fn cidr_peer(&self, cidr: &Spanned<String>) -> Option<Selector> {
        let prefix = parse_prefix_or_addr(cidr).ok()?;
        Some(Selector::cidr(cidr, &prefix, &[], self.config, cidr.span))
    }

    fn cidr_rule_peer(&self, rule: &CidrRule) -> Option<Selector> {
        let except = except(&rule.except);
        if !rule.cidr_group_ref.is_empty() {
            let name = &rule.cidr_group_ref;
            return Some(Selector::cidr_group(name, &except, self.config, rule.span));
        }
        if let Some(selector) = &rule.cidr_group_selector {
            let query = LabelQuery::from_object(selector, "cidrgroup");
            return Some(Selector::cidr_groups(
                query,
                &except,
                self.config,
                rule.span,
            ));
        }
        let prefix = parse_prefix_or_addr(&rule.cidr).ok()?;
        Some(Selector::cidr(
            &rule.cidr,
            &prefix,
            &except,
            self.config,
            rule.span,
        ))
    }

    /// A prefix without some prefixes inside it.
    pub(super) fn ip_block_peer(
        &self,
        cidr: &Spanned<String>,
        excepted: &[Spanned<String>],
        span: Span,
    ) -> Option<Selector> {
        let prefix = parse_prefix_or_addr(cidr).ok()?;
        Some(Selector::cidr(
            cidr,
            &prefix,
            &except(excepted),
            self.config,
            span,
        ))
    }
}

fn except(list: &[Spanned<String>]) -> Vec<(&str, IpNet)> {
    list.iter()
        .filter_map(|e| Some((e.as_str(), parse_exception(e).ok()?)))
        .collect()
}

/// The selectors an entity stands for (pkg/policy/api/entity.go).
fn entity_selectors(entity: &Spanned<String>, cluster: &str) -> Vec<Selector> {
    let span = entity.span;
    let reserved = |names: &[&str]| -> Vec<Selector> {
        names.iter().map(|n| Selector::reserved(n, span)).collect()
    };
    const MEMBERS: [&str; 8] = [
        "host",
        "remote-node",
        "init",
        "ingress",
        "health",
        "unmanaged",
        "kube-apiserver",
        "aggregate-cluster",
    ];
    match entity.as_str() {
        "all" => vec![Selector::wildcard(span)],
        "world" => reserved(&["world", "world-ipv4", "world-ipv6", "aggregate-world"]),
        "remote-node" => reserved(&["remote-node", "aggregate-remote-node"]),
        "cluster" => {
            let mut query = LabelQuery::default();
            query.add_match(format!("k8s:{}", keys::CLUSTER), cluster);
            let mut all = reserved(&MEMBERS);
            all.push(query.build(span));
            all
        }
        "cluster-mesh" => {
            let mut query = LabelQuery::default();
            query.add_expression(keys::CLUSTER, SelectorOperator::Exists);
            let mut all = reserved(&MEMBERS);
            all.extend(reserved(&["aggregate-cluster-mesh"]));
            all.push(query.build(span));
            all
        }
        one @ ("world-ipv4" | "world-ipv6" | "host" | "init" | "ingress" | "health"
        | "unmanaged" | "none" | "kube-apiserver") => reserved(&[one]),
        _ => Vec::new(),
    }
}

/// An external group is the CIDR group that Cilium's operator fills for it,
/// named by the hash of its JSON (pkg/policy/api/groups.go).
fn group_selector(group: &Group) -> Selector {
    let mut query = LabelQuery::default();
    query.add_match(
        format!("cidrgroup:{}{}", keys::EXTERNAL_GROUP, group_hash(group)),
        "",
    );
    query.build(group.span)
}

fn group_hash(group: &Group) -> String {
    let digest = Sha224::digest(group_json(group.aws.as_ref()).as_bytes());
    base64_url(&digest)
}

/// The JSON that Go's encoder writes of a group.
fn group_json(aws: Option<&AwsGroup>) -> String {
    let Some(aws) = aws else {
        return "{}".to_owned();
    };
    let string = |s: &str| {
        serde_json::Value::from(s)
            .to_string()
            .replace('<', "\\u003c")
            .replace('>', "\\u003e")
            .replace('&', "\\u0026")
            .replace('\u{2028}', "\\u2028")
            .replace('\u{2029}', "\\u2029")
    };
    let list = |items: &[String]| {
        let items: Vec<String> = items.iter().map(|s| string(s)).collect();
        format!("[{}]", items.join(","))
    };
    let mut fields = Vec::new();
    if !aws.labels.is_empty() {
        let mut labels: Vec<_> = aws
            .labels
            .iter()
            .map(|(k, v)| (&k.value, &v.value))
            .collect();
        labels.sort();
        let labels: Vec<String> = labels
            .into_iter()
            .map(|(k, v)| format!("{}:{}", string(k), string(v)))
            .collect();
        fields.push(format!("\"labels\":{{{}}}", labels.join(",")));
    }
    if !aws.security_groups_ids.is_empty() {
        fields.push(format!(
            "\"securityGroupsIds\":{}",
            list(&aws.security_groups_ids)
        ));
    }
    if !aws.security_groups_names.is_empty() {
        fields.push(format!(
            "\"securityGroupsNames\":{}",
            list(&aws.security_groups_names)
        ));
    }
    if !aws.region.is_empty() {
        fields.push(format!("\"region\":{}", string(&aws.region)));
    }
    format!("{{\"aws\":{{{}}}}}", fields.join(","))
}

fn base64_url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0u32, |acc, b| (acc << 8) | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..=chunk.len() {
            let index = (group >> (18 - 6 * i)) & 0x3f;
            out.push(ALPHABET.get(index as usize).map_or('A', |b| char::from(*b)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_no_padding() {
        assert_eq!(base64_url(b""), "");
        assert_eq!(base64_url(b"f"), "Zg");
        assert_eq!(base64_url(b"fo"), "Zm8");
        assert_eq!(base64_url(b"foo"), "Zm9v");
        assert_eq!(base64_url(&[0xfb, 0xff]), "-_8");
        assert_eq!(base64_url(&[0; 28]).len(), 38);
    }
}
