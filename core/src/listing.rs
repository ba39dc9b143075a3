//! A table written out: what its bytes mean, for people and programs.
//!
//! In: a checked image. Out: a [`Listing`] without offsets: classes with their
//! identities and ports, cells, verdict entries, and the rules behind them. Two
//! images with equal listings give equal answers.
//!
//! ```
//! use netverdict::listing::{identity_ranges, port_name, port_names};
//! use netverdict_table::PortRange;
//!
//! assert_eq!(identity_ranges([1, 2, 3, 7]), ["1-3", "7"]);
//! let web = PortRange { protocol: 6, first: 80, last: 81, class: 1 };
//! assert_eq!(port_name(&web), "80-81/TCP");
//! assert_eq!(port_names(&[web]), ["80-81/TCP"]);
//! ```

use netverdict_table::layout::{self, AGGREGATES};
use netverdict_table::{
    Answer, Direction, MatchType, OriginRecord, Plane, PolicyView, PortRange, View, protocols,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// A table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listing {
    /// Format version.
    pub version: u16,
    /// The local cluster's id.
    pub cluster_id: u32,
    /// Bits of a cluster id within an identity.
    pub cluster_bits: u32,
    /// ICMP types count as ports.
    pub icmp_types: bool,
    /// "Fragmentation needed" passes before any lookup.
    pub fragmentation_needed_passes: bool,
    /// Revision of what was compiled.
    pub revision: u64,
    /// Every identity, in ranges.
    pub identities: Vec<String>,
    /// Subjects, by number.
    pub subjects: Vec<SubjectListing>,
    /// Policies of one direction, each once.
    pub policies: Vec<PolicyListing>,
}

/// A subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubjectListing {
    /// Its number.
    pub subject: u32,
    /// The identity that finds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<u32>,
    /// The endpoints that find it.
    pub endpoints: Vec<u32>,
    /// Which policy it has for ingress; none when there is no such subject.
    pub ingress: Option<usize>,
    /// Which policy it has for egress.
    pub egress: Option<usize>,
    /// The entries of its policy map, by direction and class.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<EntryListing>,
}

/// An entry of a policy map, with the rules behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryListing {
    /// `ingress` or `egress`.
    pub direction: &'static str,
    /// The class of the identities that have it.
    pub class: u32,
    /// Ports it matches.
    pub port: String,
    /// Its precedence.
    pub precedence: u32,
    /// The 12 bytes of its value.
    pub value: String,
    /// `Kind/namespace/name path (file:line:column)`.
    pub rules: Vec<String>,
}

/// A policy of one direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyListing {
    /// `ingress` or `egress`.
    pub direction: &'static str,
    /// What no rule allows is dropped.
    pub default_deny: bool,
    /// Rules apply at all.
    pub enforced: bool,
    /// Who is in each peer class: ranges of identities, and for the first five
    /// what their unlisted members have in common.
    pub peers: Vec<Vec<String>>,
    /// What is in each port class.
    pub ports: Vec<Vec<String>>,
    /// Per port class the verdict of each peer class.
    pub cells: Vec<Vec<u32>>,
    /// The verdicts that cells name.
    pub verdicts: Vec<VerdictListing>,
}

/// A verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerdictListing {
    /// `allow`, `deny`, `default-deny`, `redirect` or `auth-required`.
    pub verdict: &'static str,
    /// How much the deciding entry looks at.
    pub match_type: &'static str,
    /// The proxy's port.
    #[serde(skip_serializing_if = "is_zero")]
    pub proxy_port: u16,
    /// Authentication type.
    #[serde(skip_serializing_if = "is_zero")]
    pub auth_type: u8,
    /// Prefix length of the entry that authentication was inherited from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_inherited_from: Option<u8>,
    /// The policy log cookie.
    #[serde(skip_serializing_if = "is_zero")]
    pub cookie: u32,
}

fn is_zero<T: Default + PartialEq>(n: &T) -> bool {
    *n == T::default()
}

impl VerdictListing {
    /// An answer in words.
    #[must_use]
    pub fn of(answer: &Answer) -> Self {
        let match_type = match_type_name(answer.match_type());
        let plane = match answer.is_allowed() && answer.match_type() == MatchType::None {
            true => Some(Plane::Allow),
            false => Plane::of(answer),
        };
        Self {
            verdict: plane_name(plane),
            match_type,
            proxy_port: answer.proxy_port(),
            auth_type: answer.auth_type(),
            auth_inherited_from: answer.auth_donor(),
            cookie: answer.cookie(),
        }
    }
}

/// One word for a match type, as Hubble prints it.
#[must_use]
pub const fn match_type_name(match_type: MatchType) -> &'static str {
    match match_type {
        MatchType::None => "none",
        MatchType::L3Only => "L3-Only",
        MatchType::L3L4 => "L3-L4",
        MatchType::L4Only => "L4-Only",
        MatchType::All => "all",
        MatchType::L3Proto => "L3-Proto",
        MatchType::ProtoOnly => "Proto-Only",
    }
}

/// One word for a verdict; none is `default-deny`.
#[must_use]
pub const fn plane_name(plane: Option<Plane>) -> &'static str {
    match plane {
        Some(Plane::Allow) => "allow",
        Some(Plane::Redirect) => "redirect",
        Some(Plane::Deny) => "deny",
        Some(Plane::AuthRequired) => "auth-required",
        None => "default-deny",
    }
}

/// `ingress` or `egress`.
#[must_use]
pub const fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    }
}

/// Identities in words: `256`, `258-260`.
#[must_use]
pub fn identity_ranges(ascending: impl IntoIterator<Item = u32>) -> Vec<String> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for identity in ascending {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(identity) => *last = identity,
            _ => ranges.push((identity, identity)),
        }
    }
    let name = |(first, last): (u32, u32)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    ranges.into_iter().map(name).collect()
}

/// Who is unlisted, by the key of their aggregate.
#[must_use]
pub const fn unlisted_name(aggregate: u32) -> &'static str {
    match aggregate {
        11 => "others of the cluster",
        12 => "others of the mesh",
        13 => "others of the world",
        14 => "other remote nodes",
        _ => "other reserved identities",
    }
}

/// Ports in words: `80/TCP`, `1024-2047/TCP`, `ICMP type 8`, `GRE`.
#[must_use]
pub fn port_name(range: &PortRange) -> String {
    use crate::rule::protocol;
    let PortRange { first, last, .. } = *range;
    if range.protocol == 0 {
        return "other protocols".to_owned();
    }
    let name = protocol::name(range.protocol);
    let name = name.map_or_else(|| range.protocol.to_string(), str::to_owned);
    let has_ports = layout::protocol_slot(range.protocol) < layout::PORT_SLOTS;
    let ports = match (first, last) {
        (0, u16::MAX) => return name,
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    };
    match range.protocol {
        protocol::ICMP | protocol::ICMPV6 => format!("{name} type {ports}"),
        _ if has_ports => format!("{ports}/{name}"),
        _ => name,
    }
}

/// Ranges of ports in words; all there are in two.
#[must_use]
pub fn port_names(ranges: &[PortRange]) -> Vec<String> {
    let whole = ranges.iter().filter(|r| (r.first, r.last) == (0, u16::MAX));
    if whole.count() == layout::SLOTS {
        return vec!["every port".to_owned()];
    }
    let (rest, own): (Vec<_>, Vec<_>) = ranges.iter().partition(|r| r.protocol == 0);
    own.into_iter().chain(rest).map(port_name).collect()
}

/// All ports of a policy, by class.
fn ports_by_class(policy: &PolicyView<'_>) -> BTreeMap<u32, Vec<String>> {
    let mut classes: BTreeMap<u32, Vec<PortRange>> = BTreeMap::new();
    for range in protocols().flat_map(|p| policy.port_ranges(p)) {
        classes.entry(range.class).or_default().push(range);
    }
    let classes = classes.into_iter();
    classes
        .map(|(class, ranges)| (class, port_names(&ranges)))
        .collect()
}

impl PolicyListing {
    /// A policy written out.
    #[must_use]
    pub fn of(view: &View<'_>, policy: &PolicyView<'_>, direction: Direction) -> Self {
        let (peer_classes, port_classes) = policy.classes();
        let mut members: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        // Identity 0 is nobody's, and yet has entries of its own sometimes.
        let nobody = Some(0).filter(|id| policy.peer_class(*id) >= layout::UNLISTED_CLASSES);
        for identity in nobody.into_iter().chain(view.identities()) {
            let class = policy.peer_class(identity);
            members.entry(class).or_default().push(identity);
        }
        let peers = (0..peer_classes).map(|class| {
            let mut who = identity_ranges(members.remove(&class).unwrap_or_default());
            let aggregate = AGGREGATES.get(class as usize);
            who.extend(aggregate.map(|key| unlisted_name(*key).to_owned()));
            who
        });
        let peers = peers.collect();
        let mut by_class = ports_by_class(policy);
        let ports = (0..port_classes).map(|class| by_class.remove(&class).unwrap_or_default());
        let mut verdicts: Vec<Answer> = Vec::new();
        let cells = (0..port_classes).map(|row| {
            let answers = (0..peer_classes).filter_map(|class| policy.cell(row, class));
            let number = answers.map(|answer| {
                let known = verdicts.iter().position(|v| *v == answer);
                let number = known.unwrap_or_else(|| {
                    verdicts.push(answer);
                    verdicts.len() - 1
                });
                u32::try_from(number).unwrap_or(u32::MAX)
            });
            number.collect()
        });
        let cells = cells.collect();
        let flag = |bit| policy.descriptor().flags & bit != 0;
        Self {
            direction: direction_name(direction),
            default_deny: flag(layout::DEFAULT_DENY),
            enforced: flag(layout::ENFORCED),
            peers,
            ports: ports.collect(),
            cells,
            verdicts: verdicts.iter().map(VerdictListing::of).collect(),
        }
    }
}

impl EntryListing {
    fn of(direction: Direction, class: u32, record: &OriginRecord<'_>) -> Self {
        let last = record.port | (0xffff_u32 >> record.prefix_len.saturating_sub(8).min(16)) as u16;
        let range = PortRange {
            protocol: record.protocol,
            first: record.port,
            last,
            class,
        };
        let port = match record.prefix_len {
            0 => "every protocol".to_owned(),
            _ => port_name(&range),
        };
        let rules = record.rules().map(|r| {
            let place = match r.line {
                0 => String::new(),
                line => format!(" ({}:{line}:{})", r.file, r.column),
            };
            let path = if r.path.is_empty() { "" } else { " " };
            format!("{}{path}{}{place}", r.object, r.path)
        });
        Self {
            direction: direction_name(direction),
            class,
            port,
            precedence: record.precedence(),
            value: record.value.iter().map(|b| format!("{b:02x}")).collect(),
            rules: rules.collect(),
        }
    }
}

impl Listing {
    /// Writes a table out.
    #[must_use]
    pub fn of(view: &View<'_>) -> Self {
        let header = view.header();
        let flag = |bit| header.flags & bit != 0;
        let mut endpoints: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (endpoint, subject) in view.endpoints() {
            endpoints.entry(subject).or_default().push(endpoint);
        }
        let identities: BTreeMap<u32, u32> = view
            .subject_identities()
            .map(|(identity, subject)| (subject, identity))
            .collect();
        let mut policies = Vec::new();
        let mut numbers = BTreeMap::new();
        let mut subjects = Vec::new();
        for subject in 0..view.subjects() {
            let [ingress, egress] = Direction::BOTH.map(|direction| {
                let policy = view.policy(subject, direction)?;
                let key = *policy.descriptor();
                Some(*numbers.entry(key).or_insert_with(|| {
                    policies.push(PolicyListing::of(view, &policy, direction));
                    policies.len() - 1
                }))
            });
            let entries = Direction::BOTH.into_iter().flat_map(|direction| {
                let all = view.origins(subject, direction);
                all.map(move |(class, record)| EntryListing::of(direction, class, &record))
            });
            let mut endpoints = endpoints.remove(&subject).unwrap_or_default();
            endpoints.sort_unstable();
            subjects.push(SubjectListing {
                subject,
                identity: identities.get(&subject).copied(),
                endpoints,
                ingress,
                egress,
                entries: entries.collect(),
            });
        }
        Self {
            version: header.version,
            cluster_id: header.cluster_id,
            cluster_bits: header.cluster_bits,
            icmp_types: flag(layout::ICMP_TYPES),
            fragmentation_needed_passes: flag(layout::FRAGMENTATION_NEEDED),
            revision: header.revision,
            identities: identity_ranges(view.identities()),
            subjects,
            policies,
        }
    }
}
