//! `table/include/netverdict_table.h` against the Rust reader, byte for byte.
//!
//! In: the compilers of this machine. Out: a line per form of the header, as
//! test runners print it. Forms are C99 and C++11, trusted and masked, with and
//! without sanitizers, on a big-endian machine, and for BPF. Those for which a
//! tool is missing are ignored and counted.
//!
//! Not part of `cargo test`: `cargo test -p netverdict-reference --test c_table`.

mod c_table_group;

use c_table_group::{Group, groups, hostile};
use netverdict_table::{Direction, Question, View};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// What a form came to.
enum Outcome {
    Passed(String),
    Ignored(String),
}

type Run = Result<Outcome, String>;

const WARNINGS: [&str; 6] = [
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wconversion",
    "-Wshadow",
    "-Werror",
];
const C99: [&str; 2] = ["-std=c99", "-Wstrict-prototypes"];
const CXX11: [&str; 4] = ["-x", "c++", "-std=c++11", "-Wold-style-cast"];
const MASKED: &str = "-DNETVERDICT_TABLE_MASKED";
const SANITIZED: [&str; 3] = [
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-g",
];

/// The sources, what is asked, and where programs go.
struct Bench {
    sources: PathBuf,
    include: PathBuf,
    out: PathBuf,
    groups: Vec<Group>,
    input: PathBuf,
    hostile: PathBuf,
}

impl Bench {
    fn new() -> Result<Self, String> {
        let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../table");
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c_table");
        fs::create_dir_all(&out).map_err(|e| format!("{}: {e}", out.display()))?;
        let groups = groups();
        let questions: usize = groups.iter().map(|g| g.questions.len()).sum();
        println!("{questions} questions about {} tables", groups.len());
        if questions < 100_000 {
            return Err("there are too few questions".into());
        }
        let write = |name: &str, groups: &[Group]| {
            let path = out.join(name);
            let bytes: Vec<u8> = groups.iter().flat_map(Group::to_bytes).collect();
            fs::write(&path, bytes).map_err(|e| format!("{}: {e}", path.display()))?;
            Ok::<PathBuf, String>(path)
        };
        Ok(Self {
            sources: table.join("tests/c"),
            include: table.join("include"),
            input: write("questions", &groups)?,
            hostile: write("hostile", &hostile(&groups))?,
            out,
            groups,
        })
    }

    /// Builds the reader and returns its program.
    fn build(&self, compiler: &str, name: &str, options: &[&str]) -> Result<PathBuf, String> {
        let program = self.out.join(name);
        let mut command = Command::new(compiler);
        command
            .args(options)
            .args(WARNINGS)
            .arg("-I")
            .arg(&self.include)
            .arg(self.sources.join("reader.c"))
            .arg("-o")
            .arg(&program);
        compile(&mut command)?;
        Ok(program)
    }

    /// Runs a reader on all questions and compares its answers.
    fn compare(&self, mut reader: Command) -> Run {
        let answers = run(&mut reader, &self.input)?;
        let mut rest = answers.as_slice();
        for group in &self.groups {
            let expected = group.expected();
            let (found, after) = rest
                .split_at_checked(expected.len())
                .ok_or(format!("{}: answers are missing", group.name))?;
            if let Some(at) = (0..expected.len()).find(|i| found[*i] != expected[*i]) {
                return Err(group.difference(at, found));
            }
            rest = after;
        }
        if rest.is_empty() {
            Ok(Outcome::Passed(format!("{} bytes agree", answers.len())))
        } else {
            Err(format!("{} bytes too many", rest.len()))
        }
    }

    fn host(&self, compiler: &str, name: &str, options: &[&[&str]]) -> Run {
        if !works(compiler) {
            return Ok(Outcome::Ignored(format!("there is no {compiler}")));
        }
        let program = self.build(compiler, name, &options.concat())?;
        self.compare(Command::new(program))
    }

    /// Masked loads over damaged images stay within their memory.
    fn hostile(&self) -> Run {
        if !works("cc") {
            return Ok(Outcome::Ignored("there is no cc".into()));
        }
        let options = [&C99[..], &["-O1", MASKED], &SANITIZED].concat();
        let program = self.build("cc", "c99-masked-hostile", &options)?;
        let answers = run(&mut Command::new(program), &self.hostile)?;
        Ok(Outcome::Passed(format!("{} bytes", answers.len())))
    }

    fn big_endian(&self, name: &str, options: &[&str]) -> Run {
        let compiler = "s390x-linux-gnu-gcc";
        let emulator = ["qemu-s390x", "qemu-s390x-static"]
            .into_iter()
            .find(|e| works(e));
        let Some(emulator) = emulator.filter(|_| works(compiler)) else {
            let why = format!("no {compiler} or no qemu-s390x; xtask/install-tools installs them");
            return Ok(Outcome::Ignored(why));
        };
        let options = [&C99[..], &["-O2", "-static"], options].concat();
        let program = self.build(compiler, name, &options)?;
        let mut command = Command::new(emulator);
        command.arg(program);
        self.compare(command)
    }

    /// The lines of docs/table-format.md, within a function, say of every table
    /// what the Rust reader says.
    fn documented(&self) -> Run {
        if !works("cc") {
            return Ok(Outcome::Ignored("there is no cc".into()));
        }
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/table-format.md");
        let page = fs::read_to_string(&page).map_err(|e| format!("{}: {e}", page.display()))?;
        let block = page.split("```c\n").nth(1);
        let block = block.and_then(|b| b.split("```").next());
        let (include, lines) = block
            .and_then(|b| b.split_once('\n'))
            .ok_or("docs/table-format.md has no program")?;
        let text = format!(
            "{include}\n#include <stdio.h>\n\
             static unsigned char bytes[1 << 26];\n\
             static int ask(size_t length) {{\n{lines}return 0;\n}}\n\
             int main(void) {{ return ask(fread(bytes, 1, sizeof bytes, stdin)) != 0; }}\n"
        );
        let source = self.out.join("documented.c");
        fs::write(&source, text).map_err(|e| format!("{}: {e}", source.display()))?;
        let program = self.out.join("documented");
        let mut cc = Command::new("cc");
        cc.args(C99).args(WARNINGS).arg("-I").arg(&self.include);
        compile(cc.arg(&source).arg("-o").arg(&program))?;
        let image = self.out.join("documented.nvt");
        let question = Question::new(0, Direction::Ingress, 4711, 6, 443);
        let mut passes = 0;
        for group in &self.groups {
            fs::write(&image, &group.image).map_err(|e| format!("{}: {e}", image.display()))?;
            let input = File::open(&image).map_err(|e| format!("{}: {e}", image.display()))?;
            let status = Command::new(&program).stdin(input).status();
            let said = status
                .map_err(|e| format!("{}: {e}", program.display()))?
                .success();
            let view = View::new(&group.image).map_err(|e| e.to_string())?;
            let wanted = view.verdict(&question).is_some_and(|a| a.is_allowed());
            if said != wanted {
                return Err(format!("{}: {said} instead of {wanted}", group.name));
            }
            passes += usize::from(said);
        }
        let tables = self.groups.len();
        Ok(Outcome::Passed(format!(
            "{tables} tables, {passes} of which pass it"
        )))
    }

    fn bpf(&self, target: &str) -> Run {
        let known = ["clang", "clang-19", "clang-18", "clang-17"];
        let Some(clang) = known.into_iter().find(|c| works(c)) else {
            let why = "there is no clang; xtask/install-tools installs one";
            return Ok(Outcome::Ignored(why.into()));
        };
        let object = self.out.join(format!("table.{target}.o"));
        let mut command = Command::new(clang);
        command
            .args(["-target", target, "-mcpu=v3", "-O2", "-g", "-Wall"])
            .args(["-Wextra", "-Werror", "-I"])
            .arg(&self.include)
            .arg("-c")
            .arg(self.sources.join("table.bpf.c"))
            .arg("-o")
            .arg(&object);
        compile(&mut command)?;
        let bytes = fs::read(&object).map_err(|e| e.to_string())?;
        // An ELF file's machine: 247 is BPF.
        let machine = if target == "bpfeb" {
            [0, 247]
        } else {
            [247, 0]
        };
        if bytes.get(18..20) != Some(&machine[..]) {
            return Err("this is no BPF object".into());
        }
        Ok(Outcome::Passed(format!("{clang}: {} bytes", bytes.len())))
    }
}

/// True when a program can be started.
fn works(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|s| s.success())
}

fn compile(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{command:?}:\n{text}"))
}

fn run(command: &mut Command, input: &Path) -> Result<Vec<u8>, String> {
    let input = File::open(input).map_err(|e| format!("{}: {e}", input.display()))?;
    let output = command.stdin(input).output().map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{command:?}: {}\n{text}", output.status))
}

fn forms(bench: &Bench) -> Vec<(&'static str, Run)> {
    let o1 = &["-O1"][..];
    let o2 = &["-O2"][..];
    let masked = &[MASKED][..];
    let host = |compiler, name, options: &[&[&str]]| (name, bench.host(compiler, name, options));
    vec![
        host("cc", "c99", &[&C99, o2]),
        host("cc", "c99-masked", &[&C99, o2, masked]),
        host("c++", "c++11", &[&CXX11, o2]),
        host("c++", "c++11-masked", &[&CXX11, o2, masked]),
        host("cc", "c99-sanitized", &[&C99, o1, &SANITIZED]),
        host(
            "cc",
            "c99-masked-sanitized",
            &[&C99, o1, &SANITIZED, masked],
        ),
        ("c99-masked-hostile", bench.hostile()),
        ("big-endian", bench.big_endian("big-endian", &[])),
        (
            "big-endian-masked",
            bench.big_endian("big-endian-masked", masked),
        ),
        ("documented", bench.documented()),
        ("bpfel", bench.bpf("bpfel")),
        ("bpfeb", bench.bpf("bpfeb")),
    ]
}

fn main() -> ExitCode {
    let results = match Bench::new() {
        Ok(bench) => forms(&bench),
        Err(error) => vec![("questions", Err(error))],
    };
    let [mut passed, mut failed, mut ignored] = [0; 3];
    for (name, result) in results {
        match result {
            Ok(Outcome::Passed(note)) => {
                passed += 1;
                println!("test {name} ... ok, {note}");
            }
            Ok(Outcome::Ignored(why)) => {
                ignored += 1;
                println!("test {name} ... ignored, {why}");
            }
            Err(error) => {
                failed += 1;
                println!("test {name} ... FAILED\n{error}");
            }
        }
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "test result: {word}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; 0 filtered out"
    );
    ExitCode::from(u8::from(failed != 0))
}
