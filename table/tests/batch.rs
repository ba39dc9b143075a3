//! Many questions at once are answered as one by one: in small tables, in such
//! as no near cache holds, where loads of several questions are made together,
//! and in damaged ones that are taken.

mod image;

use image::{Builder, exercise, questions, rehash, sound};
use netverdict_table::{Answer, Direction, View};

/// A sound image that is far larger than it needs to be.
fn large() -> Builder {
    let mut builder = sound();
    builder.put("nothing", &vec![0; 1 << 20]);
    builder
}

fn batches_agree(image: &[u8]) {
    let view = View::new(image).unwrap();
    let mut asked = questions();
    asked.pop();
    let expected: Vec<Answer> = asked
        .iter()
        .map(|q| view.verdict(q).unwrap_or(Answer::DROP))
        .collect();
    assert!(
        !asked.len().is_multiple_of(16),
        "the last group is not full"
    );
    // One more answer than questions stays as it was, and none is written
    // beyond fewer.
    for count in [asked.len() + 1, asked.len(), 17, 1, 0] {
        let mut answers = vec![Answer::PASS; count];
        view.verdict_batch(&asked, &mut answers);
        for ((q, a), e) in asked.iter().zip(&answers).zip(&expected) {
            assert_eq!(a, e, "{q:?}");
        }
        if count > asked.len() {
            assert_eq!(answers.last(), Some(&Answer::PASS));
        }
    }
    for (subject, direction) in (0..4).flat_map(|s| Direction::BOTH.map(|d| (s, d))) {
        let Some(policy) = view.policy(subject, direction) else {
            continue;
        };
        let identities: Vec<u32> = asked.iter().map(|q| q.identity).collect();
        let protocols: Vec<u8> = asked.iter().map(|q| q.protocol).collect();
        let ports: Vec<u16> = asked.iter().map(|q| q.port).collect();
        let mut answers = vec![Answer::PASS; asked.len()];
        policy.verdict_batch(&identities, &protocols, &ports, &mut answers);
        for (q, a) in asked.iter().zip(&answers) {
            assert_eq!(*a, policy.verdict(q.identity, q.protocol, q.port), "{q:?}");
        }
    }
}

#[test]
fn batches_of_small_tables() {
    batches_agree(&sound().finish());
}

#[test]
fn batches_of_large_tables() {
    let (small, large) = (sound().finish(), large().finish());
    batches_agree(&large);
    let (small, large) = (View::new(&small).unwrap(), View::new(&large).unwrap());
    for q in &questions() {
        assert_eq!(small.verdict(q), large.verdict(q), "{q:?}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes too long")]
fn batches_of_damaged_large_tables() {
    let builder = large();
    let image = builder.finish();
    let end = sound().bytes.len();
    let mut taken = 0;
    for at in (0..end).step_by(53) {
        for damage in [1, 0x40, 0xff] {
            let mut damaged = image.clone();
            damaged[at] ^= damage;
            rehash(&mut damaged);
            if let Ok(view) = View::new(&damaged)
                && view.image().len() > 1 << 20
            {
                exercise(&view, &[]);
                batches_agree(&damaged);
                taken += 1;
            }
        }
    }
    assert!(taken > 20, "only {taken} damaged tables are taken");
}
