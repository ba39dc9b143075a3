//! What the readers in C are asked, and what the Rust reader answers.

use netverdict_reference::generate::{Profile, generate, wide};
use netverdict_reference::judge::table_questions;
use netverdict_table::layout::HEADER_LEN;
use netverdict_table::{Answer, Direction, Question, View, hash};

/// Where the header has the content hash.
const HASH_AT: usize = 0x20;
/// Bytes of an answer as `reader.c` writes it.
const ANSWER_LEN: usize = 20;

/// A question to `reader.c`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked {
    Verdict(Question),
    Endpoint(u32),
    Identity(u32),
    InHand(Question),
}

/// An image and what is asked of it.
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) image: Vec<u8>,
    pub(crate) questions: Vec<Asked>,
}

impl Asked {
    fn to_bytes(self) -> [u8; 16] {
        let (kind, q) = match self {
            Self::Verdict(q) => (0, q),
            Self::Endpoint(key) => (1, Question::new(key, Direction::Ingress, 0, 0, 0)),
            Self::Identity(key) => (2, Question::new(key, Direction::Ingress, 0, 0, 0)),
            Self::InHand(q) => (3, q),
        };
        let mut b = [0; 16];
        b[0] = kind;
        b[1] = q.direction as u8;
        b[2] = q.protocol;
        b[3] = q.icmp_code;
        b[4] = u8::from(q.untracked_fragment);
        b[6..8].copy_from_slice(&q.port.to_le_bytes());
        b[8..12].copy_from_slice(&q.subject.to_le_bytes());
        b[12..].copy_from_slice(&q.identity.to_le_bytes());
        b
    }

    fn expected(self, view: &View<'_>) -> [u8; ANSWER_LEN] {
        let mut b = [0; ANSWER_LEN];
        let subject = match self {
            // C says what it would do about a packet to nobody.
            Self::Verdict(q) => {
                let answer = view.verdict(&q);
                b[0] = u8::from(answer.is_some());
                b[4..].copy_from_slice(&answer.unwrap_or(Answer::DROP).to_bytes());
                return b;
            }
            Self::InHand(q) => {
                if let Some(policy) = view.policy(q.subject, q.direction) {
                    b[0] = 1;
                    let answer = policy.verdict(q.identity, q.protocol, q.port);
                    b[4..].copy_from_slice(&answer.to_bytes());
                }
                return b;
            }
            Self::Endpoint(key) => view.subject_of_endpoint(key),
            Self::Identity(key) => view.subject_of_identity(key),
        };
        if let Some(subject) = subject {
            b[0] = 1;
            b[4..8].copy_from_slice(&subject.to_le_bytes());
        }
        b
    }
}

impl Group {
    /// As `reader.c` reads it.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let count = |n: usize| u32::try_from(n).expect("few").to_le_bytes();
        let mut bytes = count(self.image.len()).to_vec();
        bytes.extend(&self.image);
        bytes.extend(count(self.questions.len()));
        bytes.extend(self.questions.iter().flat_map(|q| q.to_bytes()));
        bytes
    }

    /// What it must write.
    pub(crate) fn expected(&self) -> Vec<u8> {
        let view = View::new(&self.image).expect("a valid image");
        let mut bytes = view.header().to_bytes().to_vec();
        bytes.extend(hash(&self.image).to_le_bytes());
        bytes.extend(self.questions.iter().flat_map(|q| q.expected(&view)));
        bytes
    }

    /// The first difference in words, by its place.
    pub(crate) fn difference(&self, at: usize, found: &[u8]) -> String {
        let Some(i) = at.checked_sub(HEADER_LEN + 8) else {
            return format!("{}: the header or the hash differs at {at}", self.name);
        };
        let n = i / ANSWER_LEN;
        let place = HEADER_LEN + 8 + n * ANSWER_LEN;
        let view = View::new(&self.image).expect("a valid image");
        format!(
            "{}: {:?}: {:?}, not {:?}",
            self.name,
            self.questions[n],
            found.get(place..place + ANSWER_LEN),
            self.questions[n].expected(&view)
        )
    }
}

/// Generated scenarios and wide ones.
pub(crate) fn groups() -> Vec<Group> {
    let generated = (0..10).flat_map(|seed| {
        [Profile::Simple, Profile::Full].map(|profile| (generate(seed, profile), 5))
    });
    let scenarios = generated.chain([(wide(300), 53)]);
    let mut groups: Vec<Group> = scenarios
        .filter_map(|(scenario, step)| {
            let prepared = scenario.prepare();
            let image = prepared.compile().expect("it fits");
            let mut questions = Vec::new();
            for (n, q) in table_questions(&prepared).step_by(step).enumerate() {
                questions.push(Asked::Verdict(q));
                if n % 8 == 0 {
                    questions.push(Asked::InHand(q));
                    let nobody = Question {
                        subject: q.subject + 1000,
                        ..q
                    };
                    questions.push(Asked::Verdict(nobody));
                }
            }
            let keys = prepared.identities().iter().map(|(id, _)| id.0);
            for key in keys.chain([0, 1, u32::MAX, 0x0100_0000, 77_777]) {
                questions.extend([Asked::Endpoint(key), Asked::Identity(key)]);
            }
            (!questions.is_empty()).then_some(Group {
                name: scenario.name.clone(),
                image,
                questions,
            })
        })
        .collect();
    // A compiler never leaves out a subject; a writer that removed one does.
    let mut emptied = Group {
        name: "removed subject".into(),
        ..groups.remove(0)
    };
    let header = *View::new(&emptied.image).expect("a valid image").header();
    let at = header.subjects.at as usize;
    emptied.image[at..at + 4].fill(0);
    let fresh = hash(&emptied.image).to_le_bytes();
    emptied.image[HASH_AT..HASH_AT + 8].copy_from_slice(&fresh);
    groups.push(emptied);
    groups
}

/// The same questions about images in which everything may be wrong.
pub(crate) fn hostile(groups: &[Group]) -> Vec<Group> {
    let interesting = [
        0,
        1,
        64,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffc0,
        0xffff_ffff,
        0x0001_0000,
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut draw = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("below a usize")
    };
    let mut damaged = Vec::new();
    for (n, group) in groups.iter().cycle().take(400).enumerate() {
        let mut image = group.image.clone();
        for _ in 0..=draw(24) {
            // The header and what follows it decide about all the rest.
            let within = if draw(3) == 0 { image.len() / 4 } else { 48 };
            let at = draw(within) * 4;
            let value: u32 = match draw(4) {
                0 => interesting[draw(interesting.len())],
                1 => u32::MAX - u32::try_from(draw(4096)).expect("small"),
                _ => u32::try_from(draw(1 << 31)).expect("31 bits"),
            };
            if let Some(word) = image.get_mut(at..at + 4) {
                word.copy_from_slice(&value.to_le_bytes());
            }
        }
        let from = draw(group.questions.len());
        let questions = group.questions.iter().skip(from).step_by(13).take(300);
        damaged.push(Group {
            name: format!("damaged {n}"),
            image,
            questions: questions.copied().collect(),
        });
    }
    damaged
}
