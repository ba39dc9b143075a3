//! Who reaches whom, as sets.
//!
//! In: a policy. Out: [`Reach`]: ports that the same peers get certain verdicts
//! on, with these. In time proportional to the identities of the image
//! and to the answer.

use crate::bits::{IdentitySet, Plane};
use crate::layout::UNLISTED_CLASSES;
use crate::ports::{PortRange, protocols};
use crate::view::PolicyView;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

/// Ports with those who get certain verdicts there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The ports, by protocol and number.
    pub ports: Vec<PortRange>,
    /// Everybody.
    pub peers: IdentitySet,
}

impl PolicyView<'_> {
    /// Everybody that gets one of these verdicts, by the ports where they do.
    /// Ports where nobody does are left out. To ingress of a subject this says
    /// who reaches it, to egress what it reaches.
    #[must_use]
    pub fn reach(&self, planes: &[Plane]) -> Vec<Reach> {
        let (peer_classes, _) = self.classes();
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); peer_classes as usize];
        for (place, identity) in self.view.identities().enumerate() {
            if let Some(members) = members.get_mut(self.peer_class(identity) as usize) {
                members.push(place);
            }
        }
        let mut ports: BTreeMap<u32, Vec<PortRange>> = BTreeMap::new();
        for range in protocols().flat_map(|p| self.port_ranges(p)) {
            ports.entry(range.class).or_default().push(range);
        }
        let mut all: BTreeMap<IdentitySet, Vec<PortRange>> = BTreeMap::new();
        for (row, ports) in ports {
            let mut peers = IdentitySet::none(self.view.header.identities.count);
            for (class, members) in (0u32..).zip(&members) {
                let answer = self.cell(row, class);
                let plane = answer.as_ref().and_then(Plane::of);
                if plane.is_none_or(|p| !planes.contains(&p)) {
                    continue;
                }
                if class < UNLISTED_CLASSES {
                    peers.insert_unlisted(class);
                }
                for place in members {
                    peers.insert(*place);
                }
            }
            if !peers.is_empty() {
                all.entry(peers).or_default().extend(ports);
            }
        }
        let all = all.into_iter();
        let mut all: Vec<Reach> = all
            .map(|(peers, ports)| Reach {
                ports: joined(ports),
                peers,
            })
            .collect();
        all.sort_by(|a, b| a.ports.cmp(&b.ports));
        all
    }
}

/// Ranges in order, those that follow each other in one; the class is that of
/// the first.
fn joined(mut ports: Vec<PortRange>) -> Vec<PortRange> {
    ports.sort_unstable();
    ports.dedup_by(|next, range| {
        let follows =
            range.protocol == next.protocol && range.last.checked_add(1) == Some(next.first);
        if follows {
            range.last = next.last;
        }
        follows
    });
    ports
}
