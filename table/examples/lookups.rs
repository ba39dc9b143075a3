//! Asks a table the same questions over and over, for tools that count
//! instructions.
//!
//! In: a way to ask, a table, questions of eight bytes (identity, port,
//! protocol, direction, little-endian) and how often to go through them. Out:
//! the sum of the verdicts' codes, so that nothing is left out. Work that is
//! not done for each question is the same for any number of times:
//! `cargo xtask instructions` runs this twice and takes the difference.

use netverdict_table::{Answer, Direction, Live, PolicyView, Question, View};
use std::hint::black_box;

type Failure = Box<dyn std::error::Error>;

fn question(bytes: &[u8; 8]) -> Question {
    let [i0, i1, i2, i3, p0, p1, protocol, direction] = *bytes;
    let identity = u32::from_le_bytes([i0, i1, i2, i3]);
    let direction = Direction::BOTH[usize::from(direction & 1)];
    let port = u16::from_le_bytes([p0, p1]);
    Question::new(0, direction, identity, protocol, port)
}

/// Goes through all questions one by one.
fn each(questions: &[Question], times: u32, ask: impl Fn(&Question) -> Answer) -> i64 {
    let mut sum = 0;
    for _ in 0..times {
        for q in black_box(questions) {
            sum += i64::from(ask(q).code());
        }
    }
    sum
}

/// Has all questions answered at once.
fn batches(count: usize, times: u32, mut ask: impl FnMut(&mut [Answer])) -> i64 {
    let mut answers = vec![Answer::DROP; count];
    for _ in 0..times {
        ask(black_box(&mut answers));
    }
    let codes = answers.iter().map(|a| i64::from(a.code()));
    codes.sum::<i64>() * i64::from(times)
}

fn columns(policy: &PolicyView<'_>, questions: &[Question], times: u32) -> i64 {
    let identities: Vec<u32> = questions.iter().map(|q| q.identity).collect();
    let protocols: Vec<u8> = questions.iter().map(|q| q.protocol).collect();
    let ports: Vec<u16> = questions.iter().map(|q| q.port).collect();
    batches(questions.len(), times, |answers| {
        policy.verdict_batch(&identities, &protocols, &ports, answers);
    })
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [way, image, questions, times] = arguments.as_slice() else {
        return Err("usage: lookups WAY IMAGE QUESTIONS TIMES".into());
    };
    let (image, questions) = (std::fs::read(image)?, std::fs::read(questions)?);
    let questions: Vec<Question> = questions.as_chunks().0.iter().map(question).collect();
    let times: u32 = times.parse()?;
    let view = View::new(&image).map_err(|e| e.to_string())?;
    let live = Live::new(&image).map_err(|e| e.to_string())?;
    let reader = live.reader();
    let direction = questions.first().ok_or("no questions")?.direction;
    let policy = view.policy(0, direction).ok_or("no subject")?;
    let live_policy = reader.policy(0, direction).ok_or("no subject")?;
    let drop = Answer::DROP;
    let sum = match way.as_str() {
        "policy" => each(&questions, times, |q| {
            policy.verdict(q.identity, q.protocol, q.port)
        }),
        "policy-batch" => columns(&policy, &questions, times),
        "table" => each(&questions, times, |q| view.verdict(q).unwrap_or(drop)),
        "table-batch" => batches(questions.len(), times, |answers| {
            view.verdict_batch(&questions, answers);
        }),
        "live-policy" => each(&questions, times, |q| {
            live_policy.verdict(q.identity, q.protocol, q.port)
        }),
        "live-table" => each(&questions, times, |q| reader.verdict(q).unwrap_or(drop)),
        other => return Err(format!("no such way: {other}").into()),
    };
    println!("{sum}");
    Ok(())
}
