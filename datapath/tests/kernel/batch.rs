//! Questions by the thousand, answered by programs in the kernel.
//!
//! In: objects built by `cargo xtask bpf`, an image or the entries of a policy
//! map. Out: the answers of our lookup and of Cilium's.

use netverdict_datapath::{Error, Loaded, Map, Memory, Object, Program, TableMap, find_object};
use netverdict_table::Question;
use std::sync::Arc;

/// Questions of one run; `datapath/bpf/batch.h` has the same number.
pub(crate) const BATCH: usize = 16384;

/// What both sides are compared in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Said {
    pub(crate) code: i16,
    pub(crate) proxy_port: u16,
    pub(crate) match_type: u8,
    pub(crate) auth_type: u8,
    pub(crate) cookie: u32,
}

impl Said {
    /// Reads an answer of 16 bytes; `None` when the program did not write it.
    fn read(b: &[u8; 16]) -> Option<Self> {
        (b[12] == 1).then(|| Self {
            proxy_port: u16::from_be_bytes([b[0], b[1]]),
            auth_type: b[3],
            code: i16::from_le_bytes([b[4], b[5]]),
            match_type: b[6],
            cookie: u32::from_le_bytes([b[8], b[9], b[10], b[11]]),
        })
    }
}

/// A program that answers batches.
pub(crate) struct Batch {
    loaded: Loaded,
    questions: Memory,
    answers: Memory,
    control: Memory,
}

impl Batch {
    fn new(loaded: Loaded) -> Result<Self, Error> {
        Ok(Self {
            questions: loaded.map("questions")?.memory()?,
            answers: loaded.map("answers")?.memory()?,
            control: loaded.map("control")?.memory()?,
            loaded,
        })
    }

    /// Puts questions where programs find them.
    pub(crate) fn load(&self, questions: &[[u8; 16]]) {
        assert!(questions.len() <= BATCH);
        self.questions.write(0, questions.as_flattened());
        self.answers.write(0, &vec![0; questions.len() * 16]);
        self.control.store64(0, questions.len() as u64);
    }

    /// Asks one batch, and returns the answers.
    pub(crate) fn ask(
        &self,
        program: &str,
        questions: &[[u8; 16]],
        packet: &[u8],
    ) -> Result<Vec<Said>, Box<dyn std::error::Error>> {
        self.load(questions);
        let run = self.program(program)?.test_run(packet, 1)?;
        if run.returned != 0 {
            return Err(format!("{program} returned {}", run.returned).into());
        }
        let mut bytes = vec![0; questions.len() * 16];
        self.answers.read(0, &mut bytes);
        let (answers, _) = bytes.as_chunks::<16>();
        answers
            .iter()
            .map(|b| Said::read(b).ok_or_else(|| "a question was not answered".into()))
            .collect()
    }

    /// Loads one question that `table_watch` asks so many times, or until the
    /// answer is another.
    pub(crate) fn load_watch(&self, question: [u8; 16], times: u64) {
        self.load(&[question]);
        self.control.store64(0, times);
    }

    pub(crate) fn program(&self, name: &str) -> Result<&Program, Error> {
        self.loaded.program(name)
    }

    pub(crate) fn map(&self, name: &str) -> Result<&Arc<Map>, Error> {
        self.loaded.map(name)
    }
}

/// Our lookup, over a table with room for so many bytes.
pub(crate) fn ours(room: usize) -> Result<(TableMap, Batch), Error> {
    let table = TableMap::create(room)?;
    let mut object = Object::open(&find_object("verdict_test.bpf.o")?)?;
    object.set("netverdict_table_mask", &table.mask().to_ne_bytes())?;
    object.set_value_size("netverdict_table", (table.mask() + 65) as u32)?;
    object.use_map(table.map())?;
    Ok((table, Batch::new(object.load()?)?))
}

/// What Cilium's code is compiled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) cluster_id: u32,
    pub(crate) cluster_bits: u32,
    pub(crate) icmp_rules: bool,
    pub(crate) frag_needed: bool,
}

/// Cilium's lookup; the policy map is `cilium_policy`.
pub(crate) fn ciliums(options: Options) -> Result<Batch, Error> {
    let mut object = Object::open(&find_object("cilium_conformance.bpf.o")?)?;
    object.set("__config_cluster_id", &options.cluster_id.to_ne_bytes())?;
    object.set(
        "__config_cluster_id_bits",
        &options.cluster_bits.to_ne_bytes(),
    )?;
    object.set("__config_enable_icmp_rule", &[u8::from(options.icmp_rules)])?;
    object.set(
        "__config_allow_icmp_frag_needed",
        &[u8::from(options.frag_needed)],
    )?;
    Batch::new(object.load()?)
}

/// A question as our program reads it.
pub(crate) fn to_ours(q: &Question) -> [u8; 16] {
    let mut b = [0; 16];
    b[..4].copy_from_slice(&q.subject.to_le_bytes());
    b[4..8].copy_from_slice(&q.identity.to_le_bytes());
    b[8..10].copy_from_slice(&q.port.to_le_bytes());
    b[10] = q.protocol;
    b[11] = q.direction as u8;
    b[12] = q.icmp_code;
    b[13] = u8::from(q.untracked_fragment);
    b
}

/// Where the header of an ICMP message stands in [`packet`].
fn header_at(icmp_type: u8, code: u8) -> u32 {
    64 + (u32::from(icmp_type) * 2 + u32::from(code == 4)) * 2
}

/// A packet that has the first bytes of every ICMP message: Cilium reads type
/// and code out of the packet.
pub(crate) fn packet() -> Vec<u8> {
    let mut bytes = vec![0; 64 + 256 * 4 + 64];
    for icmp_type in 0..=255 {
        for code in [0, 4] {
            let at = header_at(icmp_type, code) as usize;
            bytes[at..at + 2].copy_from_slice(&[icmp_type, code]);
        }
    }
    bytes
}

/// The same question as Cilium's code takes it: ICMP messages as packets whose
/// header is to be read.
pub(crate) fn to_cilium(q: &Question, icmp_rules: bool) -> [u8; 16] {
    const PROTOCOLS: [(u8, u16); 2] = [(1, 0x0800), (58, 0x86dd)];
    let family = PROTOCOLS.iter().find(|(p, _)| *p == q.protocol);
    let message = family.filter(|_| q.port < 256 && !q.untracked_fragment);
    let (dport, ethertype, offset) = match message {
        Some((_, ethertype)) => (0, *ethertype, header_at(q.port as u8, q.icmp_code)),
        None if q.untracked_fragment => (0, 0, 0),
        // A number that is no type means nothing where types do not count.
        None if family.is_some() && !icmp_rules => (0, 0, 0),
        None => (q.port, 0, 0),
    };
    let mut b = [0; 16];
    b[..4].copy_from_slice(&q.identity.to_le_bytes());
    b[4..6].copy_from_slice(&dport.to_be_bytes());
    b[6..8].copy_from_slice(&ethertype.to_le_bytes());
    b[8] = q.protocol;
    b[9] = 1 - q.direction as u8;
    b[10] = u8::from(q.untracked_fragment);
    b[12..].copy_from_slice(&offset.to_le_bytes());
    b
}
