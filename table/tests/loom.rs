//! Every order in which the writer's and a reader's steps can happen.
//!
//! Run by `RUSTFLAGS="--cfg loom" cargo test -p netverdict-table --features
//! publish --test loom --release`; without the flag there is nothing here.
#![cfg(loom)]

mod tiny;

use loom::thread;
use netverdict_table::{Answer, Direction, Live, Write};

fn code(answer: Option<Answer>) -> u16 {
    answer.map_or(u16::MAX, |a| a.proxy_port())
}

/// An identity moves: its page is written, then the word stored. The reader
/// finds the old class or the new one, never the empty page.
#[test]
fn a_moving_identity_has_the_old_class_or_the_new_one() {
    loom::model(|| {
        let (image, at) = tiny::image(7, 6);
        let mut live = Live::new(&image).unwrap();
        let page = Write::Bytes {
            at: at.pages + 5 * 64 + 8,
            bytes: vec![6; 8],
        };
        let word = Write::Word16 {
            at: at.directory,
            value: 5,
        };
        let reader = live.reader();
        let other = thread::spawn(move || {
            let policy = reader.policy(0, Direction::Ingress).unwrap();
            let first = policy.verdict(8, 6, 80).proxy_port();
            let second = policy.verdict(8, 6, 80).proxy_port();
            (first, second)
        });
        live.publish(&[page, word]).unwrap();
        let (first, second) = other.join().unwrap();
        assert!([0, 6].contains(&first) && [0, 6].contains(&second));
        assert!(first == 0 || second == 6, "never back");
    });
}

/// A policy changes: a descriptor is written, then the subject's word stored.
#[test]
fn a_changing_policy_is_the_old_one_or_the_new_one() {
    loom::model(|| {
        let (image, at) = tiny::image(6, 6);
        let mut image = image;
        image[at.directory as usize] = 5;
        let mut live = Live::new(&image).unwrap();
        let reader = live.reader();
        let other = thread::spawn(move || {
            code(
                reader
                    .policy(0, Direction::Ingress)
                    .map(|p| p.verdict(8, 6, 80)),
            )
        });
        let value = u64::from(at.drop) | u64::from(at.allow) << 32;
        live.write(&Write::Word64 {
            at: at.subject,
            value,
        })
        .unwrap();
        assert!([0, 5].contains(&other.join().unwrap()));
    });
}

/// A whole image is replaced and the old one freed when the reader has
/// renewed: loom reports any use of what was freed.
#[test]
fn an_old_image_outlives_its_readers() {
    loom::model(|| {
        let (image, at) = tiny::image(6, 6);
        let mut new = image.clone();
        new[at.directory as usize] = 5;
        let mut live = Live::new(&image).unwrap();
        let mut reader = live.reader();
        let other = thread::spawn(move || {
            let first = code(
                reader
                    .policy(0, Direction::Ingress)
                    .map(|p| p.verdict(8, 6, 80)),
            );
            reader.renew();
            let second = code(
                reader
                    .policy(0, Direction::Ingress)
                    .map(|p| p.verdict(8, 6, 80)),
            );
            (first, second)
        });
        live.write(&Write::Replace { image: new }).unwrap();
        live.reclaim();
        let (first, second) = other.join().unwrap();
        assert!(first == 0 || second == 5, "never back");
        assert_eq!(live.reclaim(), 0);
    });
}
