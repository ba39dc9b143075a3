//! What the policies of a scenario mention, so that queries come near it.

use ipnet::IpNet;
use netverdict::rule::Direction;
use std::net::IpAddr;

/// Ports and prefixes by the direction of the rule that names them.
#[derive(Default)]
pub(super) struct Mentions {
    /// Protocol number (0 for any), first and last port.
    pub(super) ports: Vec<(Direction, u8, u16, u16)>,
    pub(super) prefixes: Vec<(Direction, IpNet)>,
    pub(super) directions: Vec<Direction>,
}

impl Mentions {
    pub(super) fn port(&mut self, direction: Direction, proto: u8, low: u16, high: u16) {
        self.ports.push((direction, proto, low, high.max(low)));
    }

    /// Text that is neither a prefix nor an address is not kept.
    pub(super) fn prefix(&mut self, direction: Direction, text: &str) {
        let net = text.parse::<IpNet>().ok();
        let net = net.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        if let Some(net) = net {
            self.prefixes.push((direction, net.trunc()));
        }
    }
}
