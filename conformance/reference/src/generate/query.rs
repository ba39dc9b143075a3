//! Flows close to what the policies mention.

use super::Profile;
use super::dice::Dice;
use super::mention::Mentions;
use super::world::World;
use ipnet::IpNet;
use netverdict::rule::{Direction, protocol};
use netverdict::scenario::{Proto, Query};
use std::net::IpAddr;

/// Numbers that no identity of a scenario has.
const UNLISTED: [u32; 6] = [0, 50, 60_000, 0x0100_ff00, 0x0200_ff00, (9 << 16) | 5];

/// What is asked when nothing was mentioned.
const COMMON: [(u8, u16); 8] = [
    (protocol::TCP, 80),
    (protocol::TCP, 443),
    (protocol::UDP, 53),
    (protocol::SCTP, 80),
    (protocol::ICMP, 8),
    (protocol::ICMP, 0),
    (protocol::ICMPV6, 128),
    (47, 0),
];

/// At least 50 queries of all endpoints.
pub(super) fn queries(
    dice: &mut Dice,
    profile: Profile,
    world: &World,
    mentions: &Mentions,
) -> Vec<Query> {
    let count = dice.between(50, 70);
    (0..count)
        .map(|_| query(dice, profile, world, mentions))
        .collect()
}

fn query(dice: &mut Dice, profile: Profile, world: &World, mentions: &Mentions) -> Query {
    let direction = if mentions.directions.is_empty() || dice.chance(10) {
        dice.one(&Direction::BOTH)
    } else {
        dice.one(&mentions.directions)
    };
    let endpoint = if dice.chance(70) {
        world.endpoints[0].id
    } else {
        dice.one(&world.endpoints).id
    };
    let (proto, port) = port(dice, direction, mentions);
    let (mut peer, mut peer_ip) = (None, String::new());
    match dice.weighted(&[50, 14, 30, 6]) {
        2 if profile != Profile::Simple => {
            peer_ip = address(dice, direction, mentions).to_string();
        }
        1 => peer = Some(dice.between(1, 14)),
        3 => peer = Some(dice.one(&UNLISTED)),
        _ => peer = Some(dice.one(&world.identities).id),
    }
    Query {
        direction,
        endpoint,
        peer,
        peer_ip,
        proto: Proto(proto),
        port,
    }
}

/// A port inside, at the edge of or just outside a mentioned range.
fn port(dice: &mut Dice, direction: Direction, mentions: &Mentions) -> (u8, u16) {
    let here: Vec<_> = mentions
        .ports
        .iter()
        .filter(|(d, ..)| *d == direction)
        .collect();
    if here.is_empty() || dice.chance(15) {
        return dice.one(&COMMON);
    }
    let &&(_, proto, low, high) = &here[dice.below(here.len() as u32) as usize];
    let port = match dice.weighted(&[40, 25, 10, 10, 15]) {
        0 => low,
        1 => high,
        2 => low.wrapping_sub(1),
        3 => high.wrapping_add(1),
        _ => u16::try_from(dice.between(u32::from(low), u32::from(high))).unwrap_or(low),
    };
    let proto = if proto == protocol::ANY {
        dice.one(&[protocol::TCP, protocol::UDP, protocol::SCTP, protocol::ICMP])
    } else if dice.chance(8) {
        dice.one(&[
            protocol::TCP,
            protocol::UDP,
            protocol::ICMP,
            protocol::ICMPV6,
            47,
            253,
        ])
    } else {
        proto
    };
    (proto, port)
}

/// An address inside, at the end of or just outside a mentioned prefix.
fn address(dice: &mut Dice, direction: Direction, mentions: &Mentions) -> IpAddr {
    let here: Vec<_> = mentions
        .prefixes
        .iter()
        .filter(|(d, _)| *d == direction)
        .collect();
    if here.is_empty() || dice.chance(20) {
        let any = [
            "10.1.2.4",
            "10.1.2.9",
            "1.1.1.1",
            "93.184.216.34",
            "fd00:1::7",
            "2606::1",
            "192.168.1.10",
            "10.9.9.9",
        ];
        return dice
            .pick(&any)
            .parse()
            .unwrap_or(IpAddr::from([1, 1, 1, 1]));
    }
    let (_, prefix) = here[dice.below(here.len() as u32) as usize];
    match dice.below(5) {
        0 => prefix.network(),
        1 => prefix.broadcast(),
        2 => after(prefix),
        _ => inside(dice, prefix),
    }
}

/// The first address after a prefix, going around at the end.
fn after(prefix: &IpNet) -> IpAddr {
    match prefix.broadcast() {
        IpAddr::V4(a) => IpAddr::from(u32::from(a).wrapping_add(1).to_be_bytes()),
        IpAddr::V6(a) => IpAddr::from(u128::from(a).wrapping_add(1).to_be_bytes()),
    }
}

fn inside(dice: &mut Dice, prefix: &IpNet) -> IpAddr {
    let low = dice.below(1 << 16);
    match (prefix.network(), prefix.hostmask()) {
        (IpAddr::V4(a), IpAddr::V4(mask)) => {
            let bits = ((low << 12) ^ low) & u32::from(mask);
            IpAddr::from((u32::from(a) | bits).to_be_bytes())
        }
        (IpAddr::V6(a), IpAddr::V6(mask)) => {
            let bits = ((u128::from(low) << 90) ^ u128::from(low)) & u128::from(mask);
            IpAddr::from((u128::from(a) | bits).to_be_bytes())
        }
        (network, _) => network,
    }
}
