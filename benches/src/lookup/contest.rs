//! Contenders measured in turns.
//!
//! In: things that answer the same questions. Out: the least time each took
//! per question: what else the machine does can only add to it.

use super::{Ask, Tables, agree, answer_bits, dependent, independent};
use netverdict_table::{Answer, Direction, LivePolicy, PolicyView, Question, Reader, View};
use std::hint::black_box;
use std::time::Instant;

/// A table's own lookup, under the traits of the contest.
impl Tables for View<'_> {
    #[inline(always)]
    fn ask(&self, ask: &Ask) -> u64 {
        answer_bits(self.verdict(&question(ask)).unwrap_or(Answer::DROP))
    }
}

impl Tables for PolicyView<'_> {
    #[inline(always)]
    fn ask(&self, ask: &Ask) -> u64 {
        answer_bits(self.verdict(ask.identity, ask.protocol, ask.port))
    }
}

impl Tables for Reader {
    #[inline(always)]
    fn ask(&self, ask: &Ask) -> u64 {
        answer_bits(self.verdict(&question(ask)).unwrap_or(Answer::DROP))
    }
}

impl Tables for LivePolicy<'_> {
    #[inline(always)]
    fn ask(&self, ask: &Ask) -> u64 {
        answer_bits(self.verdict(ask.identity, ask.protocol, ask.port))
    }
}

/// Several copies of one table: questions about subject `i` go to copy
/// `i / subjects`.
#[derive(Debug)]
pub struct Copies<'a> {
    /// The copies.
    pub views: Vec<View<'a>>,
    /// Subjects of each.
    pub subjects: u32,
}

impl Tables for Copies<'_> {
    #[inline(always)]
    fn ask(&self, ask: &Ask) -> u64 {
        let (copy, subject) = (ask.subject / self.subjects, ask.subject % self.subjects);
        self.views[copy as usize].ask(&Ask { subject, ..*ask })
    }
}

/// The question as a table takes it.
#[inline(always)]
#[must_use]
pub const fn question(ask: &Ask) -> Question {
    let direction = if ask.egress {
        Direction::Egress
    } else {
        Direction::Ingress
    };
    Question::new(ask.subject, direction, ask.identity, ask.protocol, ask.port)
}

/// Loads that wait for each other, over so many bytes: one per cache line, in
/// an order that no prefetcher knows.
#[derive(Debug)]
pub struct Chase {
    next: Vec<[u32; 16]>,
}

impl Chase {
    /// Over so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let lines = (bytes / 64).max(2);
        let mut order: Vec<u32> = (0..lines as u32).collect();
        let mut random = crate::random::Random(3);
        for i in (1..lines).rev() {
            order.swap(i, random.below(i + 1));
        }
        let mut next = vec![[0; 16]; lines];
        for (i, line) in order.iter().enumerate() {
            next[*line as usize][0] = order[(i + 1) % lines];
        }
        Self { next }
    }

    /// Goes so many steps.
    #[inline(never)]
    pub fn walk(&self, steps: usize) -> u32 {
        let mut at = 0;
        for _ in 0..steps {
            at = match self.next.get(at as usize) {
                Some(line) => line[0],
                None => return at,
            };
        }
        at
    }
}

/// What a contender took.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Who.
    pub name: String,
    /// Nanoseconds per question that waits for the answer before; 0 where that
    /// was not measured.
    pub dependent: f64,
    /// Nanoseconds per question that does not.
    pub independent: f64,
    /// Bytes of what it looks up in; 0 where nobody counted.
    pub bytes: usize,
}

type Timed<'c> = Box<dyn FnMut() + 'c>;

struct Contender<'c> {
    name: String,
    bytes: usize,
    per: usize,
    dependent: Option<Timed<'c>>,
    independent: Option<Timed<'c>>,
}

/// Contenders for the same questions.
pub struct Contest<'c> {
    asks: &'c [Ask],
    expected: &'c [u64],
    contenders: Vec<Contender<'c>>,
}

impl std::fmt::Debug for Contest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contest").finish_non_exhaustive()
    }
}

impl<'c> Contest<'c> {
    /// A contest for these questions, to which these are the answers.
    #[must_use]
    pub fn new(asks: &'c [Ask], expected: &'c [u64]) -> Self {
        Self {
            asks,
            expected,
            contenders: Vec::new(),
        }
    }

    /// Somebody who answers in full.
    pub fn add<T: Tables + 'c>(&mut self, name: &str, bytes: usize, tables: T) {
        self.add_telling(name, bytes, tables, |answer| answer);
    }

    /// Somebody who tells only some answers apart.
    pub fn add_telling<T: Tables + 'c>(
        &mut self,
        name: &str,
        bytes: usize,
        tables: T,
        tells: fn(u64) -> u64,
    ) {
        let (asks, zero) = (self.asks, black_box(0));
        agree(name, &tables, asks, self.expected, tells);
        let tables = std::rc::Rc::new(tables);
        let other = std::rc::Rc::clone(&tables);
        let mut answers = vec![0; asks.len()];
        self.contenders.push(Contender {
            name: name.to_owned(),
            bytes,
            per: asks.len(),
            dependent: Some(Box::new(move || {
                black_box(dependent(&*tables, asks, zero));
            })),
            independent: Some(Box::new(move || {
                independent(&*other, asks, black_box(&mut answers));
            })),
        });
    }

    /// Somebody who answers all questions at once, into full answers.
    pub fn add_batch(&mut self, name: &str, mut batch: impl FnMut(&mut [Answer]) + 'c) {
        let mut answers = vec![Answer::DROP; self.asks.len()];
        batch(&mut answers);
        let found = answers.iter().map(|a| answer_bits(*a));
        assert!(found.eq(self.expected.iter().copied()), "{name} differs");
        self.contenders.push(Contender {
            name: name.to_owned(),
            bytes: 0,
            per: self.asks.len(),
            dependent: None,
            independent: Some(Box::new(move || batch(black_box(&mut answers)))),
        });
    }

    /// The limit: loads that wait for each other.
    pub fn add_chase(&mut self, name: &str, bytes: usize) {
        let chase = Chase::new(bytes);
        let steps = self.asks.len();
        self.contenders.push(Contender {
            name: name.to_owned(),
            bytes,
            per: steps,
            dependent: Some(Box::new(move || {
                black_box(chase.walk(steps));
            })),
            independent: None,
        });
    }

    /// Measures everybody so many times, in turns.
    #[must_use]
    pub fn run(mut self, rounds: usize) -> Vec<Taken> {
        let mut least = vec![[f64::INFINITY; 2]; self.contenders.len()];
        for _ in 0..rounds {
            for (contender, least) in self.contenders.iter_mut().zip(&mut least) {
                let kinds = [&mut contender.dependent, &mut contender.independent];
                for (timed, least) in kinds.into_iter().zip(least) {
                    let Some(timed) = timed else {
                        *least = 0.0;
                        continue;
                    };
                    let start = Instant::now();
                    timed();
                    let took = start.elapsed().as_nanos() as f64 / contender.per as f64;
                    *least = least.min(took);
                }
            }
        }
        let found = self.contenders.into_iter().zip(least);
        found
            .map(|(c, [dependent, independent])| Taken {
                name: c.name,
                dependent,
                independent,
                bytes: c.bytes,
            })
            .collect()
    }
}
