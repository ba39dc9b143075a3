//! Regular expressions as HTTP rules have them, and texts close to them.

use super::super::dice::Dice;

const ATOMS: [&str; 26] = [
    "/",
    "a",
    "api",
    "v1",
    ".",
    "[a-z]",
    "[^/]",
    r"\d",
    r"\w",
    r"\.",
    "[[:alpha:]]",
    "(a|b)",
    "(?:v1|v2)",
    r"\pL",
    r"\Q.*\E",
    "[0-9a-f]",
    r"\x2f",
    "(?i)A",
    "(?i:Api)",
    "[^a]",
    r"\S",
    "é",
    r"[\d.]",
    r"\bapi\b",
    "",
    "[a&&b]",
];
const REPEATS: [&str; 12] = [
    "", "", "", "", "*", "+", "?", "*?", "{2}", "{1,3}", "{0,}", "{,2}",
];
/// What is taken by some engines and not by RE2.
const WRONG: [&str; 9] = [
    "(", "a**", r"\1", "(?=a)", "[z-a]", "a{1001}", r"\p{Foo}", "[a", "(?x)",
];

pub(super) fn path(dice: &mut Dice) -> String {
    match dice.weighted(&[4, 3, 6, 1]) {
        0 => dice
            .pick(&["/", "/docs", "/api/v1", "/public/index.html", "/a.b"])
            .to_owned(),
        1 => dice
            .pick(&[
                "/api/.*",
                "/v[12]/.+",
                ".*",
                "/users/[0-9]+",
                "/(a|b)/?",
                "^/a$",
            ])
            .to_owned(),
        2 => "/".to_owned() + &sequence(dice, 5),
        _ => hostile(dice),
    }
}

pub(super) fn method(dice: &mut Dice) -> String {
    match dice.weighted(&[12, 1]) {
        0 => dice
            .pick(&[
                "GET", "POST", "GET|HEAD", "(?i)get", "P.*", "[A-Z]+", "^GET$",
            ])
            .to_owned(),
        _ => sequence(dice, 3),
    }
}

/// The agent does not look at hosts: Envoy does.
pub(super) fn host(dice: &mut Dice) -> String {
    match dice.weighted(&[12, 1, 1]) {
        0 => dice
            .pick(&[
                "a.io",
                r"a\.io",
                r".*\.io",
                "(www|api).a.io",
                r"a.io(:\d+)?",
            ])
            .to_owned(),
        1 => sequence(dice, 4),
        _ => dice.pick(&WRONG).to_owned(),
    }
}

fn sequence(dice: &mut Dice, most: u32) -> String {
    (0..dice.between(1, most))
        .map(|_| {
            let atom = dice.pick(&ATOMS);
            let repeat = if atom.is_empty() {
                ""
            } else {
                dice.pick(&REPEATS)
            };
            let bar = if dice.chance(5) { "|" } else { "" };
            format!("{atom}{repeat}{bar}")
        })
        .collect()
}

fn hostile(dice: &mut Dice) -> String {
    match dice.below(4) {
        0 => dice.pick(&WRONG).to_owned(),
        1 => "(a*)*".repeat(dice.between(1, 6) as usize) + "b",
        2 => "(a?){30}a{30}".to_owned(),
        _ => format!("/{}", "(x+x+)+".repeat(dice.between(1, 3) as usize)),
    }
}

/// A text like one that these match.
pub(super) fn near(dice: &mut Dice, expressions: &[String], default: &str) -> String {
    if expressions.is_empty() || dice.chance(15) {
        return dice
            .pick(&[
                default,
                "/api/v1/a",
                "/",
                "get",
                "a.io:80",
                "aaaaaaaaaaaaaaaaaaaaaaaa",
                "",
            ])
            .to_owned();
    }
    let from = dice.one(expressions);
    let mut out = String::new();
    let mut chars = from.chars().peekable();
    let mut skip = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('d') => out.push('7'),
                Some('w') => out.push('_'),
                Some('S') => out.push('s'),
                Some('p') => {
                    chars.next();
                    out.push('é');
                }
                Some('x') => {
                    chars.next();
                    chars.next();
                    out.push('/');
                }
                Some('Q' | 'E' | 'b') => {}
                Some(c) => out.push(c),
                None => {}
            },
            '[' => {
                let inside: String = chars.by_ref().take_while(|c| *c != ']').collect();
                out.push(inside.chars().next().unwrap_or('a'));
            }
            '{' => {
                chars.by_ref().take_while(|c| *c != '}').for_each(drop);
                let last = out.chars().last().unwrap_or('a');
                out.extend((0..dice.below(3)).map(|_| last));
            }
            '|' => skip = dice.chance(50),
            ')' => skip = false,
            '(' | '^' | '$' | '?' => {}
            '.' => out.push(dice.one(&['.', 'x', '\n', '/'])),
            '*' | '+' => {
                let last = out.chars().last().unwrap_or('a');
                out.extend((0..dice.below(4)).map(|_| last));
            }
            c if !skip => out.push(c),
            _ => {}
        }
    }
    match dice.weighted(&[12, 1, 1, 1, 1]) {
        1 => out.push('/'),
        2 => out.push_str("?a=1"),
        3 => out = out.to_uppercase(),
        4 => out.insert(0, 'x'),
        _ => {}
    }
    out
}
