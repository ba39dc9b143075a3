//! The C ABI, tried by programs in C and C++.
//!
//! In: the compilers of this machine. Out: every program of `ffi/tests/c` as
//! C99 and C++17, with the shared and the static library, with sanitizers, in
//! Valgrind; and all cases of testdata/ through the C ABI.

use crate::install::{self, Profile, target_folder};
use crate::job::{self, Tally, cargo_test_line, command, root, run_tests, skip};
use crate::{sanitize, testdata};
use netverdict_compare::Case;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const WARNINGS: [&str; 5] = ["-Wall", "-Wextra", "-pedantic", "-Wshadow", "-Werror"];
const C99: [&str; 3] = ["cc", "-std=c99", "-xc"];
const CXX17: [&str; 3] = ["c++", "-std=c++17", "-xc++"];
const SANITIZED: [&str; 3] = [
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-g",
];
const SYSTEM: [&str; 3] = ["-lpthread", "-ldl", "-lm"];

/// Who calls every function of `netverdict.h`, by noun.
const CALLERS: [&str; 6] = [
    "engine",
    "objects",
    "questions",
    "views",
    "layer7",
    "threads",
];

/// What the programs are built with and against.
pub(crate) struct Bench {
    prefix: PathBuf,
    out: PathBuf,
}

impl Bench {
    /// Builds and installs the libraries.
    pub(crate) fn new() -> Result<Self, String> {
        let out = target_folder().join("ffi");
        let prefix = out.join("prefix");
        std::fs::create_dir_all(&out).map_err(|e| format!("{}: {e}", out.display()))?;
        let text = prefix.to_str().ok_or("the target folder is not UTF-8")?;
        install::run(text, Profile::Dev)?;
        Ok(Self { prefix, out })
    }

    /// Where programs go.
    pub(crate) fn folder(&self) -> &Path {
        &self.out
    }

    /// Where the libraries are.
    pub(crate) fn lib(&self) -> PathBuf {
        self.prefix.join("lib")
    }

    /// Builds a program of `ffi/tests/c`; `name` says how.
    fn build(&self, source: &str, name: &str, how: &How) -> Result<PathBuf, String> {
        let program = self.out.join(format!("{source}-{name}"));
        let [compiler, standard, language] = how.language;
        let mut cc = command(compiler, &[standard, language]);
        cc.args(WARNINGS).args(how.options);
        cc.arg("-I").arg(self.prefix.join("include"));
        cc.arg(root().join("ffi/tests/c").join(format!("{source}.c")));
        cc.args(["-xnone", "-o"]).arg(&program);
        if how.shared {
            cc.arg("-L")
                .arg(self.lib())
                .arg(format!("-l{}", how.library));
            cc.arg(format!("-Wl,-rpath,{}", self.lib().display()));
        } else {
            cc.arg(self.lib().join(format!("lib{}.a", how.library)));
        }
        cc.args(SYSTEM);
        job::run(&mut cc)?;
        Ok(program)
    }
}

struct How {
    language: [&'static str; 3],
    options: &'static [&'static str],
    library: &'static str,
    shared: bool,
}

const SHARED_C: How = How {
    language: C99,
    options: &["-O1"],
    library: "netverdict",
    shared: true,
};

/// True when a program of that name starts.
pub(crate) fn there(program: &str) -> bool {
    let mut command = Command::new(program);
    // Go has a command for it, and no option.
    let version = if program == "go" {
        "version"
    } else {
        "--version"
    };
    command.arg(version).stdout(Stdio::null());
    command
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

/// The programs, as a required check runs them.
pub(crate) fn programs() -> Result<Tally, String> {
    if !there("cc") || !there("c++") {
        return Ok(skip("no C and C++ compilers"));
    }
    let bench = Bench::new()?;
    let mut tally = Tally::default();
    let static_cxx = How {
        language: CXX17,
        library: "netverdict",
        shared: false,
        ..SHARED_C
    };
    let sanitized = How {
        options: &SANITIZED,
        ..SHARED_C
    };
    for source in CALLERS {
        for (name, how) in [
            ("c99", &SHARED_C),
            ("c++17", &static_cxx),
            ("sanitized", &sanitized),
        ] {
            let program = bench.build(source, name, how)?;
            println!("{source}, {name}");
            let mut run = Command::new(program);
            // Memory of the library that nobody freed counts, too.
            run.env("ASAN_OPTIONS", "detect_leaks=1");
            tally += job::run(&mut run)?;
        }
    }
    tally += documented(&bench)?;
    tally += cxx_readme(&bench)?;
    tally += tables(&bench)?;
    tally += symbols(&bench)?;
    tally += agent(&bench)?;
    tally += cxx(&bench)?;
    tally += cmake(&bench)?;
    let program = bench.build("scenario", "c99", &SHARED_C)?;
    tally += replay(&[&path(&program)?])?;
    Ok(tally)
}

/// The programs of docs/c-abi.md, and a part of what each prints.
const DOCUMENTED: [&str; 2] = [
    "\"verdict\":\"default-deny\"",
    "5432: passes\n5433: is dropped\n",
];

fn documented(bench: &Bench) -> Result<Tally, String> {
    let page = root().join("docs/c-abi.md");
    let page = std::fs::read_to_string(&page).map_err(|e| format!("{}: {e}", page.display()))?;
    let blocks = page.split("```c\n").skip(1);
    let blocks: Vec<&str> = blocks.filter_map(|b| b.split("```").next()).collect();
    if blocks.len() != DOCUMENTED.len() {
        return Err(format!("docs/c-abi.md has {} programs in C", blocks.len()));
    }
    let mut tally = Tally::default();
    for (number, (code, expected)) in blocks.into_iter().zip(DOCUMENTED).enumerate() {
        let source = bench.out.join(format!("documented-{number}.c"));
        std::fs::write(&source, code).map_err(|e| format!("{}: {e}", source.display()))?;
        let program = bench.out.join(format!("documented-{number}"));
        let mut cc = command("cc", &["-std=c99"]);
        cc.args(WARNINGS).args(SANITIZED);
        cc.arg("-I").arg(bench.prefix.join("include")).arg(&source);
        cc.arg(bench.lib().join("libnetverdict.a")).args(SYSTEM);
        cc.arg("-o").arg(&program);
        job::run(&mut cc)?;
        let text = output(&mut Command::new(program))?;
        if !text.contains(expected) {
            return Err(format!("program {number} of docs/c-abi.md says {text}"));
        }
        tally += Tally::ONE;
    }
    Ok(tally)
}

/// The lines of the README of the C++ classes are a program, with what they
/// leave out around them.
fn cxx_readme(bench: &Bench) -> Result<Tally, String> {
    let read = |file: &str| {
        let path = root().join("bindings").join(file);
        std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
    };
    let page = read("cpp/README.md")?;
    let block = page.split("```cpp\n").nth(1);
    let block = block.and_then(|b| b.split("```").next());
    let block = block.ok_or("bindings/cpp/README.md has no program")?;
    let lines = block
        .lines()
        .filter(|l| !l.starts_with("#include"))
        .collect::<Vec<_>>()
        .join("\n");
    let program = format!(
        "#include <iostream>\n#include <netverdict.hpp>\n#include <string>\n\nint main() {{\n\
         const std::string yaml = R\"yaml({})yaml\";\n\
         const std::uint64_t now_in_milliseconds = 0;\n{lines}\nstd::cout << '\\n' \
         << netverdict::allowed(view.verdict(question)) << '\\n';\nreturn 0;\n}}\n",
        read("readme.yaml")?
    );
    let source = bench.out.join("readme.cpp");
    std::fs::write(&source, program).map_err(|e| format!("{}: {e}", source.display()))?;
    let to = bench.out.join("readme-cpp");
    let mut cc = command("c++", &["-std=c++17"]);
    cc.args(SANITIZED)
        .arg("-I")
        .arg(bench.prefix.join("include"));
    cc.arg(&source).arg("-o").arg(&to);
    cc.arg(bench.lib().join("libnetverdict.a")).args(SYSTEM);
    job::run(&mut cc)?;
    let text = output(&mut Command::new(to))?;
    let wanted = [
        "\"verdict\":\"allow\"",
        "\"outcome\":\"forwarded\"",
        "\n1\n",
    ];
    match wanted.iter().find(|w| !text.contains(**w)) {
        Some(missing) => Err(format!(
            "{missing} is not in what the README's program says: {text}"
        )),
        None => Ok(Tally::ONE),
    }
}

/// The library of tables says the same as the header without a library.
fn tables(bench: &Bench) -> Result<Tally, String> {
    let image = bench.out.join("golden");
    let case = root().join("testdata/cases/golden/g21-allow-b-deny-b-at-80.json");
    let text = std::fs::read_to_string(&case).map_err(|e| format!("{}: {e}", case.display()))?;
    let case = Case::parse(&text).map_err(|e| format!("{}: {e}", case.display()))?;
    let bytes = case.scenario.prepare().compile();
    let bytes = bytes.map_err(|(subject, e)| format!("subject {subject}: {e}"))?;
    std::fs::write(&image, bytes).map_err(|e| format!("{}: {e}", image.display()))?;
    let mut tally = Tally::default();
    for (name, language, shared) in [("c99", C99, true), ("c++17", CXX17, false)] {
        let how = How {
            language,
            options: &SANITIZED,
            library: "netverdict_table",
            shared,
        };
        let program = bench.build("table", name, &how)?;
        println!("table, {name}");
        tally += job::run(Command::new(program).arg(&image))?;
    }
    Ok(tally)
}

/// Exactly the functions of the headers are exported, and the sonames have the
/// number of the ABI.
fn symbols(bench: &Bench) -> Result<Tally, String> {
    if !there("nm") || !there("readelf") {
        return Ok(skip("no nm and readelf"));
    }
    let declared = |header: &str| -> Result<Vec<String>, String> {
        let path = bench.prefix.join("include").join(header);
        let text =
            std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let code = text
            .lines()
            .filter(|l| !l.trim_start().starts_with(['*', '/', 't']));
        // Types begin with `t`, which no function's line does.
        let names = code.filter_map(|l| {
            let before = l.split_once('(')?.0;
            let name = before.rsplit([' ', '*']).next()?;
            name.starts_with("netverdict_").then(|| name.to_owned())
        });
        Ok(names.collect())
    };
    let table = declared("netverdict_view.h")?;
    let mut all = declared("netverdict.h")?;
    all.extend(table.iter().cloned());
    let mut tally = Tally::default();
    for (library, mut expected) in [("netverdict", all), ("netverdict_table", table)] {
        let path = bench.lib().join(format!("lib{library}.so"));
        let mut found: Vec<String> =
            output(Command::new("nm").args(["-D", "--defined-only"]).arg(&path))?
                .lines()
                .filter_map(|l| l.rsplit(' ').next())
                .map(str::to_owned)
                .collect();
        expected.sort();
        found.sort();
        if expected != found {
            let missing: Vec<_> = expected.iter().filter(|n| !found.contains(n)).collect();
            let more: Vec<_> = found.iter().filter(|n| !expected.contains(n)).collect();
            return Err(format!(
                "{library}: not exported {missing:?}, not declared {more:?}"
            ));
        }
        let dynamic = output(Command::new("readelf").arg("-d").arg(&path))?;
        let soname = format!("[lib{library}.so.0]");
        if !dynamic.contains(&soname) {
            return Err(format!("{library}: the soname is not {soname}"));
        }
        println!("{library}: {} functions", found.len());
        tally.passed += 1;
    }
    Ok(tally)
}

fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| e.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// The example agent publishes into BPF maps, where it may.
fn agent(bench: &Bench) -> Result<Tally, String> {
    let flags = Command::new("pkg-config")
        .args(["--cflags", "--libs", "libbpf"])
        .output();
    let flags = match flags {
        Ok(output) if output.status.success() => output.stdout,
        _ => return Ok(skip("no libbpf: apt-get install libbpf-dev")),
    };
    let flags = String::from_utf8_lossy(&flags).into_owned();
    let program = bench.out.join("agent");
    let mut cc = command("cc", &["-std=c99"]);
    cc.args(WARNINGS).args(SANITIZED);
    cc.arg("-I").arg(bench.prefix.join("include"));
    cc.arg(root().join("ffi/example/agent.c"))
        .arg("-o")
        .arg(&program);
    cc.arg("-L").arg(bench.lib()).arg("-lnetverdict");
    cc.arg(format!("-Wl,-rpath,{}", bench.lib().display()));
    job::run(cc.args(flags.split_whitespace()).args(SYSTEM))?;
    let mut run = Command::new(&program);
    run.args(yaml_files(&root().join("examples/three-tier"))?);
    run.args(["--", "shop/backend", "shop/database", "7379"]);
    let output = run.output().map_err(|e| format!("agent: {e}"))?;
    let both = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&both).into_owned();
    print!("{text}");
    if !text.contains("shop/backend -> shop/database 7379/TCP: allow") {
        return Err("the agent gives another verdict".into());
    }
    match output.status.code() {
        Some(0) => Ok(Tally::ONE),
        Some(3) => Ok(skip(
            "this user may not create BPF maps: nothing was published",
        )),
        _ => Err(format!("agent: {}", output.status)),
    }
}

/// The C++ classes, and all cases of testdata/ through them.
fn cxx(bench: &Bench) -> Result<Tally, String> {
    let program = bench.out.join("cpp");
    let mut cc = command("c++", &["-std=c++17"]);
    cc.args(WARNINGS).args(SANITIZED);
    cc.arg("-I").arg(bench.prefix.join("include"));
    cc.arg(root().join("bindings/cpp/tests/test.cpp"));
    cc.arg("-o").arg(&program);
    cc.arg("-L").arg(bench.lib()).arg("-lnetverdict");
    cc.arg(format!("-Wl,-rpath,{}", bench.lib().display()));
    cc.args(SYSTEM);
    job::run(&mut cc)?;
    println!("C++ classes");
    let mut tally = job::run(&mut Command::new(&program))?;
    tally += replay(&[&path(&program)?, "--lines"])?;
    Ok(tally)
}

/// `find_package`, as the example uses it, and pkg-config.
fn cmake(bench: &Bench) -> Result<Tally, String> {
    let mut tally = Tally::default();
    if there("cmake") {
        let build = bench.out.join("cmake");
        // What it keeps there names the folders of before, which may have moved.
        let _ = std::fs::remove_dir_all(&build);
        let example = root().join("bindings/cpp/example");
        let mut configure = Command::new("cmake");
        configure.arg("-S").arg(example).arg("-B").arg(&build);
        configure.arg(format!("-DCMAKE_PREFIX_PATH={}", bench.prefix.display()));
        quietly(&mut configure)?;
        quietly(Command::new("cmake").arg("--build").arg(&build))?;
        let input = root().join("examples/three-tier");
        for name in ["netverdict-example", "netverdict-example-static"] {
            let mut run = Command::new(build.join(name));
            for file in yaml_files(&input)? {
                run.arg(file);
            }
            run.args(["--", "shop/backend", "shop/database", "7379/TCP"]);
            let text = output(&mut run)?;
            if !text.contains("\"port\":7379,\"verdict\":\"allow\"") {
                return Err(format!("{name}: {text}"));
            }
            tally.passed += 1;
        }
    } else {
        tally += skip("no cmake");
    }
    if !there("pkg-config") {
        tally += skip("no pkg-config");
        return Ok(tally);
    }
    let mut flags = Command::new("pkg-config");
    flags.env("PKG_CONFIG_PATH", bench.lib().join("pkgconfig"));
    let text = output(flags.args(["--cflags", "--libs", "netverdict", "netverdict-table"]))?;
    if !text.contains("-lnetverdict ") || !text.contains("-lnetverdict_table") {
        return Err(format!("pkg-config: {text}"));
    }
    tally.passed += 1;
    Ok(tally)
}

/// The YAML files of a folder with Kubernetes objects.
fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files = Vec::new();
    for path in entries.flatten().map(|e| e.path()) {
        if path.is_dir() {
            files.extend(yaml_files(&path)?);
        } else if path.extension().is_some_and(|e| e == "yaml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Runs a command whose output matters only when it fails.
fn quietly(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let both = [output.stdout, output.stderr].concat();
    Err(String::from_utf8_lossy(&both).into_owned())
}

fn path(of: &Path) -> Result<String, String> {
    let text = of.to_str().ok_or("the target folder is not UTF-8")?;
    Ok(text.to_owned())
}

/// All cases of testdata/ through a program.
fn replay(engine: &[&str]) -> Result<Tally, String> {
    testdata::replay(&engine.join(" "))?;
    Ok(Tally::ONE)
}

/// The programs in Valgrind, and the readers under ThreadSanitizer.
pub(crate) fn long() -> Result<Tally, String> {
    let mut tally = if there("valgrind") && there("cc") {
        let bench = Bench::new()?;
        let mut tally = Tally::default();
        for source in CALLERS {
            let program = bench.build(source, "c99", &SHARED_C)?;
            tally += job::run(&mut valgrind(&program))?;
        }
        tally
    } else {
        skip("no valgrind and C compiler")
    };
    tally += threads()?;
    Ok(tally)
}

fn valgrind(program: &Path) -> Command {
    let mut run = Command::new("valgrind");
    run.args(["--quiet", "--leak-check=full", "--error-exitcode=9"]);
    run.arg(program);
    run
}

/// Readers and a writer, all of Rust's library and the engine included.
fn threads() -> Result<Tally, String> {
    let Some((mut test, host)) = sanitize::nightly_test() else {
        return Ok(skip("no nightly compiler with rust-src"));
    };
    test.args([
        "-Zbuild-std",
        "--target",
        &host,
        "-p",
        "netverdict-ffi",
        "--test",
        "threads",
    ]);
    test.env("RUSTFLAGS", "-Zsanitizer=thread");
    test.env("CARGO_TARGET_DIR", target_folder().join("tsan"));
    run_tests(&mut test, cargo_test_line)
}
