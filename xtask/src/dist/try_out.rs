//! The packages, installed as the guide says.
//!
//! In: dist/, and the pages of docs/guide that say how to begin. Out: each page
//! followed in an empty folder that has nothing but dist/: its files written, its
//! commands run, what they print compared; and what no page is about.

use super::folder;
use crate::ffi::there;
use crate::install::target_folder;
use crate::job::{self, Job, Tally, root, skip};
use crate::packages::{expect_answer, printed};
use crate::{bindings, editor};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A page, what it wants of the machine, and which packages it is about.
struct Page {
    name: &'static str,
    wants: &'static [&'static str],
    packages: &'static [&'static str],
}

const PAGES: [Page; 6] = [
    Page {
        name: "install",
        wants: &["tar"],
        packages: &["-x86_64-linux.tar.gz"],
    },
    Page {
        name: "embed-rust",
        wants: &["cargo", "tar"],
        packages: &[".crate"],
    },
    Page {
        name: "embed-c",
        wants: &["cc", "pkg-config"],
        packages: &["netverdict-c-"],
    },
    Page {
        name: "embed-go",
        wants: &["go", "cc", "pkg-config"],
        packages: &["netverdict-go-", "netverdict-c-"],
    },
    Page {
        name: "embed-python",
        wants: &["python3"],
        packages: &[".whl"],
    },
    Page {
        name: "embed-javascript",
        wants: &["node", "npm"],
        packages: &[".tgz"],
    },
];

/// Follows every page, and tries what no page is about.
pub(super) fn steps(job: &mut Job) {
    for page in &PAGES {
        let name = format!("dist, as a stranger: {}", page.name);
        job.step(&name, || follow(page));
    }
    job.step("dist, as a stranger: shells, manual", shells);
    job.step("dist, as a stranger: action", action);
    job.step("dist, as a stranger: container", container);
    job.step("dist, as a stranger: editor", edit);
    job.step("dist, as a stranger: Python's source", source);
}

/// An empty folder with packages; `None` when one of them was not made.
fn begin(name: &str, packages: &[&str]) -> Result<Option<PathBuf>, String> {
    let at = target_folder().join("tried").join(name);
    let _ = fs::remove_dir_all(&at);
    fs::create_dir_all(&at).map_err(|e| format!("{}: {e}", at.display()))?;
    for wanted in packages {
        let mut found = false;
        let made = fs::read_dir(folder()).map_err(|e| format!("dist: {e}"))?;
        for entry in made.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.contains(wanted) {
                fs::copy(entry.path(), at.join(&name)).map_err(|e| format!("{name}: {e}"))?;
                found = true;
            }
        }
        if !found {
            println!("dist/ has no {wanted}");
            return Ok(None);
        }
    }
    Ok(Some(at))
}

fn follow(page: &Page) -> Result<Tally, String> {
    if let Some(missing) = page.wants.iter().find(|w| !there(w)) {
        return Ok(skip(&format!("no {missing}")));
    }
    let path = root().join(format!("docs/guide/src/{}.md", page.name));
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let Some(at) = begin(page.name, page.packages)? else {
        return Ok(skip("not all packages were made"));
    };
    let steps = Steps::of(&text);
    for (name, content) in &steps.files {
        let path = at.join(name);
        let folder = path.parent().unwrap_or(&at);
        fs::create_dir_all(folder).map_err(|e| format!("{name}: {e}"))?;
        fs::write(&path, content).map_err(|e| format!("{name}: {e}"))?;
    }
    let mut shell = Command::new("sh");
    shell.args(["-eu", "-c", &steps.commands]).current_dir(&at);
    keep_apart(&mut shell, &at);
    let output = shell.output().map_err(|e| format!("sh: {e}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || steps.answer.is_empty() || !said.ends_with(&steps.answer) {
        return Err(format!(
            "{}: {}\nit printed\n{said}{wrong}instead of\n{}",
            page.name, output.status, steps.answer
        ));
    }
    println!("{said}");
    Ok(Tally::ONE)
}

/// What earlier builds have downloaded or set is not there for a stranger. Only
/// what others wrote and is compiled the same way is taken from before.
fn keep_apart(shell: &mut Command, at: &Path) {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let set = name.starts_with("CARGO") && name != "CARGO_HOME";
        if set || name.starts_with("RUST") || name == "PKG_CONFIG_PATH" {
            shell.env_remove(name);
        }
    }
    shell.env("CARGO_TARGET_DIR", target_folder());
    shell.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
    shell.env("GOMODCACHE", at.join("gomodcache"));
    // A module cache is read-only unless asked, and could not be removed.
    shell.env("GOFLAGS", "-modcacherw");
    // No checksum database knows what is not published yet.
    shell.env("GOSUMDB", "off");
}

/// The command line, unpacked.
fn unpacked(name: &str) -> Result<Option<PathBuf>, String> {
    let Some(at) = begin(name, &["-x86_64-linux.tar.gz"])? else {
        return Ok(None);
    };
    let unpack = "tar xzf netverdict-[0-9]*-x86_64-linux.tar.gz --strip-components=1";
    job::run(Command::new("sh").args(["-c", unpack]).current_dir(&at))?;
    Ok(Some(at))
}

/// Completions are scripts that their shells take, and manual pages can be read.
fn shells() -> Result<Tally, String> {
    let Some(at) = unpacked("shells")? else {
        return Ok(skip("there is no command line"));
    };
    let mut tally = Tally::default();
    for (shell, script) in [
        ("bash", "bash-completion/completions/netverdict"),
        ("zsh", "zsh/site-functions/_netverdict"),
        ("fish", "fish/vendor_completions.d/netverdict.fish"),
    ] {
        if !there(shell) {
            tally += skip(&format!("no {shell}"));
            continue;
        }
        let script = at.join("share").join(script);
        tally += job::run(Command::new(shell).arg("-n").arg(script))?;
    }
    if there("bash") {
        let complete = ". share/bash-completion/completions/netverdict; COMP_WORDS=(netverdict ver) COMP_CWORD=1; \
                        _netverdict netverdict ver netverdict; echo \"${COMPREPLY[*]}\"";
        let said = printed(Command::new("bash").args(["-c", complete]).current_dir(&at))?;
        if said.trim() != "verdict" {
            return Err(format!("`netverdict ver` is completed as {said}"));
        }
        tally.passed += 1;
    }
    if !there("man") {
        tally += skip("no man");
        return Ok(tally);
    }
    let mut man = Command::new("man");
    man.args(["-P", "cat", "-M", "share/man", "netverdict-verdict"]);
    let said = printed(man.env("MANWIDTH", "80").current_dir(&at))?;
    if !said.contains("--from") {
        return Err(format!("man printed {said}"));
    }
    tally.passed += 1;
    Ok(tally)
}

/// The steps of the action, with the unpacked archive as the action's folder.
fn action() -> Result<Tally, String> {
    let Some(at) = unpacked("action")? else {
        return Ok(skip("there is no command line"));
    };
    if !there("bash") {
        return Ok(skip("no bash"));
    }
    let text = fs::read_to_string(at.join("action.yml")).map_err(|e| format!("action.yml: {e}"))?;
    let work = at.join("repository");
    fs::create_dir_all(work.join("policies")).map_err(|e| e.to_string())?;
    fs::copy(
        root().join("samples/shop.yaml"),
        work.join("policies/shop.yaml"),
    )
    .map_err(|e| format!("shop.yaml: {e}"))?;
    // One holds, and then one does not.
    let mut tally = Tally::default();
    for (holds, verdict) in [(true, "deny"), (false, "allow")] {
        let expectation =
            format!("{verdict}:\n- from: shop/web\n  to: shop/db\n  port: 5432/TCP\n");
        fs::write(work.join("policies/shop.netverdict.yaml"), expectation)
            .map_err(|e| e.to_string())?;
        let script = scripts(&text)?.join("\n");
        let mut bash = Command::new("bash");
        bash.args(["-e", "-o", "pipefail", "-c", &script])
            .current_dir(&work);
        bash.env("GITHUB_ACTION_PATH", &at)
            .env("RUNNER_TEMP", at.join("temp"));
        bash.env("PATHS", "policies")
            .env("TEST", "true")
            .env("ARGUMENTS", "");
        let output = bash.output().map_err(|e| format!("bash: {e}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        print!("{said}");
        if output.status.success() != holds || said.contains("::error") == holds {
            let wrong = String::from_utf8_lossy(&output.stderr);
            return Err(format!("the action: {}\n{said}{wrong}", output.status));
        }
        tally.passed += 1;
    }
    Ok(tally)
}

/// What the steps of a composite action run.
fn scripts(action: &str) -> Result<Vec<String>, String> {
    use netverdict::{source::SourceId, yaml};
    let document = yaml::read(SourceId(0), action, &yaml::Limits::default())
        .into_iter()
        .next()
        .and_then(|d| d.result.ok())
        .ok_or("action.yml is not YAML")?;
    let steps = document.get("runs").and_then(|r| r.get("steps"));
    let steps = steps.ok_or("action.yml: no steps")?.items();
    let scripts = steps
        .iter()
        .map(|s| s.get("run").and_then(|r| r.as_str()).map(str::to_owned));
    scripts
        .collect::<Option<_>>()
        .ok_or("action.yml: a step runs nothing".to_owned())
}

/// The image, built; and without an engine for it, what the image holds, asked
/// with nothing else in sight.
fn container() -> Result<Tally, String> {
    let packages = ["-x86_64-linux.tar.gz", "Containerfile"];
    let Some(at) = begin("container", &packages)? else {
        return Ok(skip("there is no command line"));
    };
    let shop = root().join("samples/shop.yaml");
    let question = [
        "verdict",
        "--from=shop/web",
        "--to=shop/db",
        "--port=5432/TCP",
        "--file=shop.yaml",
    ];
    let wanted = "shop/web → shop/db 5432/TCP: denied by default";
    for engine in ["docker", "podman"] {
        let mut build = Command::new(engine);
        build.args([
            "build",
            "--quiet",
            "-f",
            "Containerfile",
            "-t",
            "netverdict-tried",
            ".",
        ]);
        build
            .current_dir(&at)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if !build.status().is_ok_and(|s| s.success()) {
            continue;
        }
        let policies = at.join("policies");
        fs::create_dir_all(&policies).map_err(|e| e.to_string())?;
        fs::copy(&shop, policies.join("shop.yaml")).map_err(|e| e.to_string())?;
        let mut run = Command::new(engine);
        run.args(["run", "--rm", "-v"]).arg(format!(
            "{}:{}:ro",
            policies.display(),
            super::IMAGE_FOLDER
        ));
        run.arg("netverdict-tried").args(question);
        let output = run.output().map_err(|e| format!("{engine}: {e}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let _ = Command::new(engine)
            .args(["rmi", "--force", "netverdict-tried"])
            .output();
        if !said.starts_with(wanted) {
            let wrong = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{engine}: {said}{wrong}"));
        }
        return Ok(Tally::ONE);
    }
    let mut tally = skip("neither docker nor podman builds the image: its files alone are tried");
    let text = fs::read_to_string(at.join("Containerfile")).map_err(|e| e.to_string())?;
    let image = at.join("image");
    let policies = image.join(super::IMAGE_FOLDER.trim_start_matches('/'));
    fs::create_dir_all(&policies).map_err(|e| e.to_string())?;
    let unpack = "tar xzf netverdict-[0-9]*-x86_64-linux.tar.gz";
    job::run(Command::new("sh").args(["-c", unpack]).current_dir(&at))?;
    for line in text.lines() {
        let Some(copied) = line.strip_prefix("COPY --from=unpacked ") else {
            continue;
        };
        let names: Vec<&str> = copied.split(' ').collect();
        let Some((to, from)) = names.split_last() else {
            continue;
        };
        for name in from {
            let mut to = image.join(to.trim_start_matches('/'));
            if to.is_dir() {
                to.push(name.rsplit('/').next().unwrap_or_default());
            }
            fs::create_dir_all(to.parent().unwrap_or(&image)).map_err(|e| e.to_string())?;
            fs::copy(at.join(name.trim_start_matches('/')), &to)
                .map_err(|e| format!("{name}: {e}"))?;
        }
    }
    fs::copy(&shop, policies.join("shop.yaml")).map_err(|e| e.to_string())?;
    let mut chroot = Command::new("chroot");
    chroot
        .arg("--userspec=65534:65534")
        .arg(&image)
        .arg("/bin/netverdict");
    chroot
        .args(&question[..4])
        .arg(format!("--file={}/shop.yaml", super::IMAGE_FOLDER));
    let output = chroot.output().map_err(|e| format!("chroot: {e}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    if wrong.contains("cannot change root directory") {
        tally += skip("only root may try the files of the image");
    } else if said.starts_with(wanted) {
        tally.passed += 1;
    } else {
        return Err(format!("in an image: {}\n{said}{wrong}", output.status));
    }
    Ok(tally)
}

/// The editor's folder in a browser, and found by the program beside it.
fn edit() -> Result<Tally, String> {
    let Some(at) = begin("editor", &["netverdict-editor-"])? else {
        return Ok(skip("there is no editor"));
    };
    let unpack = "tar xzf netverdict-editor-*.tar.gz --strip-components=1";
    job::run(Command::new("sh").args(["-c", unpack]).current_dir(&at))?;
    let mut tally = editor::story_in(&at)?;
    let Some(at) = unpacked("edit")? else {
        return Ok(tally);
    };
    fs::copy(root().join("samples/shop.yaml"), at.join("shop.yaml")).map_err(|e| e.to_string())?;
    let mut program = Command::new(at.join("bin/netverdict"));
    program
        .args(["edit", "."])
        .current_dir(&at)
        .stdout(Stdio::piped());
    program.env_remove("NETVERDICT_EDITOR");
    let mut child = program
        .spawn()
        .map_err(|e| format!("netverdict edit: {e}"))?;
    let said = served(&mut child);
    let _ = child.kill();
    let _ = child.wait();
    if !said?.contains("netverdict-folder") {
        return Err("netverdict edit does not serve the editor".to_owned());
    }
    tally.passed += 1;
    Ok(tally)
}

/// What a server answers whose address is the first thing it prints.
fn served(child: &mut std::process::Child) -> Result<String, String> {
    let out = child.stdout.take().ok_or("no output")?;
    let mut line = String::new();
    BufReader::new(out)
        .read_line(&mut line)
        .map_err(|e| e.to_string())?;
    let address = line
        .split_once("http://")
        .ok_or(format!("no address in {line:?}"))?
        .1;
    let address = address.split_whitespace().next().unwrap_or_default();
    let (host, path) = address.split_once('/').unwrap_or((address, ""));
    let path = path.split('#').next().unwrap_or_default();
    let mut stream = std::net::TcpStream::connect(host).map_err(|e| format!("{host}: {e}"))?;
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .map_err(|e| e.to_string())?;
    let mut said = String::new();
    stream
        .read_to_string(&mut said)
        .map_err(|e| e.to_string())?;
    Ok(said)
}

/// Python's package built of its source.
fn source() -> Result<Tally, String> {
    let Some(at) = begin("source", &["netverdict-"])? else {
        return Ok(skip("nothing was made"));
    };
    let archives = fs::read_dir(&at).map_err(|e| e.to_string())?.flatten();
    let mut names = archives.map(|e| e.file_name().to_string_lossy().into_owned());
    let is_source = |n: &String| {
        let version = n
            .strip_prefix("netverdict-")
            .and_then(|n| n.strip_suffix(".tar.gz"));
        version.is_some_and(|v| v.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
    };
    let (Some(maturin), Some(name)) = (bindings::maturin()?, names.find(is_source)) else {
        return Ok(skip("no source for Python, or nothing to build it with"));
    };
    let environment = at.join("environment");
    let mut venv = Command::new("python3");
    job::run(venv.args(["-m", "venv"]).arg(&environment))?;
    let options = ["--no-deps", "--no-index", "--no-build-isolation"];
    let mut pip = bindings::pip_install(&environment, &options);
    pip.arg(at.join(name));
    keep_apart(&mut pip, &at);
    // Built as for tests: the wheel is what is built for use.
    pip.env("MATURIN_PEP517_ARGS", "--profile=dev");
    // The backend of the environment that has the tools.
    let tools = printed(Command::new(maturin.with_file_name("python")).args([
        "-c",
        "import sysconfig; print(sysconfig.get_path('purelib'))",
    ]))?;
    pip.env("PYTHONPATH", tools.trim());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let bin = maturin.parent().map(PathBuf::from).unwrap_or_default();
    let paths = std::iter::once(bin).chain(std::env::split_paths(&path));
    pip.env(
        "PATH",
        std::env::join_paths(paths).map_err(|e| e.to_string())?,
    );
    job::run(&mut pip)?;
    fs::copy(root().join("samples/shop.yaml"), at.join("shop.yaml")).map_err(|e| e.to_string())?;
    let mut python = Command::new(environment.join("bin/python"));
    python
        .arg(root().join("samples/python/answer.py"))
        .current_dir(&at);
    expect_answer(&printed(&mut python)?)
}

/// What a page asks its reader to do.
#[derive(Debug, Default, PartialEq)]
struct Steps {
    /// Blocks after `<!-- file: … -->`, by their names below the language's folder.
    files: Vec<(String, String)>,
    /// Blocks of `sh`, one after the other.
    commands: String,
    /// Blocks of `text`, one after the other: what is printed in the end.
    answer: String,
}

impl Steps {
    fn of(page: &str) -> Self {
        let mut steps = Self::default();
        let mut file: Option<String> = None;
        let mut block: Option<(String, String)> = None;
        for line in page.lines() {
            match (&mut block, line.strip_prefix("```")) {
                (None, Some(language)) => block = Some((language.to_owned(), String::new())),
                (None, None) => {
                    let named = line
                        .strip_prefix("<!-- file: ")
                        .and_then(|l| l.strip_suffix(" -->"));
                    if let Some(path) = named {
                        let path = path.strip_prefix("samples/").unwrap_or(path);
                        let below = path.split_once('/').map_or(path, |(_, below)| below);
                        file = Some(below.to_owned());
                    }
                }
                (Some(_), Some(_)) => {
                    let (language, text) = block.take().unwrap_or_default();
                    match (file.take(), language.as_str()) {
                        (Some(name), _) => steps.files.push((name, text)),
                        (None, "sh") => steps.commands.push_str(&text),
                        (None, "text") => steps.answer.push_str(&text),
                        (None, _) => {}
                    }
                }
                (Some((_, text)), None) => {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_files_commands_and_an_answer() {
        let page = "Intro\n<!-- file: samples/c/a/b.c -->\n\n```c\nint x;\n```\n\n```sh\ncc a.c\n```\n\n```sh\n./a.out\n```\n\n```text\nyes\n```\n";
        let steps = Steps::of(page);
        assert_eq!(steps.files, [("a/b.c".to_owned(), "int x;\n".to_owned())]);
        assert_eq!(steps.commands, "cc a.c\n./a.out\n");
        assert_eq!(steps.answer, "yes\n");
    }
}
