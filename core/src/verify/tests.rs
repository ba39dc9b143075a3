//! Faults planted into a sound image, each of which must be found.

use super::*;
use crate::scenario::{Prepared, Scenario};
use layout::{
    BLOCK_LEN, DESCRIPTOR_LEN, Descriptor, ENTRY_LEN, PAGE_UNIT, PORT_DIRECTORY_UNIT,
    PORT_PAGE_UNIT, SLOT_BLOCKS, region,
};

/// Every kind of peer has a port of its own, so that no two classes of
/// unlisted identities are alike.
const POLICY: &str = r#"
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: p, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: a}}
  ingress:
  - fromEntities: [cluster]
    toPorts: [{ports: [{port: "81"}]}]
  - fromEntities: [world]
    toPorts: [{ports: [{port: "82"}]}]
  - fromEntities: [remote-node]
    toPorts: [{ports: [{port: "83", protocol: UDP}]}]
  - fromEntities: [all]
    toPorts: [{ports: [{port: "1024", endPort: 2047}]}]
  - fromEndpoints: [{matchLabels: {app: b}}]
    authentication: {mode: required}
    toPorts: [{ports: [{port: "8080"}]}]
  - fromEndpoints: [{matchLabels: {app: c}}]
    toPorts: [{ports: [{port: "8081", protocol: TCP}], rules: {http: [{}]}}]
  - fromCIDR: [192.0.2.0/24]
  - icmps: [{fields: [{type: 8}]}]
  ingressDeny:
  - fromEndpoints: [{matchLabels: {app: d}}]
"#;

fn scenario() -> Scenario {
    let labels = |app: &str| {
        serde_json::json!({
            "k8s:app": app,
            "k8s:io.cilium.k8s.policy.cluster": "default",
            "k8s:io.kubernetes.pod.namespace": "shop",
        })
    };
    let identity = |(id, app): (u32, &str)| serde_json::json!({"id": id, "labels": labels(app)});
    let apps = [
        (0x1_0100, "a"),
        (0x1_0101, "b"),
        (0x1_0180, "c"),
        (0x1_0190, "d"),
        (0x2_0400, "b"),
    ];
    let text = serde_json::json!({
        "name": "faults",
        "policies": [POLICY],
        "config": {"clusterID": 1},
        "identities": apps.map(identity),
        "endpoints": [{"id": 0x1_0100}, {"id": 0x1_0101}],
        "queries": [],
    });
    Scenario::parse(&text.to_string()).unwrap()
}

/// An image that is changed.
struct Planted {
    bytes: Vec<u8>,
    header: Header,
    /// Ingress of the first subject.
    descriptor: Descriptor,
    descriptor_at: usize,
}

impl Planted {
    fn new(bytes: &[u8]) -> Self {
        let header = Header::read(bytes.first_chunk().unwrap());
        let word = header.subjects.at as usize;
        let at = u32::from_le_bytes(*bytes[word..].first_chunk().unwrap()) as usize;
        Self {
            bytes: bytes.to_vec(),
            header,
            descriptor: Descriptor::read(bytes[at..at + DESCRIPTOR_LEN].first_chunk().unwrap()),
            descriptor_at: at,
        }
    }

    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(*self.bytes[at..].first_chunk().unwrap())
    }

    fn set_u16(&mut self, at: usize, word: u16) {
        self.bytes[at..at + 2].copy_from_slice(&word.to_le_bytes());
    }

    fn set_u32(&mut self, at: usize, word: u32) {
        self.bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }

    /// Where the word of the root stands that an identity goes through.
    fn root_word(&self, identity: u32) -> usize {
        let slot = self.u16(self.header.regions.at as usize + region(identity) * 2);
        let word = usize::from(slot) * SLOT_BLOCKS + (identity >> 12 & 7) as usize;
        self.descriptor.root as usize + word * 2
    }

    /// Where the word of the block stands.
    fn block_word(&self, identity: u32) -> usize {
        let block = usize::from(self.u16(self.root_word(identity)));
        self.descriptor.blocks as usize + block * BLOCK_LEN + (identity >> 6 & 63) as usize * 2
    }

    /// Where the word of the local directory stands.
    fn directory_word(&self, identity: u32) -> usize {
        let x = identity - self.header.local_first;
        assert!(x < self.header.local_count);
        self.descriptor.directory as usize + (x >> 6) as usize * 2
    }

    /// Where the class stands behind a word.
    fn class(&self, word: usize, identity: u32) -> usize {
        let page = usize::from(self.u16(word));
        self.descriptor.pages as usize + page * PAGE_UNIT + (identity & 63) as usize
    }

    fn port_directory_word(&self, slot: usize, port: u16) -> usize {
        let directory = usize::from(self.u16(self.descriptor.ports as usize + slot * 2));
        let at = self.descriptor.port_directories as usize + directory * PORT_DIRECTORY_UNIT;
        at + usize::from(self.descriptor.last_port_word.min(port >> 9)) * 2
    }

    fn port_class(&self, slot: usize, port: u16) -> usize {
        let page = usize::from(self.u16(self.port_directory_word(slot, port)));
        self.descriptor.port_pages as usize + page * PORT_PAGE_UNIT + usize::from(port & 511)
    }

    /// The bytes with a hash that fits them.
    fn bytes(mut self) -> Vec<u8> {
        let hash = table::hash(&self.bytes);
        self.bytes[0x20..0x28].copy_from_slice(&hash.to_le_bytes());
        self.bytes
    }
}

/// What is found after planting.
fn found(prepared: &Prepared<'_>, image: &[u8], plant: impl FnOnce(&mut Planted)) -> Fault {
    let mut planted = Planted::new(image);
    let before = planted.bytes.clone();
    plant(&mut planted);
    assert!(planted.bytes != before, "nothing was planted");
    prepared
        .verify(&planted.bytes())
        .expect_err("nothing was found")
}

fn with_image(test: impl FnOnce(&Prepared<'_>, &[u8])) {
    let scenario = scenario();
    let prepared = scenario.prepare();
    let image = prepared.compile().unwrap();
    prepared.verify(&image).unwrap();
    test(&prepared, &image);
}

/// The flow of a counterexample.
fn flow(fault: &Fault) -> (u32, u8, u16) {
    match fault {
        Fault::Verdict(c) => {
            assert_eq!((c.subject, c.direction), (0, Direction::Ingress));
            assert_ne!(c.expected, c.found);
            (c.identity, c.protocol, c.port)
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_sound_image_is_proven() {
    with_image(|prepared, image| {
        let proven = prepared.verify(image).unwrap();
        assert_eq!(proven.subjects, 2);
        assert_eq!(proven.policies, 4);
        assert!(
            proven.peer_groups > 20 && proven.port_groups > 10,
            "{proven:?}"
        );
        assert!(proven.answers > 200 && proven.origins > 40, "{proven:?}");
    });
}

#[test]
fn a_wrong_class_of_an_identity_is_found_wherever_it_stands() {
    with_image(|prepared, image| {
        // Listed and unlisted, local, of the mesh, a prefix, a remote node and
        // of no scope; behind a directory, a slot of its own and a shared one.
        for (identity, class) in [
            (0x1_0101, 1),
            (0x1_0102, 0),
            (0x1_0190, 2),
            (0x2_0400, 1),
            (0x2_0401, 1),
            (0x3_ffff, 1),
            (0x0100_0001, 1),
            (0x0100_0002, 4),
            (0x01ab_cdef, 4),
            (0x02ff_ffff, 0),
            (0x4501_0203, 1),
            (u32::MAX, 1),
            (5, 1),
            (99, 3),
            (0x1_f000, 2),
        ] {
            let fault = found(prepared, image, |p| {
                let x = identity.wrapping_sub(p.header.local_first);
                let word = if x < p.header.local_count {
                    p.directory_word(identity)
                } else {
                    p.block_word(identity)
                };
                let at = p.class(word, identity);
                p.bytes[at] = class;
            });
            match &fault {
                // Shared pages go wrong for the first identity that has them.
                Fault::Verdict(c) => assert_eq!(c.identity & 63, identity & 63, "{fault}"),
                Fault::Origin { .. } => {}
                other => panic!("{identity:#x}: {other}"),
            }
        }
    });
}

#[test]
fn wrong_words_on_the_way_to_a_class_are_found() {
    with_image(|prepared, image| {
        let b = 0x1_0101;
        let fault = found(prepared, image, |p| {
            let (to, from) = (p.directory_word(b), p.directory_word(0x1_0000));
            let word = p.u16(from);
            p.set_u16(to, word);
        });
        assert_eq!(flow(&fault), (b, 6, 8080), "{fault}");
        // A page of a block that nobody is listed in.
        let fault = found(prepared, image, |p| {
            let (to, from) = (p.block_word(0x0177_0040), p.block_word(0x0200_0000));
            let word = p.u16(from);
            p.set_u16(to, word);
        });
        assert_eq!(flow(&fault).0 >> 24, 1, "{fault}");
        // A block of a root.
        let fault = found(prepared, image, |p| {
            let (to, from) = (p.root_word(0x0100_0000), p.root_word(0x0200_0000));
            let word = p.u16(from);
            p.set_u16(to, word);
        });
        assert_eq!(flow(&fault).0, 0x0100_0000, "{fault}");
        // A region whose identities nobody knows, and one of no scope.
        for (at, slot, identity) in [(0x0155_8000, 2, 0x0155_8000), (0x2a05_0000, 3, 0x0305_0000)] {
            let fault = found(prepared, image, |p| {
                let at = p.header.regions.at as usize + region(at) * 2;
                p.set_u16(at, slot);
            });
            assert_eq!(flow(&fault).0, identity, "{fault}");
        }
    });
}

#[test]
fn wrong_classes_of_ports_are_found() {
    with_image(|prepared, image| {
        // TCP, UDP, ICMP, and one that no rule is about.
        for (slot, protocol, port) in [(0, 6, 8080), (1, 17, 83), (3, 1, 8), (2, 132, 65535)] {
            let fault = found(prepared, image, |p| {
                let at = p.port_class(slot, port);
                let other = p.port_class(0, 82);
                assert_ne!(p.bytes[at], p.bytes[other]);
                p.bytes[at] = p.bytes[other];
            });
            if let Fault::Image(_) = fault {
                // The page is shared with a policy that has fewer classes.
                assert_eq!(slot, 2);
                continue;
            }
            let (_, p, at) = flow(&fault);
            assert_eq!(at & 255, port & 255, "{fault}");
            assert!(p <= protocol.max(6), "{fault}");
        }
        let fault = found(prepared, image, |p| {
            let (to, from) = (
                p.port_directory_word(0, 1500),
                p.port_directory_word(0, 9999),
            );
            let word = p.u16(from);
            p.set_u16(to, word);
        });
        assert_eq!(flow(&fault).1, 6);
        assert_eq!(flow(&fault).2 >> 9, 1500 >> 9, "{fault}");
        // A protocol without ports, and the protocol of a slot.
        let fault = found(prepared, image, |p| {
            let class = u16::from(p.bytes[p.port_class(0, 82)]);
            p.set_u16(p.descriptor.ports as usize + 7 * 2, class);
        });
        assert_eq!(flow(&fault).1, 47, "{fault}");
        let fault = found(prepared, image, |p| {
            let at = p.header.protocols as usize;
            p.bytes[at + 200] = 0;
        });
        assert_eq!(flow(&fault).1, 200, "{fault}");
    });
}

#[test]
fn wrong_cells_and_entries_are_found() {
    with_image(|prepared, image| {
        let cells = Planted::new(image).descriptor;
        let count = cells.stride * cells.port_classes;
        for i in 0..count as usize {
            // The load finds what changes a bitset, the proof the rest.
            found(prepared, image, |p| {
                let at = p.descriptor.cells as usize + i;
                p.bytes[at] = (p.bytes[at] + 1) % p.descriptor.entry_count as u8;
            });
        }
        for entry in 1..cells.entry_count as usize {
            for (byte, bits) in [(0, 0x10), (3, 0x02), (6, 0x01), (7, 0x10), (8, 0x01)] {
                found(prepared, image, |p| {
                    let at = p.descriptor.entries as usize + entry * ENTRY_LEN + byte;
                    p.bytes[at] ^= bits;
                });
            }
        }
        let fault = found(prepared, image, |p| {
            let at = p.descriptor.entries as usize + ENTRY_LEN;
            p.bytes[at + 8] = 7;
        });
        assert!(fault.to_string().contains("cookie 7"), "{fault}");
    });
}

#[test]
fn wrong_subjects_and_indices_are_found() {
    with_image(|prepared, image| {
        let fault = found(prepared, image, |p| {
            let at = p.header.subjects.at as usize;
            let (first, second) = p.bytes[at..at + 16].split_at_mut(8);
            first.swap_with_slice(second);
        });
        assert_eq!(flow(&fault).1, 0, "{fault}");
        let fault = found(prepared, image, |p| {
            let at = p.header.subjects.at as usize;
            p.bytes[at + 8..at + 16].fill(0);
        });
        assert_eq!(fault, Fault::NoSubject { subject: 1 });
        for (index, section) in [
            ("endpoint", Planted::new(image).header.endpoints),
            ("identity", Planted::new(image).header.identity_index),
        ] {
            // One that finds another subject, and a stranger in its place.
            for stranger in [None, Some(77)] {
                let fault = found(prepared, image, |p| {
                    let mut at = section.at as usize;
                    while p.bytes[at] == 0 {
                        at += 8;
                    }
                    match stranger {
                        Some(key) => p.set_u32(at + 4, key),
                        None => {
                            let other = 3 - u32::from(p.bytes[at]);
                            p.set_u32(at, other);
                        }
                    }
                });
                assert!(
                    matches!(fault, Fault::Index { index: i, .. } if i == index),
                    "{fault}"
                );
            }
        }
        let fault = found(prepared, image, |p| {
            let at = p.header.identities.at as usize;
            p.set_u32(at, 0);
        });
        assert!(
            matches!(
                fault,
                Fault::Header {
                    what: "identity",
                    ..
                }
            ),
            "{fault}"
        );
        for (flag, what) in [(1, "ICMP types count"), (2, "fragmentation needed passes")] {
            let fault = found(prepared, image, |p| p.bytes[0x0c] ^= flag);
            assert!(
                matches!(fault, Fault::Header { what: w, .. } if w == what),
                "{fault}"
            );
        }
        for flag in [layout::DEFAULT_DENY, layout::EGRESS, layout::ENFORCED] {
            let fault = found(prepared, image, |p| {
                let at = p.descriptor_at + 0x2c;
                p.bytes[at] ^= flag as u8;
            });
            assert!(matches!(fault, Fault::Misread { .. }), "{fault}");
        }
    });
}

#[test]
fn wrong_origins_are_found() {
    with_image(|prepared, image| {
        let view = View::new(image).unwrap();
        let block = origins::block(&view, 0, Direction::Ingress) as usize;
        let word = |p: &Planted, at: usize| {
            u32::from_le_bytes(*p.bytes[at..].first_chunk().unwrap()) as usize
        };
        let classes = word(&Planted::new(image), block);
        let mut sets = 0;
        for class in 0..classes {
            let entry = block + 4 + class * 4;
            let set = word(&Planted::new(image), entry);
            if set == 0 {
                continue;
            }
            sets += 1;
            // No set; another port, value or rule in it.
            let fault = found(prepared, image, |p| p.set_u32(entry, 0));
            assert!(matches!(fault, Fault::Origin { .. }), "{fault}");
            for byte in [2, 4, 7, 8] {
                let fault = found(prepared, image, |p| p.bytes[set + 4 + byte] ^= 1);
                assert!(matches!(fault, Fault::Origin { .. }), "{fault}");
            }
            let fault = found(prepared, image, |p| {
                let rules = word(p, set + 4 + 16);
                let other = (word(p, rules + 4) + 1) % p.header.rules.count as usize;
                p.set_u32(rules + 4, u32::try_from(other).unwrap());
            });
            assert!(matches!(fault, Fault::Origin { .. }), "{fault}");
        }
        assert!(sets > 5, "only {sets} sets");
        // The line of a rule.
        let fault = found(prepared, image, |p| {
            let at = p.header.rules.at as usize + 24;
            p.bytes[at] ^= 1;
        });
        assert!(matches!(fault, Fault::Origin { .. }), "{fault}");
    });
}

#[test]
fn every_subject_must_have_been_shown() {
    with_image(|prepared, image| {
        let verifier = Verifier::new(image, prepared.config()).unwrap();
        let who: Vec<Who> = prepared
            .maps()
            .map(|(identity, ..)| Who {
                identity,
                endpoints: vec![identity.0],
            })
            .collect();
        let identities = || prepared.identities().iter().map(|(id, _)| id);
        let fault = verifier.finish(&who, identities()).unwrap_err();
        assert_eq!(fault, Fault::Unproven { subject: 0 });
        let verifier = Verifier::new(image, prepared.config()).unwrap();
        let fault = verifier.finish(&who[1..], identities()).unwrap_err();
        assert!(
            matches!(
                fault,
                Fault::Header {
                    what: "subjects",
                    ..
                }
            ),
            "{fault}"
        );
    });
}

/// A policy whose only peers are these, and the proof of its table.
fn prove(config: &serde_json::Value, identities: &[(u32, &str)]) -> Result<Coverage, String> {
    let identity = |(id, app): &(u32, &str)| {
        serde_json::json!({
            "id": id,
            "labels": {
                "k8s:app": app,
                "k8s:io.cilium.k8s.policy.cluster": "default",
                "k8s:io.kubernetes.pod.namespace": "shop",
            },
        })
    };
    let identities: Vec<_> = identities.iter().map(identity).collect();
    let text = serde_json::json!({
        "name": "few",
        "policies": [POLICY],
        "config": config,
        "identities": identities,
        "endpoints": [{"id": identities[0]["id"]}],
        "queries": [],
    });
    let scenario = Scenario::parse(&text.to_string()).unwrap();
    let prepared = scenario.prepare();
    let image = prepared.compile().map_err(|(_, e)| e.to_string())?;
    prepared.verify(&image).map_err(|e| e.to_string())
}

#[test]
fn reserved_identities_have_no_aggregate_though_nobody_else_is_there() {
    for cluster in [0, 1, 255] {
        let config = serde_json::json!({"clusterID": cluster});
        // All peers are elsewhere, or there are none at all.
        prove(&config, &[(0x0100_0007, "a"), (0x9_0101, "b")]).unwrap();
        prove(&config, &[(60, "a")]).unwrap();
    }
}

#[test]
fn identities_that_no_table_can_list_are_refused() {
    let config = serde_json::json!({});
    let error = prove(&config, &[(300, "a"), (0x0300_0101, "b")]).unwrap_err();
    assert!(error.contains("50331905"), "{error}");
}
