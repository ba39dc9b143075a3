//! Runs every command that the documentation shows and compares what it
//! prints: fenced blocks that begin with `console`, lines that begin with `$ `.
//! A block after `<!-- file: PATH -->` shows that file of the repository.
//!
//! `UPDATE_STORIES=1 cargo test -p netverdict-cli --test stories` writes the
//! output anew.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What a command line prints, standard error first, and how it ends.
fn output_of(line: &str) -> String {
    let (line, stdin) = match line.rsplit_once(" < ") {
        Some((line, file)) => (line, Some(file)),
        None => (line, None),
    };
    // The same program, as somebody without it installed starts it.
    let built = line.strip_prefix("cargo run --release --bin netverdict -- ");
    let built = built.map(|arguments| format!("netverdict {arguments}"));
    let words = words(built.as_deref().unwrap_or(line));
    let (program, arguments) = words.split_first().expect("a command");
    assert_eq!(program, "netverdict", "{line}");
    let stdin = stdin.map_or_else(Stdio::null, |file| {
        Stdio::from(std::fs::File::open(root().join(file)).expect(file))
    });
    let output = Command::new(env!("CARGO_BIN_EXE_netverdict"))
        .args(arguments)
        .current_dir(root())
        .env("COLUMNS", "100")
        .env_remove("CLICOLOR_FORCE")
        .stdin(stdin)
        .output()
        .expect("the program runs");
    let mut text = String::from_utf8(output.stderr).expect("UTF-8");
    text.push_str(&String::from_utf8(output.stdout).expect("UTF-8"));
    match output.status.code() {
        Some(0) => {}
        Some(code) => writeln!(text, "[exit status {code}]").expect("a string"),
        None => panic!("killed: {line}\n{text}"),
    }
    assert!(!text.contains("```"), "{line} prints a fence");
    // Trailing blanks would be lost in the page.
    let mut lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    while lines.last().is_some_and(|l| l.is_empty()) {
        lines.pop();
    }
    lines.iter().fold(String::new(), |all, l| all + l + "\n")
}

/// The words of a command line; quotes hold words together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, ' ') => words.push(String::new()),
            (_, c) => words.last_mut().expect("a word").push(c),
        }
    }
    words.retain(|w| !w.is_empty());
    words
}

/// The page with every output as it is now.
fn replay(page: &str) -> (String, usize) {
    let mut replayed = String::new();
    let mut commands = 0;
    let mut in_story = false;
    let mut file: Option<&str> = None;
    let mut in_file = false;
    for line in page.lines() {
        let named = line.strip_prefix("<!-- file: ");
        file = named.and_then(|l| l.strip_suffix(" -->")).or(file);
        if line.starts_with("```") {
            in_story = line == "```console";
            in_file = !in_file && file.is_some() && line != "```";
            replayed += &format!("{line}\n");
            if let (true, Some(path)) = (in_file, file.take()) {
                replayed += &std::fs::read_to_string(root().join(path)).expect(path);
            }
        } else if in_file {
            // Written above.
        } else if !in_story {
            replayed += &format!("{line}\n");
        } else if let Some(command) = line.strip_prefix("$ ") {
            commands += 1;
            replayed += &format!("{line}\n{}", output_of(command));
        }
    }
    (replayed, commands)
}

fn check(page: &str) {
    let path = root().join(page);
    let text = std::fs::read_to_string(&path).expect(page);
    // Some commands write files there.
    std::fs::create_dir_all(root().join("target")).expect("a folder");
    let (replayed, commands) = replay(&text);
    let in_guide = page.starts_with("docs/guide/");
    assert!(commands > 0 || in_guide, "{page} shows no commands");
    if text == replayed {
        return;
    }
    if std::env::var_os("UPDATE_STORIES").is_some() {
        std::fs::write(path, replayed).expect(page);
        return;
    }
    for (n, (old, new)) in text.lines().zip(replayed.lines()).enumerate() {
        assert_eq!(
            new,
            old,
            "{page}:{}: the output changed; UPDATE_STORIES=1 writes it anew",
            n + 1
        );
    }
    panic!("{page}: the output has another length; UPDATE_STORIES=1 writes it anew");
}

#[test]
fn the_front_page_shows_what_is_printed() {
    check("README.md");
}

#[test]
fn the_command_line_page_shows_what_is_printed() {
    check("docs/cli.md");
}

#[test]
fn check_prints_what_it_printed() {
    check("cli/tests/check.md");
}

#[test]
fn questions_are_answered_as_before() {
    check("cli/tests/questions.md");
}

#[test]
fn reach_and_differences_are_shown() {
    check("cli/tests/reach.md");
}

#[test]
fn the_guide_shows_what_is_printed() {
    let folder = root().join("docs/guide/src");
    let entries = std::fs::read_dir(folder).expect("the guide");
    let mut pages: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .filter_map(|name| name.into_string().ok().filter(|n| n.ends_with(".md")))
        .collect();
    pages.sort();
    assert!(pages.len() > 10, "{pages:?}");
    for page in pages {
        check(&format!("docs/guide/src/{page}"));
    }
}

#[test]
fn the_picture_is_the_one_that_reach_draws() {
    let path = root().join("docs/guide/src/images/shop.svg");
    let drawn = output_of("netverdict reach examples/shop/manifests -o svg");
    if std::env::var_os("UPDATE_STORIES").is_some() {
        std::fs::write(&path, &drawn).expect("the picture");
    }
    let shown = std::fs::read_to_string(&path).expect("the picture");
    assert_eq!(shown, drawn, "UPDATE_STORIES=1 draws it anew");
}

#[test]
fn the_examples_show_what_is_printed() {
    let folders = std::fs::read_dir(root().join("examples")).expect("the examples");
    let mut pages: Vec<String> = folders
        .map(|folder| folder.expect("an entry").file_name())
        .map(|name| format!("examples/{}/README.md", name.to_str().expect("UTF-8")))
        .filter(|page| root().join(page).is_file())
        .collect();
    pages.sort();
    assert!(pages.len() > 5, "{pages:?}");
    for page in pages {
        check(&page);
    }
}
