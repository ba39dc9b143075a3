//! DNS names and patterns, and names close to them.

use super::super::dice::Dice;

const LABELS: [&str; 9] = ["a", "b", "io", "www", "cilium", "sub-1", "_x", "1", "xn--b"];
const STARS: [&str; 8] = ["*", "**", "***", "a*", "*b", "a*b", "**a", "*-*"];
/// What no name has.
const WRONG: [&str; 8] = [" ", "/", "é", "\u{212a}", "\\", "$", "\n", "\u{130}"];

/// A `matchName`.
pub(super) fn name(dice: &mut Dice) -> String {
    written(dice, 0)
}

/// A `matchPattern`.
pub(super) fn pattern(dice: &mut Dice) -> String {
    match dice.weighted(&[30, 1, 1]) {
        0 => written(dice, 60),
        1 => "*".repeat(dice.between(1, 4) as usize) + dice.pick(&["", "."]),
        _ => "a*".repeat(dice.between(100, 128) as usize),
    }
}

fn written(dice: &mut Dice, stars: u32) -> String {
    if dice.chance(2) {
        // At the limit of what is taken.
        return "abcdefgh.".repeat(28) + &"x".repeat(dice.between(0, 6) as usize);
    }
    let labels: Vec<String> = (0..dice.between(1, 4))
        .map(|_| {
            let star = dice.chance(stars);
            dice.pick(if star { &STARS } else { &LABELS }).to_owned()
        })
        .collect();
    let mut text = labels.join(".");
    if dice.chance(20) {
        text.push('.');
    }
    if dice.chance(3) {
        text.push('.');
    }
    if dice.chance(20) {
        text = text.to_uppercase();
    }
    if dice.chance(2) {
        text.push_str(dice.pick(&WRONG));
    }
    text
}

/// A name like one that these match.
pub(super) fn near(dice: &mut Dice, texts: &[String]) -> String {
    let from = if texts.is_empty() || dice.chance(10) {
        name(dice)
    } else {
        dice.one(texts)
    };
    let mut out = String::new();
    let mut star = false;
    for c in from.chars() {
        if c != '*' {
            out.push(c);
        } else if !star {
            let filled = dice.pick(&["", "a", "b-1", "x.y", "a.b.c", "_", "A"]);
            out.push_str(filled);
        }
        star = c == '*';
    }
    match dice.weighted(&[10, 1, 1, 1, 1, 2, 1]) {
        1 => out.insert_str(0, "www."),
        2 => {
            out = out
                .split_once('.')
                .map_or(out.clone(), |(_, rest)| rest.to_owned());
        }
        3 => out.push('x'),
        4 => out = out.to_uppercase(),
        5 => out.push('.'),
        6 => out.push_str(dice.pick(&WRONG)),
        _ => {}
    }
    out
}
