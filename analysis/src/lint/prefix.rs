//! Prefixes, and the world.
//!
//! In: members with prefixes or the entity `world`. Out: findings about whom
//! they reach, and whom not.

use super::member::{Member, network_rules};
use ipnet::IpNet;
use netverdict::cluster::Cluster;
use netverdict::diagnostic::Severity::{Info, Warning};
use netverdict::diagnostic::{Code, Diagnostic, Findings};
use netverdict::object::Object;
use netverdict::object::cidr::{covers, parse_prefix_or_addr};
use netverdict::rule::Direction;
use netverdict::source::{Span, Spanned};
use std::net::{IpAddr, Ipv4Addr};

/// `0.0.0.0/0` or `::/0`: the world, without pods and nodes.
pub const WORLD_PREFIX: Code = Code::new(1015, Info, "prefix of the world");
/// `0.0.0.0/0` without `::/0` beside it. A warning when pods of the input have
/// IPv6 addresses.
pub const ONE_FAMILY: Code = Code::new(1016, Info, "IPv4 without IPv6");
/// `except` in a deny rule: it is not denied here, and not allowed either.
pub const DENY_EXCEPT: Code = Code::new(1017, Info, "exception of a deny rule");
/// The address of cloud metadata, 169.254.169.254, is within what a rule lets
/// pods reach.
pub const METADATA_SERVICE: Code = Code::new(1018, Info, "cloud metadata can be reached");
/// The world on every port.
pub const WORLD_EVERY_PORT: Code = Code::new(1019, Info, "world on every port");

const METADATA: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

/// A prefix with what is taken out of it.
struct Block<'p> {
    text: &'p Spanned<String>,
    except: &'p [Spanned<String>],
}

impl Block<'_> {
    fn prefix(&self) -> Option<IpNet> {
        parse_prefix_or_addr(&self.text.value).ok()
    }

    fn is_world(&self) -> bool {
        self.prefix().is_some_and(|p| p.prefix_len() == 0)
    }

    fn reaches(&self, address: IpAddr) -> bool {
        let address = IpNet::from(address);
        let out = |e: &Spanned<String>| {
            parse_prefix_or_addr(&e.value).is_ok_and(|e| covers(&e, &address))
        };
        self.prefix().is_some_and(|p| covers(&p, &address)) && !self.except.iter().any(out)
    }
}

/// What both kinds of policy have in common here.
struct Allowed<'p> {
    object: &'p Object,
    path: &'p str,
    direction: Direction,
    blocks: Vec<Block<'p>>,
    /// The entity, if the world or everybody is one.
    world: Option<Span>,
    every_port: bool,
    /// Port 80 is among the ports.
    http: bool,
}

pub(super) fn check(object: &Object, cluster: &Cluster, found: &mut Findings) {
    for member in Member::of(object) {
        let own = member.own;
        if member.deny {
            for rule in own.cidr_sets.iter().flatten() {
                deny_except(&member, &rule.except, found);
            }
            continue;
        }
        let plain = own.cidrs.iter().flatten();
        let plain = plain.map(|text| Block { text, except: &[] });
        let sets = own.cidr_sets.iter().flatten();
        let sets = sets.filter(|s| !s.cidr.value.is_empty());
        let sets = sets.map(|s| Block {
            text: &s.cidr,
            except: &s.except,
        });
        let world = own.entities.iter().flatten();
        let world = world.filter(|e| matches!(e.as_str(), "world" | "world-ipv4" | "all"));
        let mut ports = own.to_ports.iter().flat_map(|r| &r.ports);
        let every_port = member.every_port();
        Allowed {
            object,
            path: &own.path,
            direction: member.direction,
            blocks: plain.chain(sets).collect(),
            world: world.map(|e| e.span).next(),
            every_port,
            http: every_port || ports.any(|p| p.port.value == "80"),
        }
        .check(cluster, found);
    }
    if let Object::NetworkPolicy(policy) = object {
        for (direction, rule) in network_rules(policy) {
            let blocks = rule.peers.iter().filter_map(|p| p.ip_block.as_ref());
            let blocks = blocks.map(|b| Block {
                text: &b.cidr,
                except: &b.except,
            });
            Allowed {
                object,
                path: &rule.path,
                direction,
                blocks: blocks.collect(),
                world: None,
                every_port: rule.ports.is_empty(),
                http: rule.ports.is_empty()
                    || rule.ports.iter().any(|p| {
                        use netverdict::object::network_policy::IntOrString::Int;
                        matches!(p.port.as_ref().map(|p| &p.value), None | Some(Int(80)))
                    }),
            }
            .check(cluster, found);
        }
    }
}

fn deny_except(member: &Member<'_>, except: &[Spanned<String>], found: &mut Findings) {
    let Some(first) = except.first() else { return };
    let finding = member.finding(
        DENY_EXCEPT,
        first.span,
        "an exception of a deny rule is not denied here, and not allowed either",
    );
    found.push(finding.help("what is to get through needs an allow rule of its own"));
}

impl Allowed<'_> {
    fn finding(&self, code: Code, span: Span, message: &str) -> Diagnostic {
        Diagnostic::new(code, span, message)
            .at(self.path)
            .of(self.object.object_ref().to_string())
    }

    fn check(&self, cluster: &Cluster, found: &mut Findings) {
        let worlds: Vec<&Block<'_>> = self.blocks.iter().filter(|b| b.is_world()).collect();
        let config = cluster.config();
        if let Some(first) = worlds.first() {
            if !config.cidr_matches_pods {
                let message = "this is the world alone: neither pods nor nodes are in a prefix";
                let finding = self.finding(WORLD_PREFIX, first.text.span, message);
                found.push(finding.help("everybody is `toEntities: [all]` (`fromEntities`); in a NetworkPolicy, a rule without peers"));
            }
            let four = worlds
                .iter()
                .any(|b| matches!(b.prefix(), Some(IpNet::V4(_))));
            let six = worlds
                .iter()
                .any(|b| matches!(b.prefix(), Some(IpNet::V6(_))));
            if four && !six && config.ipv6 {
                let message = "no IPv6 address is in `0.0.0.0/0`";
                let mut finding = self.finding(ONE_FAMILY, first.text.span, message);
                let dual = |e: &std::sync::Arc<netverdict::cluster::Endpoint>| {
                    e.addresses.iter().any(IpAddr::is_ipv6)
                };
                if cluster.endpoints().iter().any(dual) {
                    finding.severity = Warning;
                }
                found.push(finding.help("add `::/0` where the cluster has both families"));
            }
        }
        let world = self.world.or(worlds.first().map(|b| b.text.span));
        if let Some(span) = world.filter(|_| self.every_port) {
            let message = match self.direction {
                Direction::Ingress => "the whole world may connect, to every port",
                Direction::Egress => "the whole world may be reached, on every port",
            };
            let finding = self.finding(WORLD_EVERY_PORT, span, message);
            found.push(finding.help("name the ports that are needed, or the names in `toFQDNs`"));
        }
        if self.direction == Direction::Egress && self.http {
            let block = self.blocks.iter().find(|b| b.reaches(METADATA));
            let span = self.world.or(block.map(|b| b.text.span));
            if let Some(span) = span {
                let message = "on a cloud's machines this reaches 169.254.169.254, which gives credentials away";
                let finding = self.finding(METADATA_SERVICE, span, message);
                found.push(finding.help("take it out (`except: [169.254.169.254/32]`) or deny it for all pods in a clusterwide policy"));
            }
        }
    }
}
