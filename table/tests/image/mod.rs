//! Images written by hand, part by part, and questions about them.
//!
//! In: a shape. Out: the bytes of an image that `View::new` accepts, and where
//! its parts stand, so that tests can damage one at a time.

use netverdict_table::layout::*;
use netverdict_table::{Answer, Direction, MatchType, Plane, Question, View, hash};

/// An image being written.
#[derive(Clone, Default)]
pub(crate) struct Builder {
    pub(crate) bytes: Vec<u8>,
    pub(crate) header: Header,
    /// Parts by name, with their offset and length.
    pub(crate) parts: Vec<(&'static str, usize, usize)>,
}

pub(crate) fn words(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

pub(crate) fn longs(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Classes in a width.
pub(crate) fn classes(values: impl IntoIterator<Item = u16>, wide: bool) -> Vec<u8> {
    let each = values.into_iter().map(u16::to_le_bytes);
    if wide {
        each.flatten().collect()
    } else {
        each.map(|[low, _]| low).collect()
    }
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; HEADER_LEN],
            ..Self::default()
        }
    }

    /// Puts a part at the next multiple of 64.
    pub(crate) fn put(&mut self, name: &'static str, part: &[u8]) -> u32 {
        let at = self.bytes.len().next_multiple_of(ALIGN);
        self.bytes.resize(at, 0);
        self.bytes.extend_from_slice(part);
        self.parts.push((name, at, part.len()));
        u32::try_from(at).unwrap()
    }

    /// The image, with its header and hash.
    pub(crate) fn finish(&self) -> Vec<u8> {
        let mut image = self.bytes.clone();
        let header = Header {
            length: u32::try_from(image.len()).unwrap(),
            ..self.header
        };
        image[..HEADER_LEN].copy_from_slice(&header.to_bytes());
        rehash(&mut image);
        image
    }
}

/// Makes the content hash fit again, for as much as the header says there is.
pub(crate) fn rehash(image: &mut [u8]) {
    if let Some(header) = image.first_chunk::<HEADER_LEN>() {
        let length = Header::read(header).length as usize;
        let fresh = hash(&image[..length.min(image.len())]).to_le_bytes();
        image[HASH_AT..HASH_AT + 8].copy_from_slice(&fresh);
    }
}

/// The entries of the images made here: nothing, allow, deny, redirect,
/// authentication.
pub(crate) fn entries() -> Vec<Answer> {
    vec![
        Answer::DROP,
        Answer::new(0, MatchType::L4Only, false, 0, 0, None, 7),
        Answer::new(-181, MatchType::L3Only, true, 0, 0, None, 0),
        Answer::new(0, MatchType::L3L4, false, 10_001, 0, None, 0),
        Answer::new(-189, MatchType::L3Proto, false, 0, 2, Some(24), 0),
    ]
}

/// Bitsets of cells, whose entries are those of [`entries`].
pub(crate) fn bitsets(rows: &[Vec<u16>]) -> Vec<u8> {
    let planes: Vec<_> = entries().iter().map(Plane::of).collect();
    let mut out = Vec::new();
    for row in rows {
        let bytes = row.len().div_ceil(8);
        let mut bits = vec![0u8; bytes * Plane::ALL.len()];
        for (class, cell) in row.iter().enumerate() {
            if let Some(plane) = planes[usize::from(*cell)] {
                bits[plane as usize * bytes + class / 8] |= 1 << (class % 8);
            }
        }
        out.extend(bits);
    }
    out
}

/// A direction of a policy with everything below it, in one width or the
/// other: seven peer classes and three port classes.
pub(crate) fn direction(b: &mut Builder, wide: bool) -> Descriptor {
    let page = |listed: &[(usize, u16)], unlisted: u16| {
        let mut page = vec![unlisted; PAGE_IDENTITIES as usize];
        for (place, class) in listed {
            page[*place] = *class;
        }
        classes(page, wide)
    };
    let units: u16 = if wide { 2 } else { 1 };
    let pages: Vec<u8> = [
        page(&[], 1),
        page(&[(3, 5), (9, 6), (63, 5)], 1),
        page(&[], 2),
        page(&[], 3),
        page(&[], 4),
        page(&[(0, 0), (12, 2), (13, 3)], 0),
    ]
    .concat();
    let block = |page: u16| words(&[page * units; BLOCK_PAGES]);
    let blocks: Vec<u8> = [block(2), block(3), block(4), block(0)].concat();
    // Mesh, local prefixes, remote nodes, local cluster, and a slot of its own.
    let slots = [0u16, 1, 2, 3, 3].map(|b| [b; SLOT_BLOCKS]).concat();
    let local = [5 * units, 0, 0, 0, units];
    let port_page = |classes_: [u16; 2]| {
        let each = (0..PORT_PAGE_PORTS).map(move |i| classes_[usize::from(i == 80)]);
        classes(each, wide)
    };
    let port_pages: Vec<u8> = [port_page([0, 0]), port_page([0, 1])].concat();
    let second = (PORT_PAGE_PORTS / PORT_PAGE_UNIT) as u16;
    // The first directory has no ports, the second has port 80.
    let directories = words(&[0, 0, 0, 0, second, 0, 0, 0]);
    // Of TCP and UDP; protocols without ports from the fourth on are of the
    // last class.
    let ports: Vec<u16> = (0..SLOTS)
        .map(|slot| match slot {
            0 | 1 => 1,
            8.. => 2,
            _ => 0,
        })
        .collect();
    let rows: Vec<Vec<u16>> = vec![
        vec![0, 0, 0, 1, 0, 2, 4],
        vec![1, 1, 0, 3, 0, 2, 1],
        vec![0, 1, 0, 4, 0, 3, 0],
    ];
    let flat = rows.iter().flatten().copied();
    let entries: Vec<u8> = entries().iter().flat_map(|e| e.to_bytes()).collect();
    let flags = if wide {
        WIDE_PEERS | WIDE_PORTS | WIDE_CELLS
    } else {
        DEFAULT_DENY | ENFORCED
    };
    Descriptor {
        directory: b.put("directory", &words(&local)),
        root: b.put("root", &words(&slots)),
        pages: b.put("pages", &pages),
        blocks: b.put("blocks", &blocks),
        ports: b.put("ports", &words(&ports)),
        port_directories: b.put("port directories", &directories),
        port_pages: b.put("port pages", &port_pages),
        cells: b.put("cells", &classes(flat, wide)),
        entries: b.put("entries", &entries),
        bitsets: b.put("bitsets", &bitsets(&rows)),
        stride: 7,
        flags,
        peer_classes: 7,
        port_classes: 3,
        entry_count: 5,
        last_port_word: 1,
    }
}

/// A sound image of three subjects: narrow, wide, and none.
pub(crate) fn sound() -> Builder {
    let mut b = Builder::new();
    let narrow = direction(&mut b, false);
    let wide = direction(&mut b, true);
    let narrow = b.put("descriptor", &narrow.to_bytes());
    let wide = b.put("descriptor", &wide.to_bytes());
    let section = |at: u32, count: u32| Section { at, count };
    let subjects = b.put("subjects", &longs(&[narrow, wide, wide, narrow, 0, 0]));
    let protocols: Vec<u8> = (0..=255).map(protocol_slot).collect();
    let mut regions: Vec<u16> = vec![0; REGIONS];
    regions[512..1024].fill(1);
    regions[1024..1536].fill(2);
    regions[1] = 4;
    let texts = "CiliumNetworkPolicy/shop/dbegress[0]é.yaml";
    let index = |keys: &[(u32, u32)], slots: u32| {
        let mut index = vec![0u64; slots as usize];
        for (key, subject) in keys {
            let mut i = index_start(*key, slots) as usize;
            while index[i] != 0 {
                i = (i + 1) % index.len();
            }
            index[i] = u64::from(*key) << 32 | u64::from(subject + 1);
        }
        index
            .into_iter()
            .flat_map(u64::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    let rules = longs(&[0, 27, 27, 9, 36, 7, 12, 3, 0, 27, 0, 0, 0, 0, 0, 0]);
    let list = b.put("rule list", &longs(&[2, 0, 1]));
    let record = |protocol: u8, prefix: u8, port: u16| {
        let mut record = vec![protocol, prefix];
        record.extend(port.to_le_bytes());
        record.extend([0, 0, prefix << 3, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
        record.extend(list.to_le_bytes());
        record
    };
    let set = [longs(&[2]), record(6, 24, 80), record(0, 0, 0)].concat();
    let set = b.put("origin set", &set);
    let block = b.put("origin block", &longs(&[7, 0, set, 0, set, 0, set, set]));
    b.header = Header {
        version: VERSION,
        oldest_reader: VERSION,
        flags: ICMP_TYPES | FRAGMENTATION_NEEDED | FROZEN,
        semantics: SEMANTICS,
        cluster_bits: 8,
        revision: 3,
        subjects: section(subjects, 3),
        endpoints: section(b.put("endpoints", &index(&[(40, 0), (41, 1)], 4)), 4),
        identity_index: section(b.put("identity index", &index(&[(259, 0), (265, 1)], 4)), 4),
        regions: section(b.put("regions", &words(&regions)), 5),
        local_count: 320,
        protocols: b.put("protocols", &protocols),
        identities: section(b.put("identities", &longs(&[1, 2, 259, 265, 1 << 24])), 5),
        origins: b.put("origins", &longs(&[block, block, block, 0, 0, 0])),
        rules: section(b.put("rules", &rules), 2),
        texts: section(b.put("texts", texts.as_bytes()), 43),
        ..Header::default()
    };
    b
}

/// What hostile images are asked.
pub(crate) fn questions() -> Vec<Question> {
    let identities = [
        0,
        3,
        12,
        259,
        265,
        319,
        320,
        0x8000,
        0x1_0000,
        1 << 24,
        2 << 24,
        3 << 24,
        u32::MAX,
    ];
    let packets = [
        (6, 80),
        (6, 443),
        (17, 80),
        (132, 65_535),
        (1, 3),
        (58, 128),
        (47, 0),
        (0, 9),
    ];
    let mut questions = Vec::new();
    for subject in 0..4 {
        for direction in Direction::BOTH {
            for identity in identities {
                for (protocol, port) in packets {
                    let q = Question::new(subject, direction, identity, protocol, port);
                    questions.push(q);
                }
            }
            let q = Question::new(subject, direction, 259, 17, 80);
            questions.push(Question {
                untracked_fragment: true,
                ..q
            });
            let q = Question::new(subject, direction, 259, 1, 3);
            questions.push(Question { icmp_code: 4, ..q });
        }
    }
    questions
}

/// Uses everything a view can do, but no more than a bounded part of what is
/// as long as the image says; returns something that depends on all of it.
pub(crate) fn exercise(view: &View<'_>, questions: &[Question]) -> u64 {
    let mut sum = u64::from(view.header().length);
    for q in questions {
        sum += view.verdict(q).map_or(0, |a| u64::from(a.to_bytes()[4]));
    }
    for q in questions.iter().step_by(7) {
        let Some(origin) = view.origin(q) else {
            continue;
        };
        for record in [origin.winner, origin.donor].into_iter().flatten() {
            let rules = record.rules().take(100);
            sum += rules.map(|r| r.object.len() as u64).sum::<u64>();
            sum += u64::from(record.precedence());
        }
    }
    for direction in Direction::BOTH {
        for subject in 0..4 {
            sum += view.origins(subject, direction).take(100).count() as u64;
            let Some(policy) = view.policy(subject, direction) else {
                continue;
            };
            let set = policy.peers(6, 80, &Plane::PASSING);
            sum += u64::from(set.count()) + set.identities(view).take(100).count() as u64;
            for plane in Plane::ALL {
                let set = policy.plane(17, 53, plane);
                sum += u64::from(set.count()) + u64::from(set.contains(u32::MAX));
            }
            let (peers, ports) = policy.classes();
            sum += u64::from(policy.cell(ports - 1, peers - 1).is_some());
            assert!(policy.cell(ports, 0).is_none() && policy.cell(0, peers).is_none());
        }
    }
    for key in [0, 40, 41, 259, 265, u32::MAX] {
        sum += u64::from(view.subject_of_endpoint(key).unwrap_or(0));
        sum += u64::from(view.subject_of_identity(key).unwrap_or(0));
        sum += u64::from(view.rule(key).is_some());
    }
    sum + view.identities().take(1000).map(u64::from).sum::<u64>() + view.image().len() as u64
}
