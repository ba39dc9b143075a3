//! Images with anything wrong in them: each either loads, and then answers
//! everything within its bounds, or is refused with a typed error. Nothing
//! panics and nothing takes long.
//!
//! Loads beyond the image are seen by the reader's own assertions, and by
//! AddressSanitizer, with which `cargo xtask ci` runs these tests as well.

mod image;

use image::{Builder, classes, direction, exercise, longs, questions, rehash, sound, words};
use netverdict_table::layout::*;
use netverdict_table::{Direction, Info, Question, TableError, View};
use std::time::{Duration, Instant};

/// Loads an image and uses it; the allocation ends where the image does.
fn attempt(image: &[u8], asked: &[Question]) -> Result<u64, TableError> {
    let exact: Box<[u8]> = image.into();
    let view = View::new(&exact)?;
    Ok(exercise(&view, asked))
}

#[derive(Default)]
struct Tally {
    loaded: u32,
    refused: u32,
}

impl Tally {
    fn count(&mut self, result: Result<u64, TableError>) {
        match result {
            Ok(_) => self.loaded += 1,
            Err(error) => {
                assert_ne!(error, TableError::Hash, "hashes are made to fit");
                assert!(!error.to_string().is_empty());
                self.refused += 1;
            }
        }
    }
}

/// What is asked where there are very many images.
fn few() -> Vec<Question> {
    questions().into_iter().step_by(5).collect()
}

/// The bytes worth damaging: all but what is inside of long rows of the same.
fn places(sound: &Builder) -> impl Iterator<Item = usize> {
    let parts: Vec<_> = sound.parts.iter().map(|p| (p.1, p.1 + p.2)).collect();
    (0..sound.bytes.len()).filter(move |at| {
        let part = parts.iter().rfind(|(from, _)| from <= at);
        part.is_none_or(|(from, end)| {
            let inside = at - from >= 64 && at + 16 < *end;
            end - from <= 256 || !inside || at % 61 == 0
        })
    })
}

#[test]
fn the_image_is_sound() {
    let image = sound().finish();
    let view = View::new(&image).unwrap();
    let ask = |identity, protocol, port| {
        let q = Question::new(0, Direction::Ingress, identity, protocol, port);
        view.verdict(&q).unwrap()
    };
    assert!(ask(259, 6, 80).is_deny());
    assert_eq!(ask(1 << 24, 6, 80).proxy_port(), 10_001);
    assert!(ask(3, 6, 80).is_allowed());
    assert!(!ask(3, 6, 443).is_allowed());
    assert_eq!(view.subject_of_endpoint(41), Some(1));
    assert_eq!(view.subject_of_identity(265), Some(1));
    for q in questions() {
        // Both widths say the same.
        let other = Question {
            subject: q.subject ^ 1,
            ..q
        };
        if q.subject < 2 {
            assert_eq!(view.verdict(&q), view.verdict(&other), "{q:?}");
        }
    }
    let origin = view.origin(&Question::new(0, Direction::Ingress, 259, 6, 80));
    let winner = origin.unwrap().winner.unwrap();
    let rules: Vec<_> = winner.rules().collect();
    assert_eq!(rules.len(), 2);
    assert_eq!(rules[0].object, "CiliumNetworkPolicy/shop/db");
    assert_eq!(rules[0].file, "é.yaml");
}

#[test]
fn images_of_other_formats_are_refused() {
    let mut b = sound();
    for (version, oldest_reader) in [(0, 0), (1, 1), (1, 2), (VERSION + 1, VERSION + 1)] {
        b.header.version = version;
        b.header.oldest_reader = oldest_reader;
        let error = View::new(&b.finish()).unwrap_err();
        assert_eq!(error, TableError::Version { oldest_reader });
        assert_eq!(Info::read(&b.finish()).unwrap_err(), error);
    }
    // Later ones that this reader can read.
    b.header.version = VERSION + 1;
    b.header.oldest_reader = VERSION;
    assert!(View::new(&b.finish()).is_ok());
}

/// Which word is the last of port directories, and from which port on it is
/// taken: said twice, and the same.
#[test]
fn the_end_of_ports_is_that_of_the_last_word() {
    let mut b = sound();
    let d = direction(&mut b, false);
    let ranges = |last_port_word: u16| {
        let mut b = b.clone();
        redirect(
            &mut b,
            &[Descriptor {
                last_port_word,
                ..d
            }],
        );
        let image = b.finish();
        let view = View::new(&image)?;
        let policy = view.policy(0, Direction::Ingress).unwrap();
        let ranges = policy.port_ranges(6);
        for port in 0..=u16::MAX {
            let i = ranges.partition_point(|r| r.first <= port) - 1;
            assert_eq!(ranges[i].class, policy.port_class(6, port), "{port}");
        }
        Ok::<_, TableError>(ranges.len())
    };
    // Port 80, and what is before and behind it.
    assert_eq!(ranges(1), Ok(3));
    // The page of port 80 for all: port 80 of each 512 ports.
    assert_eq!(ranges(0), Ok(257));
    for last_port_word in [128, 129, u16::MAX] {
        assert!(
            matches!(
                ranges(last_port_word),
                Err(TableError::Value {
                    name: "last word of port directories",
                    ..
                })
            ),
            "{last_port_word}"
        );
    }
    redirect(&mut b, &[d]);
    let at = b
        .parts
        .iter()
        .rfind(|(name, ..)| *name == "descriptor")
        .unwrap()
        .1;
    for end in [0u16, 80, 511, 513, 1024, u16::MAX] {
        b.bytes[at + 0x3c..at + 0x3e].copy_from_slice(&end.to_le_bytes());
        let error = View::new(&b.finish()).unwrap_err();
        assert!(
            matches!(
                error,
                TableError::Value {
                    name: "end of ports",
                    ..
                }
            ),
            "{error:?}"
        );
    }
}

#[test]
fn no_address_is_special() {
    let image = sound().finish();
    let asked = questions();
    let expected = exercise(&View::new(&image).unwrap(), &asked);
    for offset in 0..64 {
        let mut shifted = vec![0xff; offset];
        shifted.extend(&image);
        // What follows the image is not looked at.
        shifted.extend([0xff; 5]);
        let view = View::new(&shifted[offset..]).unwrap();
        assert_eq!(exercise(&view, &asked), expected, "{offset}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes too long")]
fn truncation_at_every_length() {
    let image = sound().finish();
    for length in 0..image.len() {
        let cut = &image[..length];
        let error = View::new(cut).unwrap_err();
        assert!(matches!(error, TableError::TooShort { .. }), "{error:?}");
    }
    // And where the header says that it ends there.
    let asked = few();
    let mut tally = Tally::default();
    let lengths = (0..image.len()).filter(|l| *l < 512 || l % 8 == 0 || image.len() - l < 128);
    for length in lengths {
        let mut cut = image[..length].to_vec();
        if length >= HEADER_LEN {
            let says = u32::try_from(length).unwrap().to_le_bytes();
            cut[0x10..0x14].copy_from_slice(&says);
            rehash(&mut cut);
        }
        tally.count(attempt(&cut, &asked));
    }
    assert!(
        tally.refused as usize > image.len() / 10,
        "{}",
        tally.refused
    );
}

#[test]
#[cfg_attr(miri, ignore = "takes too long")]
fn every_bit_flipped() {
    let sound = sound();
    let image = sound.finish();
    let asked = few();
    let mut tally = Tally::default();
    let bits = places(&sound).flat_map(|at| at * 8..at * 8 + 8);
    for bit in bits {
        let mut damaged = image.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        // Without a new hash the damage is found.
        if bit % 101 == 0 && bit >= 1024 {
            assert_eq!(attempt(&damaged, &asked), Err(TableError::Hash), "{bit}");
        }
        rehash(&mut damaged);
        tally.count(attempt(&damaged, &asked));
    }
    assert!(
        tally.loaded > 1000 && tally.refused > 10_000,
        "{} {}",
        tally.loaded,
        tally.refused
    );
}

#[test]
#[cfg_attr(miri, ignore = "takes too long")]
fn every_word_replaced() {
    let sound = sound();
    let image = sound.finish();
    let asked = few();
    let length = u32::try_from(image.len()).unwrap();
    let mut values = vec![
        0,
        1,
        2,
        7,
        8,
        63,
        64,
        127,
        128,
        255,
        256,
        320,
        65_535,
        65_536,
        1 << 24,
        1 << 31,
        u32::MAX,
        u32::MAX - 63,
        0x7fff_ffff,
        0xffff_0000,
        0x0101_0101,
        0x8080_8080,
        length,
        length - 1,
        length - 16,
        length - 64,
        length - 128,
    ];
    // Every part in the place of every other.
    values.extend(
        sound
            .parts
            .iter()
            .map(|(_, at, _)| u32::try_from(*at).unwrap()),
    );
    let mut tally = Tally::default();
    for at in places(&sound).filter(|at| at % 4 == 0 && at + 4 <= image.len()) {
        for value in &values {
            let mut damaged = image.clone();
            damaged[at..at + 4].copy_from_slice(&value.to_le_bytes());
            rehash(&mut damaged);
            tally.count(attempt(&damaged, &asked));
        }
    }
    assert!(
        tally.loaded > 1000 && tally.refused > 10_000,
        "{} {}",
        tally.loaded,
        tally.refused
    );
}

#[test]
#[cfg_attr(miri, ignore = "takes too long")]
fn every_byte_replaced() {
    let sound = sound();
    let image = sound.finish();
    let asked = few();
    let mut tally = Tally::default();
    for at in places(&sound) {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut damaged = image.clone();
            damaged[at] = value;
            rehash(&mut damaged);
            tally.count(attempt(&damaged, &asked));
        }
    }
    assert!(
        tally.loaded > 1000 && tally.refused > 1000,
        "{} {}",
        tally.loaded,
        tally.refused
    );
}

/// Several words at once: pairs within the header and within descriptors,
/// where what one word allows another takes away.
#[test]
#[cfg_attr(miri, ignore = "takes too long")]
fn pairs_of_words_replaced() {
    let sound = sound();
    let image = sound.finish();
    let asked = few();
    let mut values: Vec<u32> = vec![0, 1, 64, 255, 65_536, u32::MAX, u32::MAX - 63];
    values.extend(
        sound
            .parts
            .iter()
            .map(|(_, at, _)| u32::try_from(*at).unwrap()),
    );
    let descriptors = sound.parts.iter().filter(|p| p.0 == "descriptor");
    let mut state = 1u64;
    let mut draw = |below: usize| {
        state = state
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 33) as usize % below
    };
    let mut tally = Tally::default();
    for (_, at, len) in descriptors.copied().chain([("", 0x30, 0x50)]) {
        for _ in 0..20_000 {
            let mut damaged = image.clone();
            for _ in 0..2 + draw(3) {
                let at = at + draw(len / 4) * 4;
                let value = values[draw(values.len())];
                damaged[at..at + 4].copy_from_slice(&value.to_le_bytes());
            }
            rehash(&mut damaged);
            tally.count(attempt(&damaged, &asked));
        }
    }
    assert!(
        tally.loaded > 100 && tally.refused > 10_000,
        "{} {}",
        tally.loaded,
        tally.refused
    );
}

/// One offset may be taken for two kinds of part: what is known of it as the
/// one says nothing of it as the other.
#[test]
fn a_part_known_as_one_kind_is_checked_as_another() {
    let asked = questions();
    // A root in the place of a local directory that was looked at before, with
    // blocks where none are.
    let mut b = sound();
    let d = direction(&mut b, false);
    let root = Descriptor {
        directory: d.root,
        blocks: 0,
        ..d
    };
    redirect(&mut b, &[root]);
    let error = attempt(&b.finish(), &asked).unwrap_err();
    assert!(
        matches!(error, TableError::Value { name: "block", .. }),
        "{error:?}"
    );

    // A port page that another descriptor takes for a port directory, whose
    // pages would lie far behind the image.
    let mut b = sound();
    let d = direction(&mut b, true);
    let page = Descriptor {
        port_directories: d.port_pages,
        port_pages: u32::MAX,
        ..d
    };
    redirect(&mut b, &[d, page]);
    let error = attempt(&b.finish(), &asked).unwrap_err();
    assert!(
        matches!(
            error,
            TableError::Value {
                name: "port page",
                ..
            }
        ),
        "{error:?}"
    );

    // A block of origins that is taken for a set, with billions of records.
    let mut b = sound();
    let block = b.put("origin block", &[longs(&[1]), vec![0; 4]].concat());
    let itself = b.put("origin block", &longs(&[1, block, 0, 0, 0, 0, 0, 0]));
    let at = block as usize;
    b.bytes[at..at + 4].copy_from_slice(&1u32.to_le_bytes());
    b.bytes[at + 4..at + 8].copy_from_slice(&at.to_le_bytes()[..4]);
    let origins = b.header.origins as usize;
    b.bytes[origins..origins + 8].copy_from_slice(&longs(&[block, itself]));
    let start = Instant::now();
    let _ = attempt(&b.finish(), &asked);
    assert!(start.elapsed() < Duration::from_secs(5));
}

/// Makes descriptors those of the first subjects, ingress and egress.
fn redirect(b: &mut Builder, descriptors: &[Descriptor]) {
    let at: Vec<u32> = descriptors
        .iter()
        .map(|d| b.put("descriptor", &d.to_bytes()))
        .collect();
    let subjects = b.header.subjects.at as usize;
    b.bytes[subjects..subjects + at.len() * 4].copy_from_slice(&longs(&at));
}

/// Checks an image that is meant to make the reader work; says how long it
/// took and whether it was refused.
fn hard(image: &[u8]) -> (Duration, Option<TableError>) {
    let start = Instant::now();
    let error = View::new(image).err();
    (start.elapsed(), error)
}

/// Every descriptor has a local directory, a root, blocks and pages of its
/// own, and all of them are the same bytes, shifted by 64 each time.
#[test]
#[cfg_attr(miri, ignore = "takes too long")]
fn overlapping_directories_are_refused_in_time() {
    let mut b = sound();
    let d = direction(&mut b, false);
    // The directory's numbers name pages in turn, so that none is the last.
    let numbers: Vec<u16> = (0..1u32 << 19).map(|i| (i % 4096) as u16).collect();
    let directory = b.put("directory", &words(&numbers));
    b.put("pages", &vec![0; 1 << 20]);
    b.header.local_count = 64 << 18;
    let shifted: Vec<Descriptor> = (0..4096)
        .map(|i| Descriptor {
            directory: directory + 64 * i,
            pages: directory + 64 * i,
            ..d
        })
        .collect();
    let at: Vec<u32> = shifted
        .iter()
        .map(|d| b.put("descriptor", &d.to_bytes()))
        .collect();
    b.header.subjects = Section {
        at: b.put("subjects", &longs(&at)),
        count: u32::try_from(at.len() / 2).unwrap(),
    };
    b.header.origins = 0;
    let (took, error) = hard(&b.finish());
    assert!(error.is_some());
    assert!(took < Duration::from_secs(60), "{took:?}");
}

/// Cells, entries and bitsets of every descriptor are the same bytes.
#[test]
#[cfg_attr(miri, ignore = "takes too long")]
fn overlapping_cells_are_refused_in_time() {
    let mut b = sound();
    let d = direction(&mut b, true);
    let rows = 8;
    let cells = b.put("cells", &vec![0; 4 * rows * (1 << 16)]);
    let entries = b.put("entries", &netverdict_table::Answer::DROP.to_bytes());
    let many: Vec<Descriptor> = (0..4096)
        .map(|i| Descriptor {
            cells: cells + 64 * i,
            bitsets: cells + 64 * i,
            entries,
            entry_count: 1,
            stride: 1 << 16,
            peer_classes: 1 << 16,
            port_classes: u32::try_from(rows).unwrap(),
            ..d
        })
        .collect();
    let at: Vec<u32> = many
        .iter()
        .map(|d| b.put("descriptor", &d.to_bytes()))
        .collect();
    b.header.subjects = Section {
        at: b.put("subjects", &longs(&at)),
        count: u32::try_from(at.len() / 2).unwrap(),
    };
    b.header.origins = 0;
    let (took, error) = hard(&b.finish());
    assert_eq!(error, Some(TableError::Overlap));
    assert!(took < Duration::from_secs(60), "{took:?}");
}

/// Sets of origins and lists of rules that begin at every fourth byte.
#[test]
#[cfg_attr(miri, ignore = "takes too long")]
fn overlapping_origins_are_refused_in_time() {
    let mut b = sound();
    let many = 100_000u32;
    let at = u32::try_from(b.bytes.len().next_multiple_of(64)).unwrap();
    // Each word is a count of sets, and an offset: a quarter of a million.
    let block: Vec<u32> = std::iter::once(many)
        .chain((1..=many).map(|i| at + i * 4))
        .collect();
    let put = b.put("origin block", &longs(&block));
    assert_eq!(put, at);
    b.put("room", &vec![0; at as usize * 24]);
    let origins = b.header.origins as usize;
    b.bytes[origins..origins + 4].copy_from_slice(&put.to_le_bytes());
    let (took, error) = hard(&b.finish());
    assert!(error.is_some());
    assert!(took < Duration::from_secs(60), "{took:?}");
}

/// What a compiler may write is not refused: thousands of policies with the
/// same cells, whose verdicts differ in proxy ports alone.
#[test]
#[cfg_attr(miri, ignore = "takes too long")]
fn shared_cells_are_no_overlap() {
    let mut b = sound();
    let d = direction(&mut b, false);
    let rows = 200usize;
    let cells = b.put("cells", &classes(vec![1; rows * 250], false));
    // All 250 classes go to a proxy.
    let mut redirected = [u8::MAX; 250usize.div_ceil(8)];
    redirected[250 / 8] = (1 << (250 % 8)) - 1;
    let nobody = [0; 250usize.div_ceil(8)];
    let planes = (0..rows * 4).map(|i| if i % 4 == 2 { redirected } else { nobody });
    let bits: Vec<u8> = planes.flatten().collect();
    let bitsets = b.put("bitsets", &bits);
    let at: Vec<u32> = (0..8192u16)
        .map(|i| {
            let redirect = netverdict_table::Answer::new(
                0,
                netverdict_table::MatchType::L3L4,
                false,
                i + 1,
                0,
                None,
                0,
            );
            let drop = netverdict_table::Answer::DROP.to_bytes();
            let entries = b.put("entries", &[drop, redirect.to_bytes()].concat());
            let d = Descriptor {
                cells,
                bitsets,
                entries,
                entry_count: 2,
                stride: 250,
                peer_classes: 250,
                port_classes: u32::try_from(rows).unwrap(),
                ..d
            };
            b.put("descriptor", &d.to_bytes())
        })
        .collect();
    b.header.subjects = Section {
        at: b.put("subjects", &longs(&at)),
        count: u32::try_from(at.len() / 2).unwrap(),
    };
    b.header.origins = 0;
    let (took, error) = hard(&b.finish());
    assert_eq!(error, None);
    assert!(took < Duration::from_secs(60), "{took:?}");
}
