//! A table that changes while it is read.
#![cfg(not(loom))]

mod tiny;

use netverdict_table::{Answer, Direction, Live, PublishError, Question, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

#[test]
fn writes_are_seen_in_order() {
    let (image, at) = tiny::image(8, 8);
    let mut live = Live::new(&image).unwrap();
    let reader = live.reader();
    let q = Question::new(0, Direction::Ingress, 9, 6, 80);
    assert_eq!(reader.verdict(&q), Some(Answer::DROP));
    for page in [5, 7, 6] {
        live.write(&Write::Word16 {
            at: at.directory,
            value: page,
        })
        .unwrap();
        assert_eq!(reader.verdict(&q), Some(tiny::allowed(page)));
    }
    live.write(&Write::Word64 {
        at: at.subject,
        value: 0,
    })
    .unwrap();
    assert_eq!(reader.verdict(&q), None);
    assert_eq!(reader.subject_of_endpoint(1), None);
}

#[test]
fn writes_outside_are_refused() {
    let (image, at) = tiny::image(6, 6);
    let mut live = Live::new(&image).unwrap();
    let end = image.len() as u32;
    for (write, place) in [
        (Write::Word64 { at: end, value: 1 }, end),
        (
            Write::Word64 {
                at: end - 4,
                value: 1,
            },
            end - 4,
        ),
        (
            Write::Word64 {
                at: at.subject + 4,
                value: 1,
            },
            at.subject + 4,
        ),
        (
            Write::Word16 {
                at: at.directory + 1,
                value: 1,
            },
            at.directory + 1,
        ),
        (
            Write::Bytes {
                at: 0,
                bytes: vec![1],
            },
            0,
        ),
        (
            Write::Bytes {
                at: u32::MAX,
                bytes: vec![1; 9],
            },
            u32::MAX,
        ),
    ] {
        assert_eq!(live.write(&write), Err(PublishError::Outside { at: place }));
    }
    let broken = Write::Replace {
        image: vec![0; 300],
    };
    assert!(matches!(live.write(&broken), Err(PublishError::Image(_))));
}

/// Words that lead nowhere: a reader gets some answer, and goes on.
#[test]
fn a_damaged_table_is_read_within_its_bounds() {
    let (image, at) = tiny::image(6, 6);
    let mut live = Live::new(&image).unwrap();
    let reader = live.reader();
    for value in [u64::MAX, 1, 0xffff_fff8_ffff_fff8, 130 << 32 | 130] {
        live.write(&Write::Word64 {
            at: at.subject,
            value,
        })
        .unwrap();
        for direction in Direction::BOTH {
            for identity in [0, 63, 64, u32::MAX] {
                let q = Question::new(0, direction, identity, 6, 65535);
                let _ = reader.verdict(&q);
            }
        }
    }
}

#[test]
fn old_images_wait_for_readers_and_no_longer() {
    let (image, _) = tiny::image(6, 6);
    let mut live = Live::new(&image).unwrap();
    let replace = Write::Replace { image };
    let mut reader = live.reader();
    let mut done = 0;
    while live.write(&replace).is_ok() {
        done += 1;
        assert!(done < 100);
    }
    assert_eq!(
        live.write(&replace),
        Err(PublishError::ReadersBehind { images: done })
    );
    reader.renew();
    assert_eq!(live.reclaim(), 0);
    live.begin_grace_period();
    assert!(!live.grace_period_over());
    drop(reader);
    assert!(live.grace_period_over());
    live.write(&replace).unwrap();
}

/// 100,000 updates under two readers. Identity 9 moves among classes of which
/// each verdict says its number; the policy is exchanged for one that drops;
/// images are replaced. A reader sees only what was published, and for each
/// kind of update never what was before something it has already seen.
#[test]
fn readers_see_the_old_or_the_new() {
    let (image, at) = tiny::image(30, 30);
    let mut live = Live::new(&image).unwrap();
    let done = AtomicBool::new(false);
    let seen = AtomicU64::new(0);
    let readers = [live.reader(), live.reader()];
    thread::scope(|scope| {
        for mut reader in readers {
            let (done, seen) = (&done, &seen);
            scope.spawn(move || {
                let q = Question::new(0, Direction::Ingress, 9, 6, 80);
                while !done.load(Ordering::Relaxed) {
                    for _ in 0..64 {
                        let answer = reader.verdict(&q).expect("the subject never goes");
                        let port = answer.proxy_port();
                        let whole = answer == Answer::DROP || answer == tiny::allowed(port);
                        assert!(
                            whole && (port == 0 || (5..30).contains(&port)),
                            "{answer:?}"
                        );
                        seen.fetch_add(1, Ordering::Relaxed);
                    }
                    reader.renew();
                }
            });
        }
        let mut fresh = image.clone();
        let mut waited = 0u64;
        for i in 0..100_000u32 {
            let page = 5 + (i % 25) as u16;
            // A copy of the page that nothing leads to, then the word.
            let copy = u32::from(page) * 64 + at.pages;
            let write = match i % 1000 {
                999 => {
                    fresh[at.directory as usize] = page as u8;
                    Write::Replace {
                        image: fresh.clone(),
                    }
                }
                500 => Write::Word64 {
                    at: at.subject,
                    value: u64::from(at.drop) | u64::from(at.drop) << 32,
                },
                501 => Write::Word64 {
                    at: at.subject,
                    value: u64::from(at.allow) | u64::from(at.allow) << 32,
                },
                _ => {
                    let bytes = vec![page as u8; 64];
                    live.write(&Write::Bytes { at: copy, bytes }).unwrap();
                    Write::Word16 {
                        at: at.directory,
                        value: page,
                    }
                }
            };
            while live.write(&write).is_err() {
                waited += 1;
                assert!(waited < 1 << 32, "readers renew");
                thread::yield_now();
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(seen.load(Ordering::Relaxed) > 1000, "the readers read");
    assert_eq!(live.reclaim(), 0);
}

#[test]
fn batches_answer_like_single_questions() {
    let (image, _) = tiny::image(8, 8);
    let live = Live::new(&image).unwrap();
    let reader = live.reader();
    let asked: Vec<Question> = (0..70)
        .map(|i| Question::new(i % 3, Direction::BOTH[i as usize % 2], i, 6, 80))
        .collect();
    let mut answers = vec![Answer::PASS; asked.len()];
    reader.verdict_batch(&asked, &mut answers);
    for (q, a) in asked.iter().zip(answers) {
        assert_eq!(a, reader.verdict(q).unwrap_or(Answer::DROP), "{q:?}");
    }
}
