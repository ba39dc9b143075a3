// The smallest images worth reading: one subject, one region of identities,
// every port alike. Written by hand, so that no compiler is needed.

use netverdict_table::layout::{
    ALIGN, BLOCK_LEN, BLOCK_PAGES, DESCRIPTOR_LEN, Descriptor, EGRESS, HEADER_LEN, Header,
    PORT_PAGE_PORTS, REGIONS, SLOT_BLOCKS, SLOTS, Section, VERSION, protocol_slot,
};
use netverdict_table::{Answer, MatchType};

/// Where the parts that tests write to stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    /// The subject's word.
    pub(crate) subject: u32,
    /// The word of the local directory.
    pub(crate) directory: u32,
    /// Pages; number `n` is at `pages + 64 * n`.
    pub(crate) pages: u32,
    /// Descriptors of ingress: the one in force, and one that drops all.
    pub(crate) allow: u32,
    pub(crate) drop: u32,
}

/// An answer that allows, with a proxy port to be told by.
pub(crate) fn allowed(proxy_port: u16) -> Answer {
    Answer::new(0, MatchType::L3Only, false, proxy_port, 0, None, 0)
}

/// An image with `classes` peer classes: class `c` from 5 on is redirected to
/// port `c`, others are dropped. Identities 0 to 63 are unlisted; there is room
/// for `pages` pages, number `n` of which is filled with class `n`.
pub(crate) fn image(classes: u8, pages: u8) -> (Vec<u8>, Places) {
    let mut out = vec![0; HEADER_LEN];
    let mut put = |bytes: &[u8]| {
        out.resize(out.len().next_multiple_of(ALIGN), 0);
        let at = out.len() as u32;
        out.extend_from_slice(bytes);
        at
    };
    let words = |w: &[u16]| w.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
    let subject = put(&[0; 8]);
    let regions = put(&words(&[0; REGIONS]));
    let protocols = put(&(0..=255).map(protocol_slot).collect::<Vec<u8>>());
    let directory = put(&words(&[0]));
    let root = put(&words(&[0; 4 * SLOT_BLOCKS]));
    let blocks = put(&words(&[0; BLOCK_PAGES]));
    assert_eq!(BLOCK_LEN, BLOCK_PAGES * 2);
    let filled = (0..pages).flat_map(|page| [page; 64]).collect::<Vec<u8>>();
    let page_base = put(&filled);
    let ports = put(&words(&[0; SLOTS]));
    // No port is told apart.
    let port_directory = put(&words(&[0]));
    let port_page = put(&[0; PORT_PAGE_PORTS]);
    let cells = put(&(0..classes)
        .map(|c| c.saturating_sub(4))
        .collect::<Vec<u8>>());
    let drops = put(&vec![0; usize::from(classes)]);
    let mut entries = Answer::DROP.to_bytes().to_vec();
    for class in 5..classes {
        entries.extend(allowed(u16::from(class)).to_bytes());
    }
    let entries = put(&entries);
    let listed = (1u64 << classes) - (1 << 5);
    let bits = |redirected: u64| {
        [0, 0, redirected, 0]
            .into_iter()
            .flat_map(|plane: u64| {
                let bytes = plane.to_le_bytes().into_iter();
                bytes.take(usize::from(classes).div_ceil(8))
            })
            .collect::<Vec<u8>>()
    };
    let bitsets = put(&bits(listed));
    let no_bits = put(&bits(0));
    let descriptor = Descriptor {
        directory,
        root,
        pages: page_base,
        blocks,
        ports,
        port_directories: port_directory,
        port_pages: port_page,
        cells,
        entries,
        bitsets,
        stride: u32::from(classes),
        flags: 0,
        peer_classes: u32::from(classes),
        port_classes: 1,
        entry_count: u32::from(classes) - 4,
        last_port_word: 0,
    };
    let allow = put(&descriptor.to_bytes());
    let drop = put(&Descriptor {
        cells: drops,
        bitsets: no_bits,
        ..descriptor
    }
    .to_bytes());
    let egress = put(&Descriptor {
        cells: drops,
        bitsets: no_bits,
        flags: EGRESS,
        ..descriptor
    }
    .to_bytes());
    assert_eq!(DESCRIPTOR_LEN, ALIGN);
    let header = Header {
        version: VERSION,
        oldest_reader: VERSION,
        length: out.len() as u32,
        cluster_bits: 8,
        subjects: Section {
            at: subject,
            count: 1,
        },
        regions: Section {
            at: regions,
            count: 4,
        },
        local_count: 64,
        protocols,
        ..Header::default()
    };
    out[..HEADER_LEN].copy_from_slice(&header.to_bytes());
    let word = u64::from(allow) | u64::from(egress) << 32;
    out[subject as usize..][..8].copy_from_slice(&word.to_le_bytes());
    let places = Places {
        subject,
        directory,
        pages: page_base,
        allow,
        drop,
    };
    (out, places)
}
