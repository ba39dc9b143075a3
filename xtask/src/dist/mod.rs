//! `cargo xtask dist`: every package, in dist/.
//!
//! In: the workspace. Out: crates, the npm tarball, the built editor, the Python
//! wheel and its source, the C archive, the Go module, the command line with
//! completions, manual pages, the editor and the action, a container file, a bill
//! of materials, and `SHA256SUMS`. What this machine cannot make is named, and
//! counted as skipped. With `--quick` it is made of what is built for tests: to try
//! the packages, not to give them away.

mod again;
mod archive;
mod bill;
mod try_out;

use crate::install::{self, Profile, same_paths, target_folder};
use crate::job::{self, Job, Tally, cargo, command, root, skip};
use crate::packages::{self, printed};
use crate::{editor, notices, sizes, versions, wasm};
use archive::Files;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) use again::again;

/// The target of programs that need no library of the system.
const STATIC_TARGET: &str = "x86_64-unknown-linux-musl";

/// Where the packages go.
pub(crate) fn folder() -> PathBuf {
    root().join("dist")
}

/// What is wanted of the job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// For others, or to be tried.
    pub(crate) profile: Profile,
    /// Whether each package is installed and asked.
    pub(crate) tried: bool,
    /// Whether the packages are those that were made before.
    pub(crate) kept: bool,
    /// Whether sizes are written down.
    pub(crate) write: bool,
}

/// Makes everything. True when nothing failed.
pub(crate) fn run(wanted: Wanted) -> Result<bool, String> {
    let mut job = Job::default();
    steps(&mut job, wanted)?;
    Ok(job.finish())
}

/// The steps of the job.
pub(crate) fn steps(job: &mut Job, wanted: Wanted) -> Result<(), String> {
    if !wanted.kept {
        make(job, wanted)?;
    }
    if wanted.tried {
        try_out::steps(job);
    }
    Ok(())
}

fn make(job: &mut Job, wanted: Wanted) -> Result<(), String> {
    let profile = wanted.profile;
    let to = folder();
    let _ = fs::remove_dir_all(&to);
    fs::create_dir_all(&to).map_err(|e| format!("{}: {e}", to.display()))?;
    let version = versions::stated("version")?;
    job.step("dist: crates", || crates(&to));
    job.step("dist: npm", || npm(profile, &to));
    job.step("dist: editor", || edit(profile, &to, &version));
    job.step("dist: command line", || {
        command_line(profile, &to, &version)
    });
    job.step("dist: C", || c_archive(profile, &to, &version));
    job.step("dist: Go", || go_module(&to, &version));
    job.step("dist: Python", || python(profile, &to));
    job.step("dist: bill of materials", || {
        let file = to.join(format!("netverdict-{version}.cdx.json"));
        write(&file, &bill::bill(&version)?)?;
        Ok(Tally::ONE)
    });
    job.step("dist: container", || container(&to, &version));
    job.step("dist: sums", || sums(&to));
    if profile == Profile::Release {
        job.step("dist: sizes", || sizes::compare(&to, wanted.write));
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

fn copy_to(folder: &Path, file: &Path) -> Result<(), String> {
    let name = file.file_name().unwrap_or_default();
    fs::copy(file, folder.join(name))
        .map(|_| ())
        .map_err(|e| format!("{}: {e}", file.display()))
}

/// Our licences, and those of what is compiled into it.
fn licences(files: &mut Files, folder: &str) -> Result<(), String> {
    for name in ["LICENSE-APACHE", "LICENSE-MIT", "NOTICES.txt"] {
        files.add_file(&format!("{folder}/{name}"), &root().join(name))?;
    }
    Ok(())
}

/// Paths of the machine that builds are no part of what it builds.
fn same_everywhere(command: &mut Command, more: Option<&str>) {
    let mut flags = same_paths();
    flags.extend(more.map(str::to_owned));
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    command.env("SOURCE_DATE_EPOCH", archive::MOMENT.to_string());
    command.env("CONST_RANDOM_SEED", "netverdict");
    command.env("CARGO_PROFILE_RELEASE_DEBUG", "false");
    command.env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    command.env("CARGO_TARGET_DIR", target_folder().join("dist"));
}

fn crates(to: &Path) -> Result<Tally, String> {
    for file in packages::pack()? {
        copy_to(to, &file)?;
    }
    Ok(Tally::ONE)
}

/// Builds the programs; returns where they are.
fn programs(profile: Profile) -> Result<PathBuf, String> {
    let mut build = cargo(&["build", "--quiet", "--package=netverdict-cli", "--bins"]);
    if profile == Profile::Dev {
        job::run(&mut build)?;
        return Ok(target_folder().join("debug"));
    }
    let libraries = printed(&mut command(
        "rustc",
        &["--print=target-libdir", "--target", STATIC_TARGET],
    ))?;
    let target = if Path::new(libraries.trim()).exists() {
        same_everywhere(&mut build, None);
        STATIC_TARGET
    } else {
        println!(
            "{STATIC_TARGET} is not installed: linked with the C library of this machine, statically"
        );
        same_everywhere(&mut build, Some("-Ctarget-feature=+crt-static"));
        "x86_64-unknown-linux-gnu"
    };
    job::run(build.args(["--release", "--target", target]))?;
    let built = target_folder().join(format!("dist/{target}/release"));
    let program = built.join("netverdict");
    let needed = Command::new("readelf").arg("-d").arg(&program).output();
    let shared = needed.map(|o| String::from_utf8_lossy(&o.stdout).contains("(NEEDED)"));
    match shared {
        Ok(true) => return Err(format!("{}: needs shared libraries", program.display())),
        Ok(false) => println!("netverdict: no shared libraries, {target}"),
        Err(e) => println!("whether shared libraries are needed is not known: readelf: {e}"),
    }
    Ok(built)
}

/// The program in one file, and what shells and `man` want of it.
fn command_line(profile: Profile, to: &Path, version: &str) -> Result<Tally, String> {
    let built = programs(profile)?;
    let program = built.join("netverdict");
    let name = format!("netverdict-{version}-x86_64-linux");
    let mut files = Files::default();
    for one in ["netverdict", "netverdict-scenario"] {
        files.add_program(&format!("{name}/bin/{one}"), &built.join(one))?;
    }
    for (shell, at) in [
        ("bash", "bash-completion/completions/netverdict"),
        ("zsh", "zsh/site-functions/_netverdict"),
        ("fish", "fish/vendor_completions.d/netverdict.fish"),
    ] {
        let script = printed(Command::new(&program).args(["completions", shell]))?;
        files.add(format!("{name}/share/{at}"), script);
    }
    let manual = target_folder().join("dist/manual");
    let _ = fs::remove_dir_all(&manual);
    fs::create_dir_all(&manual).map_err(|e| e.to_string())?;
    printed(
        Command::new(&program)
            .arg("manual")
            .arg("--output")
            .arg(&manual),
    )?;
    files.add_folder(&format!("{name}/share/man/man1"), &manual)?;
    let mut tally = Tally::ONE;
    if editor::is_built() {
        // Where `netverdict edit` looks for it.
        add_editor(&mut files, &format!("{name}/share/netverdict/editor"))?;
    } else {
        tally += skip("the command line is packed without the editor");
    }
    // Unpacked in a repository, the folder is an action: `uses: ./netverdict`.
    files.add_file(&format!("{name}/action.yml"), &root().join("action.yml"))?;
    licences(&mut files, &name)?;
    files.tar(&to.join(format!("{name}.tar.gz")), profile)?;
    Ok(tally)
}

/// Libraries, headers, pkg-config and CMake files that work wherever they are
/// unpacked, and the example.
fn c_archive(profile: Profile, to: &Path, version: &str) -> Result<Tally, String> {
    let stage = target_folder().join("dist/c");
    let _ = fs::remove_dir_all(&stage);
    if profile == Profile::Dev {
        let prefix = stage.to_str().ok_or("the target folder is not UTF-8")?;
        install::run(prefix, profile)?;
    } else {
        // By this program in another process: the environment is another one.
        let runner = std::env::current_exe().map_err(|e| e.to_string())?;
        let mut install = Command::new(runner);
        install.current_dir(root()).args(["install", "--prefix"]);
        same_everywhere(&mut install, None);
        job::run(install.arg(&stage))?;
    }
    install::relocatable(&stage)?;
    let name = format!("netverdict-c-{version}-x86_64-linux");
    let mut files = Files::default();
    files.add_folder(&name, &stage)?;
    files.add_file(
        &format!("{name}/example/agent.c"),
        &root().join("ffi/example/agent.c"),
    )?;
    files.add_file(
        &format!("{name}/example/answer.c"),
        &root().join("samples/c/answer.c"),
    )?;
    files.add_file(
        &format!("{name}/doc/c-abi.md"),
        &root().join("docs/c-abi.md"),
    )?;
    licences(&mut files, &name)?;
    files.tar(&to.join(format!("{name}.tar.gz")), profile)?;
    Ok(Tally::ONE)
}

/// The Go module as a module proxy serves it: `GOPROXY=file://…` takes it.
fn go_module(to: &Path, version: &str) -> Result<Tally, String> {
    let module = "github.com/netverdict/netverdict/bindings/go";
    let listed = printed(&mut command("git", &["ls-files", "-z", "bindings/go"]))?;
    let mut files = Files::default();
    for file in listed.split('\0').filter(|f| !f.is_empty()) {
        let inner = file.strip_prefix("bindings/go/").unwrap_or(file);
        files.add_file(&format!("{module}@v{version}/{inner}"), &root().join(file))?;
    }
    licences(&mut files, &format!("{module}@v{version}"))?;
    let at = target_folder().join("dist/go.zip");
    files.zip(&at)?;
    let mut proxy = Files::default();
    let place = format!("goproxy/{module}/@v");
    proxy.add(format!("{place}/list"), format!("v{version}\n"));
    proxy.add(
        format!("{place}/v{version}.info"),
        format!("{{\"Version\":\"v{version}\",\"Time\":\"1980-01-01T00:00:00Z\"}}\n"),
    );
    proxy.add_file(
        &format!("{place}/v{version}.mod"),
        &root().join("bindings/go/go.mod"),
    )?;
    proxy.add_file(&format!("{place}/v{version}.zip"), &at)?;
    proxy.tar(
        &to.join(format!("netverdict-go-{version}.tar.gz")),
        Profile::Release,
    )?;
    Ok(Tally::ONE)
}

fn npm(profile: Profile, to: &Path) -> Result<Tally, String> {
    // Its module takes minutes, and has no quicker form.
    let there = wasm::package().join("netverdict.wasm").exists();
    let tally = match profile {
        Profile::Dev if there => Tally::ONE,
        _ => wasm::build()?,
    };
    if tally.passed == 0 {
        return Ok(tally);
    }
    let notices = wasm::package().join("NOTICES.txt");
    fs::copy(root().join("NOTICES.txt"), notices).map_err(|e| format!("NOTICES.txt: {e}"))?;
    let mut pack = command("npm", &["pack", "--silent", "--pack-destination"]);
    pack.arg(to).current_dir(wasm::package());
    // Its own name for the file is printed.
    printed(&mut pack)?;
    Ok(tally)
}

/// The editor, as one folder for any file host.
fn edit(profile: Profile, to: &Path, version: &str) -> Result<Tally, String> {
    let tally = match profile {
        Profile::Dev if editor::is_built() => Tally::ONE,
        _ => editor::build()?,
    };
    if tally.passed == 0 {
        return Ok(tally);
    }
    let name = format!("netverdict-editor-{version}");
    let mut files = Files::default();
    add_editor(&mut files, &name)?;
    licences(&mut files, &name)?;
    files.tar(&to.join(format!("{name}.tar.gz")), profile)?;
    Ok(tally)
}

fn add_editor(files: &mut Files, folder: &str) -> Result<(), String> {
    files.add_folder(folder, &editor::built())?;
    files.add(format!("{folder}/NOTICES-npm.txt"), notices::of_editor()?);
    Ok(())
}

/// The wheel for every Python that is not older, and the source that it can be
/// built of.
fn python(profile: Profile, to: &Path) -> Result<Tally, String> {
    let Some(maturin) = crate::bindings::maturin()? else {
        return Ok(skip("no Python 3.11 or later with venv, or no maturin"));
    };
    let manifest = root().join("bindings/python/Cargo.toml");
    let mut wheel = Command::new(&maturin);
    wheel.args(["build", "--quiet", "--strip"]);
    wheel
        .arg("--manifest-path")
        .arg(&manifest)
        .arg("--out")
        .arg(to);
    if profile == Profile::Dev {
        wheel.args(["--profile", "dev", "--compatibility", "linux"]);
    } else {
        wheel.arg("--release");
        same_everywhere(&mut wheel, None);
    }
    let mut tally = job::run(&mut wheel)?;
    let mut source = Command::new(&maturin);
    source.args(["sdist", "--manifest-path"]).arg(&manifest);
    source.arg("--out").arg(to);
    same_everywhere(&mut source, None);
    tally += job::run(&mut source)?;
    Ok(tally)
}

/// The folder of the image that its program is started in: whoever runs it puts
/// their policies there.
const IMAGE_FOLDER: &str = "/policies";

/// How an image of the one program is built from the archive beside it.
fn container(to: &Path, version: &str) -> Result<Tally, String> {
    let folder = format!("netverdict-{version}-x86_64-linux");
    if !to.join(format!("{folder}.tar.gz")).exists() {
        return Err("there is no command line in dist/".to_owned());
    }
    let text = format!(
        "# docker build -f Containerfile -t netverdict . && docker run --rm -v \"$PWD\":{IMAGE_FOLDER} netverdict check .\n\
         FROM scratch AS unpacked\n\
         ADD {folder}.tar.gz /\n\
         FROM scratch\n\
         COPY --from=unpacked /{folder}/bin/netverdict /bin/netverdict\n\
         COPY --from=unpacked /{folder}/LICENSE-APACHE /{folder}/LICENSE-MIT /{folder}/NOTICES.txt /\n\
         WORKDIR {IMAGE_FOLDER}\n\
         USER 65534\n\
         ENTRYPOINT [\"/bin/netverdict\"]\n"
    );
    write(&to.join("Containerfile"), &text)?;
    Ok(Tally::ONE)
}

/// `SHA256SUMS`, which `sha256sum --check` takes.
fn sums(to: &Path) -> Result<Tally, String> {
    let text = sums_of(to)?;
    print!("{text}");
    write(&to.join("SHA256SUMS"), &text)?;
    Ok(Tally::ONE)
}

fn sums_of(folder: &Path) -> Result<String, String> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    files.retain(|f| f.is_file() && f.file_name().is_some_and(|n| n != "SHA256SUMS"));
    files.sort();
    let mut text = String::new();
    for file in files {
        let bytes = fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        let hex: String = Sha256::digest(&bytes)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        text.push_str(&format!("{hex}  {name}\n"));
    }
    Ok(text)
}
