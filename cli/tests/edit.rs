//! `netverdict edit`, asked by a client of a few lines.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const POLICY: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n";

/// A folder that is edited, and one that stands for the built editor.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("edit")
        .join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("manifests/policies")).expect("a folder");
    fs::create_dir_all(folder.join("editor/assets")).expect("a folder");
    fs::write(folder.join("manifests/policies/a.yaml"), POLICY).expect("written");
    fs::write(folder.join("manifests/notes.txt"), "not a manifest").expect("written");
    fs::write(folder.join("secret.yaml"), "secret: yes\n").expect("written");
    let page = "<!doctype html><html><head><title>t</title></head></html>";
    fs::write(folder.join("editor/index.html"), page).expect("written");
    fs::write(folder.join("editor/assets/e.wasm"), [0, 97, 115, 109]).expect("written");
    folder
}

struct Server {
    child: Child,
    host: String,
    path: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_netverdict"))
            .arg("edit")
            .arg(folder.join("manifests"))
            .arg("--editor")
            .arg(folder.join("editor"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it runs");
        let mut line = String::new();
        let out = child.stdout.take().expect("its output");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("http://").expect("an address");
        let (host, path) = address.split_once('/').expect("a path");
        Self {
            child,
            host: host.to_owned(),
            path: format!("/{path}"),
        }
    }

    /// The status, the head and the body of an answer. `path` is below the
    /// secret unless it begins with a slash.
    fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[&str],
        body: &str,
    ) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.host).expect("a connection");
        let path = match path.strip_prefix('/') {
            Some(_) => path.to_owned(),
            None => format!("{}{path}", self.path),
        };
        let mut text = format!(
            "{method} {path} HTTP/1.1\r\nContent-Length: {}\r\n",
            body.len()
        );
        if !headers.iter().any(|h| h.starts_with("Host:")) {
            text += &format!("Host: {}\r\n", self.host);
        }
        for header in headers {
            text += &format!("{header}\r\n");
        }
        write!(stream, "{text}\r\n{body}").expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let end = answer
            .windows(4)
            .position(|w| w == b"\r\n\r\n")
            .expect("a head");
        let body = answer.split_off(end + 4);
        let head = String::from_utf8(answer).expect("text");
        let status = head[9..12].parse().expect("a status");
        (status, head, body)
    }

    fn status(&self, method: &str, path: &str, headers: &[&str]) -> u16 {
        self.ask(method, path, headers, "text").0
    }

    fn files(&self) -> Vec<serde_json::Value> {
        let (status, _, body) = self.ask("GET", "api/files", &[], "");
        assert_eq!(status, 200);
        serde_json::from_slice(&body).expect("JSON")
    }
}

#[test]
fn it_gives_the_editor_and_the_manifests() {
    let server = Server::start(&folder("gives"));
    let (status, head, body) = server.ask("GET", "", &[], "");
    assert_eq!(status, 200);
    assert!(head.contains("Content-Type: text/html"), "{head}");
    let page = String::from_utf8(body).expect("text");
    assert!(
        page.contains("<head><meta name=\"netverdict-folder\" content=\"manifests\">"),
        "{page}"
    );
    let (status, head, body) = server.ask("GET", "assets/e.wasm", &[], "");
    assert_eq!(
        (status, body.as_slice()),
        (200, [0, 97, 115, 109].as_slice())
    );
    assert!(head.contains("Content-Type: application/wasm"), "{head}");
    let files = server.files();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(files[0]["name"], "policies/a.yaml");
    assert_eq!(files[0]["text"], POLICY);
}

#[test]
fn it_writes_what_is_saved() {
    let folder = folder("writes");
    let server = Server::start(&folder);
    let version = server.files()[0]["version"]
        .as_str()
        .expect("a version")
        .to_owned();
    let old = format!("If-Match: {version}");
    let (status, _, new) = server.ask("PUT", "api/file/policies/a.yaml", &[&old], "kind: X\n");
    assert_eq!(status, 200);
    let read =
        |name: &str| fs::read_to_string(folder.join("manifests").join(name)).expect("a file");
    assert_eq!(read("policies/a.yaml"), "kind: X\n");
    assert_eq!(
        server.files()[0]["version"].as_str().map(str::as_bytes),
        Some(new.as_slice())
    );
    // It has another version now.
    assert_eq!(
        server.status("PUT", "api/file/policies/a.yaml", &[&old]),
        412
    );
    assert_eq!(
        server.status("DELETE", "api/file/policies/a.yaml", &[&old]),
        412
    );
    assert_eq!(read("policies/a.yaml"), "kind: X\n");
    // Unasked for a version it is written over.
    assert_eq!(server.status("PUT", "api/file/policies/a.yaml", &[]), 200);
    // New files, in new folders.
    let none = "If-Match: none";
    assert_eq!(server.status("PUT", "api/file/new/b%20c.yml", &[none]), 200);
    assert_eq!(read("new/b c.yml"), "text");
    assert_eq!(server.status("PUT", "api/file/new/b%20c.yml", &[none]), 412);
    assert_eq!(server.status("DELETE", "api/file/new/b%20c.yml", &[]), 200);
    assert!(!folder.join("manifests/new/b c.yml").exists());
    assert_eq!(server.status("DELETE", "api/file/new/b%20c.yml", &[]), 404);
    let left = fs::read_dir(folder.join("manifests/policies"))
        .expect("a folder")
        .count();
    assert_eq!(left, 1, "nothing is left beside the file");
}

#[test]
fn nobody_else_is_answered() {
    let folder = folder("refuses");
    let server = Server::start(&folder);
    let get = |path: &str, headers: &[&str]| server.ask("GET", path, headers, "").0;
    assert_eq!(get("/", &[]), 404, "without the secret");
    assert_eq!(get("/0123456789abcdef0123456789abcdef/", &[]), 404);
    assert_eq!(get("/api/files", &[]), 404);
    assert_eq!(get("", &["Host: evil.example"]), 421);
    assert_eq!(get("", &["Host: 127.0.0.1"]), 421, "another port");
    assert_eq!(get("api/files", &["Origin: http://evil.example"]), 403);
    let port = server.host.split_once(':').expect("a port").1;
    assert_eq!(get("", &[&format!("Host: localhost:{port}")]), 200);
    let path = "api/file/policies/a.yaml";
    assert_eq!(
        server.status("PUT", path, &["Origin: https://evil.example"]),
        403
    );
    assert_eq!(server.status("PUT", path, &["Origin: null"]), 403);
    assert_eq!(
        server.status("PUT", path, &["Sec-Fetch-Site: cross-site"]),
        403
    );
    assert_eq!(
        server.status("DELETE", path, &["Sec-Fetch-Site: same-site"]),
        403
    );
    assert_eq!(server.status("POST", path, &[]), 405);
    let own = format!("Origin: http://{}", server.host);
    assert_eq!(
        server.status("PUT", path, &[&own, "Sec-Fetch-Site: same-origin"]),
        200
    );
}

#[test]
fn nothing_outside_of_the_folder_is_touched() {
    let folder = folder("outside");
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink(
            folder.join("secret.yaml"),
            folder.join("manifests/link.yaml"),
        )
        .expect("a link");
        symlink(&folder, folder.join("manifests/up")).expect("a link");
        symlink(
            folder.join("absent.yaml"),
            folder.join("manifests/dangling.yaml"),
        )
        .expect("a link");
    }
    let server = Server::start(&folder);
    let names = server.files();
    assert_eq!(names.len(), 1, "{names:?}");
    let outside = [
        "../secret.yaml",
        "policies/../../secret.yaml",
        "%2e%2e/secret.yaml",
        "..%2fsecret.yaml",
        "..%5csecret.yaml",
        "/secret.yaml",
        ".hidden.yaml",
        ".git/config.yaml",
        "notes.txt",
        "policies",
        "",
        "link.yaml",
        "up/secret.yaml",
        "up/new.yaml",
        "dangling.yaml",
        "a%00.yaml",
        "C:a.yaml",
    ];
    for name in outside {
        for method in ["PUT", "DELETE"] {
            let status = server.status(method, &format!("api/file/{name}"), &[]);
            let unix = cfg!(unix) || !(name.contains("link") || name.contains("up/"));
            assert!(status == 403 || !unix, "{method} {name}: {status}");
        }
    }
    assert_eq!(
        fs::read_to_string(folder.join("secret.yaml")).expect("it"),
        "secret: yes\n"
    );
    assert!(!folder.join("absent.yaml").exists() && !folder.join("new.yaml").exists());
    // And the editor's own folder gives only its own files.
    for name in [
        "../manifests/policies/a.yaml",
        "%2e%2e/secret.yaml",
        "assets/../../secret.yaml",
        ".git",
        "absent.js",
    ] {
        assert_eq!(server.ask("GET", name, &[], "").0, 404, "{name}");
    }
}

#[test]
fn without_a_built_editor_it_says_where_to_get_one() {
    let folder = folder("absent");
    let output = Command::new(env!("CARGO_BIN_EXE_netverdict"))
        .args(["edit", "--editor"])
        .arg(folder.join("manifests"))
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("is no built editor") && text.contains("cargo xtask editor"),
        "{text}"
    );
}
