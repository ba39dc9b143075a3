//! Random mutations of the recorded texts, read by this crate and by the Go
//! program that `NETVERDICT_YAML_ORACLE` names.
//!
//! `NETVERDICT_YAML_RUNS` sets how many texts (default 20,000) and
//! `NETVERDICT_YAML_SEED` where they begin.

mod yaml_oracle;

use yaml_oracle::{agree, ask, begins_as_json, cases, ours};

const BATCH: usize = 5_000;

/// What is put into texts: everything that means something to a YAML scanner.
const PIECES: &[&str] = &[
    " ", "  ", "\t", "\n", "\n\n", "\r\n", "\r", ":", ": ", "-", "- ", "?", "? ", ",", "[", "]",
    "{", "}", "#", " #", "&a ", "*a", "*a ", "!", "!!str ", "!!int ", "!x", "|", "|-\n", ">\n",
    "|2\n", "'", "\"", "%", "@", "`", "\\", "\\n", "<<: ", "<<: *a\n", "---\n", "--- ", "...\n",
    "...", "~", "0", "1", "yes", "0x1", "1_0", ".5", "é", "\u{85}", "\u{2028}", "\u{feff}", "a",
    "x", "{{", "}}", "$", "_", "=", "a: 1\n", "  b: 2\n", "- c\n", "\0", "\u{1}", "+", "e",
];

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n.max(1) as u64).unwrap_or(0)
    }
}

fn boundary(text: &str, random: &mut Random) -> usize {
    let mut at = random.below(text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn stretch(text: &str, random: &mut Random) -> std::ops::Range<usize> {
    let a = boundary(text, random);
    let mut b = (a + random.below(12)).min(text.len());
    while !text.is_char_boundary(b) {
        b += 1;
    }
    a..b
}

fn mutate(seeds: &[String], random: &mut Random) -> String {
    let mut text = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(5) {
        let at = boundary(&text, random);
        match random.below(8) {
            0..=2 => text.insert_str(at, PIECES[random.below(PIECES.len())]),
            3 => {
                let range = stretch(&text, random);
                text.replace_range(range, "");
            }
            4 => {
                let range = stretch(&text, random);
                text.replace_range(range, PIECES[random.below(PIECES.len())]);
            }
            5 => {
                let copy = text[stretch(&text, random)].to_owned();
                text.insert_str(at, &copy);
            }
            6 => {
                let other = &seeds[random.below(seeds.len())];
                let from = boundary(other, random);
                text.truncate(at);
                text.push_str(&other[from..]);
            }
            _ => {
                let line = text[..at].rfind('\n').map_or(0, |n| n + 1);
                if random.below(2) == 0 {
                    text.insert_str(line, &" ".repeat(1 + random.below(3)));
                } else if text[line..].starts_with(' ') {
                    text.remove(line);
                }
            }
        }
    }
    text
}

/// What cannot be compared. Of two keys that JSON spells alike, the order of a
/// Go map decides which value wins; after a second byte order mark go-yaml
/// drops the first character of lines.
fn undecided(text: &str) -> bool {
    if begins_as_json(text) || text.contains("\u{feff}\u{feff}") {
        return true;
    }
    let Some(answers) = ask(&vec![text.to_owned(); 200]) else {
        return false;
    };
    answers.iter().any(|a| a != &answers[0])
}

/// kubectl stops at the first error.
fn up_to_error(mut docs: Vec<serde_json::Value>) -> Vec<serde_json::Value> {
    if std::env::var_os("NETVERDICT_YAML_KUBECTL").is_some()
        && let Some(first) = docs.iter().position(|d| d.get("error").is_some())
    {
        docs.truncate(first + 1);
    }
    docs
}

#[test]
fn random_texts_read_alike() {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |v| v.parse().expect("a number"))
    };
    let seeds: Vec<String> = cases()
        .into_iter()
        .map(|c| c.text)
        .filter(|t| t.len() < 600)
        .collect();
    let mut random =
        Random(number("NETVERDICT_YAML_SEED", 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut left = usize::try_from(number("NETVERDICT_YAML_RUNS", 20_000)).expect("a count");
    let (mut total, mut failures) = (0, Vec::new());
    while left > 0 {
        let texts: Vec<String> = (0..left.min(BATCH))
            .map(|_| mutate(&seeds, &mut random))
            .collect();
        left -= texts.len();
        let Some(answers) = ask(&texts) else {
            eprintln!("SKIPPED: set NETVERDICT_YAML_ORACLE to the yaml-oracle program");
            return;
        };
        for (text, theirs) in texts.iter().zip(&answers) {
            let ours = ours(text);
            total += 1;
            let (ours, theirs) = (up_to_error(ours), up_to_error(theirs.clone()));
            if !agree(&ours, &theirs) && !undecided(text) {
                failures.push(format!(
                    "{text:?}\n  ours   {}\n  theirs {}",
                    serde_json::Value::from(ours),
                    serde_json::Value::from(theirs),
                ));
            }
        }
    }
    failures.sort_by_key(String::len);
    let shown: Vec<&str> = failures.iter().take(40).map(String::as_str).collect();
    assert!(
        failures.is_empty(),
        "{} of {total} texts differ\n{}",
        failures.len(),
        shown.join("\n")
    );
}

fn files(path: &std::path::Path, all: &mut Vec<String>) {
    if let Ok(entries) = std::fs::read_dir(path) {
        entries.flatten().for_each(|e| files(&e.path(), all));
    } else if let Ok(text) = std::fs::read_to_string(path) {
        let name = path.to_string_lossy();
        if [".yaml", ".yml", ".json"]
            .iter()
            .any(|end| name.ends_with(end))
        {
            all.push(text);
        }
    }
}

/// Every YAML and JSON file below the directories in `NETVERDICT_YAML_FILES`
/// (separated by `:`).
#[test]
fn files_read_alike() {
    let mut texts = Vec::new();
    for path in std::env::var("NETVERDICT_YAML_FILES")
        .unwrap_or_default()
        .split(':')
    {
        files(path.as_ref(), &mut texts);
    }
    let Some(answers) = ask(&texts) else {
        eprintln!("SKIPPED: set NETVERDICT_YAML_ORACLE to the yaml-oracle program");
        return;
    };
    for (text, theirs) in texts.iter().zip(&answers) {
        let ours = ours(text);
        assert!(
            agree(&ours, theirs) || undecided(text),
            "{:.300}\nours   {:.300}\ntheirs {:.300}",
            text,
            serde_json::Value::from(ours).to_string(),
            serde_json::Value::from(theirs.clone()).to_string(),
        );
    }
    eprintln!("{} files read alike", texts.len());
}
