//! Random scenarios that know what policies are about.
//!
//! In: a seed and a [`Profile`]. Out: a [`Scenario`], the same for a seed on
//! every platform. Labels, ports and prefixes come from small pools so that
//! rules overlap, and queries are drawn from what the policies mention: peers
//! selected and nearly selected, the edges of port ranges, addresses inside
//! and just outside prefixes. A few documents are of kinds that Cilium
//! refuses.

mod cilium;
mod dice;
mod invalid;
mod kubernetes;
pub mod layer7;
mod mention;
mod port;
mod query;
mod rule_case;
mod selector;
mod text;
mod wide;
mod world;

pub use rule_case::{RuleCase, rule_case, rule_case_by};
pub use wide::wide;

use dice::Dice;
use mention::Mentions;
use netverdict::rule::Direction;
use netverdict::scenario::Scenario;
use serde_json::{Map, Value, json};
use std::str::FromStr;
use world::World;

/// What a generator may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// CiliumNetworkPolicies of endpoint selectors and ports, default options.
    Simple,
    /// Everything.
    Full,
    /// Everything to which Cilium has a single verdict: without Pass rules,
    /// without authentication on keys under each other or beside denials, and
    /// without lists of HTTP rules that have room to grow where Cilium shares
    /// them. Answers to these are meant to be compared. (What still depends on
    /// chance in Cilium, in about one scenario of a hundred, is whether an
    /// entry equal to that of its aggregate is kept.)
    Stable,
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "simple" => Ok(Self::Simple),
            "full" => Ok(Self::Full),
            "stable" => Ok(Self::Stable),
            other => Err(format!("no profile `{other}`: simple, full or stable")),
        }
    }
}

/// One scenario being made.
struct Draw<'a> {
    dice: Dice,
    world: &'a World,
    profile: Profile,
    mentions: Mentions,
    /// Rules deny. In the stable profile they do not where others ask for
    /// authentication.
    denies: bool,
    /// Directions in which a rule asks for authentication.
    authenticated: Vec<Direction>,
    /// Peers of earlier members, by direction and whether they are denied.
    earlier_peers: Vec<((Direction, bool), Map<String, Value>)>,
    /// Ports of earlier members, by direction, whether they are denied, and
    /// whether the subject is the host.
    earlier_ports: Vec<((Direction, bool, bool), Value)>,
}

/// Makes the scenario of a seed.
#[must_use]
pub fn generate(seed: u64, profile: Profile) -> Scenario {
    let mut scenario = make(Dice::new(seed), profile);
    scenario.name = format!("{profile:?}-{seed}").to_ascii_lowercase();
    scenario
}

/// Makes a scenario by the choices of a fuzzer: each byte decides something,
/// and chance what is left to decide.
#[must_use]
pub fn generate_by(choices: &[u8], profile: Profile) -> Scenario {
    make(Dice::chosen(choices, 0), profile)
}

fn make(mut dice: Dice, profile: Profile) -> Scenario {
    let world = World::new(&mut dice, profile);
    let denies = profile != Profile::Stable || dice.chance(80);
    let mut draw = Draw {
        denies,
        dice,
        world: &world,
        profile,
        mentions: Mentions::default(),
        authenticated: Vec::new(),
        earlier_peers: Vec::new(),
        earlier_ports: Vec::new(),
    };
    let policies = draw.policies();
    let Draw {
        mut dice, mentions, ..
    } = draw;
    let queries = query::queries(&mut dice, profile, &world, &mentions);
    Scenario {
        name: String::new(),
        note: String::new(),
        config: world.config,
        policies,
        identities: world.identities,
        namespaces: world.namespaces,
        cidr_groups: world.groups,
        named_ports: world.named_ports,
        endpoints: world.endpoints,
        queries,
    }
}

impl Draw<'_> {
    fn policies(&mut self) -> Vec<String> {
        let count = self.dice.between(1, 7);
        let mut texts: Vec<String> = Vec::new();
        for n in 0..count {
            let text = self.policy(n);
            match texts.last_mut() {
                // Several documents in one text.
                Some(last) if self.dice.chance(15) => {
                    last.push_str("---\n");
                    last.push_str(&text);
                }
                _ => texts.push(text),
            }
        }
        texts
    }

    fn policy(&mut self, n: u32) -> String {
        if self.profile == Profile::Simple {
            let object = self.cilium_policy(&format!("p{n}"));
            return self.document(&object);
        }
        // Now and then two of one name: the later one is in force.
        let n = if self.dice.chance(2) { 0 } else { n };
        let name = format!("p{n}");
        if self.dice.chance(5) {
            return self.refused(&name);
        }
        let object = match self.dice.weighted(&[66, 17, 17]) {
            0 => self.cilium_policy(&name),
            1 => self.network_policy(&name),
            _ => self.cluster_network_policy(&name),
        };
        if self.dice.chance(2) {
            let list = json!({"apiVersion": "v1", "kind": "List", "items": [object]});
            return self.document(&list);
        }
        self.document(&object)
    }

    fn document(&mut self, object: &Value) -> String {
        text::document(&mut self.dice, object)
    }
}

#[cfg(test)]
mod tests {
    use super::{Profile, generate, generate_by};
    use netverdict::scenario::Scenario;

    const PROFILES: [Profile; 3] = [Profile::Simple, Profile::Full, Profile::Stable];

    #[test]
    fn scenarios_are_valid_and_the_same_for_a_seed() {
        for profile in PROFILES {
            for seed in 0..40 {
                let scenario = generate(seed, profile);
                let text = serde_json::to_string(&scenario).unwrap();
                assert_eq!(Scenario::parse(&text).unwrap(), scenario);
                assert_eq!(generate(seed, profile), scenario);
                assert!(scenario.queries.len() >= 50);
                assert!(!scenario.endpoints.is_empty() && !scenario.policies.is_empty());
            }
        }
        assert_ne!(generate(1, Profile::Full), generate(2, Profile::Full));
    }

    #[test]
    fn choices_make_valid_scenarios() {
        for profile in PROFILES {
            let mut all = Vec::new();
            for choices in [&[][..], &[0; 64], &[0xff; 300], &[7, 90, 3, 250, 16]] {
                let scenario = generate_by(choices, profile);
                let text = serde_json::to_string(&scenario).unwrap();
                assert_eq!(Scenario::parse(&text).unwrap(), scenario);
                assert!(!all.contains(&scenario));
                all.push(scenario);
            }
        }
    }

    /// Every construct turns up in a few hundred scenarios.
    #[test]
    fn everything_is_mentioned() {
        let mut text = String::new();
        for seed in 0..400 {
            text += &generate(seed, Profile::Full).policies.concat();
        }
        for word in [
            "CiliumNetworkPolicy",
            "CiliumClusterwideNetworkPolicy",
            "NetworkPolicy",
            "ClusterNetworkPolicy",
            "specs",
            "ingressDeny",
            "egressDeny",
            "enableDefaultDeny",
            "fromEndpoints",
            "toEntities",
            "toCIDR",
            "toCIDRSet",
            "except",
            "cidrGroupRef",
            "cidrGroupSelector",
            "toFQDNs",
            "fromNodes",
            "fromGroups",
            "toServices",
            "nodeSelector",
            "NotIn",
            "DoesNotExist",
            "reserved:",
            "io.cilium.k8s.policy.cluster",
            "io.cilium.k8s.namespace.labels",
            "endPort",
            "SCTP",
            "GRE",
            "icmps",
            "http",
            "dns",
            "serverNames",
            "terminatingTLS",
            "originatingTLS",
            "listener",
            "authentication",
            "disabled",
            "ipBlock",
            "namespaceSelector",
            "policyTypes",
            "Admin",
            "Baseline",
            "Pass",
            "destinationNamedPort",
            "domainNames",
            "networks",
            "kafka",
            "010",
            "List",
        ] {
            assert!(text.contains(word), "{word}");
        }
    }

    #[test]
    fn the_stable_profile_leaves_out_what_has_no_single_answer() {
        for seed in 0..200 {
            let text = generate(seed, Profile::Stable).policies.concat();
            assert!(!text.contains("Pass"));
            let denies = ["ingressDeny", "egressDeny"]
                .iter()
                .any(|w| text.contains(w));
            assert!(!denies || !text.contains("authentication"), "{text}");
        }
    }
}
