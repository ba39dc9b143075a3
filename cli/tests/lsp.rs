//! `netverdict lsp`, asked by a client of a few lines.

use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

struct Client {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    number: u64,
}

impl Client {
    fn new() -> Self {
        Self::with(["lsp"])
    }

    fn with(arguments: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_netverdict"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        Self {
            input: child.stdin.take().expect("its input"),
            output: BufReader::new(child.stdout.take().expect("its output")),
            child,
            number: 0,
        }
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len()).expect("sent");
        self.input.flush().expect("sent");
    }

    fn notify(&mut self, method: &str, params: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(
                self.output.read_line(&mut line).expect("a line") > 0,
                "it ended"
            );
            match line.trim_end().split_once(": ") {
                Some((_, value)) => length = value.parse().expect("a length"),
                None => break,
            }
        }
        let mut bytes = vec![0; length];
        self.output.read_exact(&mut bytes).expect("a message");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.number += 1;
        let id = self.number;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        let answer = self.receive();
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("a workspace");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/shop/manifests");
    fs::copy(shop.join("workloads.yaml"), folder.join("workloads.yaml")).expect("a copy");
    folder
}

/// `é` and `𝄞` make bytes, characters and UTF-16 units differ.
const POLICY: &str = "apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata:
  name: cart
  namespace: shop
spec:
  description: \"é𝄞\"
  endpointSelector:
    matchLabels: {app: cart}
  ingress:
  - fromEndpoints:
    - matchLabels:
        app: storefront
    toPorts:
    - ports:
      - port: 7070
";

fn uri(path: &Path) -> String {
    format!("file://{}", path.display().to_string().replace(' ', "%20"))
}

fn at(line: u64, character: u64, uri: &str) -> Value {
    json!({
        "textDocument": { "uri": uri },
        "position": { "line": line, "character": character },
    })
}

#[test]
fn a_session() {
    let folder = folder();
    let policy = uri(&folder.join("policy.yaml"));
    let mut client = Client::new();
    let answer = client.ask(
        "initialize",
        &json!({ "rootUri": uri(&folder), "capabilities": {} }),
    );
    let capabilities = &answer["result"]["capabilities"];
    assert_eq!(capabilities["positionEncoding"], "utf-16");
    assert_eq!(capabilities["hoverProvider"], true);
    client.notify("initialized", &json!({}));

    let document = json!({ "uri": policy, "languageId": "yaml", "version": 1, "text": POLICY });
    client.notify("textDocument/didOpen", &json!({ "textDocument": document }));
    let told = client.receive();
    assert_eq!(told["method"], "textDocument/publishDiagnostics");
    assert_eq!(told["params"]["uri"], policy.as_str());
    let found = told["params"]["diagnostics"].as_array().expect("a list");
    let number = found
        .iter()
        .find(|d| d["code"] == "NV0201")
        .expect("a finding");
    assert_eq!(
        number["range"]["start"],
        json!({ "line": 15, "character": 14 })
    );
    assert_eq!(
        number["range"]["end"],
        json!({ "line": 15, "character": 18 })
    );

    // The fix of it.
    let range = number["range"].clone();
    let actions = client.ask(
        "textDocument/codeAction",
        &json!({ "textDocument": { "uri": policy }, "range": range, "context": { "diagnostics": [] } }),
    );
    let edit = &actions["result"][0]["edit"]["changes"][policy.as_str()][0];
    assert_eq!(edit["newText"], "\"7070\"", "{actions}");
    assert_eq!(edit["range"], number["range"]);

    // Mended, as typed.
    let mended = POLICY.replace("7070", "\"7070\"");
    client.notify(
        "textDocument/didChange",
        &json!({ "textDocument": { "uri": policy, "version": 2 }, "contentChanges": [{ "text": mended }] }),
    );
    let told = client.receive();
    let found = told["params"]["diagnostics"].as_array().expect("a list");
    assert!(found.iter().all(|d| d["severity"] != 1), "{told}");

    let hover = client.ask("textDocument/hover", &at(12, 10, &policy));
    assert_eq!(
        hover["result"]["contents"]["value"],
        "selects 1 workload: `shop/storefront`"
    );
    let hover = client.ask("textDocument/hover", &at(9, 4, &policy));
    let text = hover["result"]["contents"]["value"]
        .as_str()
        .expect("a text");
    assert!(text.starts_with("**ingress**: "), "{text}");
    let hover = client.ask("textDocument/hover", &at(99, 4, &policy));
    assert_eq!(hover["result"], Value::Null);

    let completion = client.ask("textDocument/completion", &at(12, 13, &policy));
    let labels: Vec<&str> = completion["result"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|i| i["label"].as_str())
        .collect();
    assert_eq!(labels, ["cart", "catalogue", "storefront"]);

    let definition = client.ask("textDocument/definition", &at(12, 14, &policy));
    let place = &definition["result"][0];
    assert_eq!(place["uri"], uri(&folder.join("workloads.yaml")).as_str());
    let line = place["range"]["start"]["line"].as_u64().expect("a line");
    let workloads = fs::read_to_string(folder.join("workloads.yaml")).expect("the file");
    let lines: Vec<&str> = workloads.lines().collect();
    let start = usize::try_from(line).expect("small");
    assert_eq!(lines[start + 3], "  name: storefront");

    let answer = client.ask("textDocument/foldingRange", &at(0, 0, &policy));
    assert_eq!(answer["error"]["code"], -32601);
    client.notify(
        "textDocument/didClose",
        &json!({ "textDocument": { "uri": policy } }),
    );
    assert_eq!(client.receive()["params"]["diagnostics"], json!([]));
    assert_eq!(client.ask("shutdown", &Value::Null)["result"], Value::Null);
    client.notify("exit", &Value::Null);
    assert!(client.child.wait().expect("it ends").success());
}

#[test]
fn nonsense_ends_it_with_a_message() {
    let mut client = Client::new();
    client
        .input
        .write_all(b"Content-Length: 3\r\n\r\n{{{")
        .expect("sent");
    let status = client.child.wait().expect("it ends");
    assert_eq!(status.code(), Some(1));
}

/// What stands between `before` and `after` in a text, the first time.
fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let (_, rest) = text.split_once(before).expect(before);
    rest.split_once(after).expect(after).0
}

/// Words in quotes of either kind, in order.
fn quoted(list: &str) -> Vec<String> {
    let words = list.split(['"', '\'']).skip(1).step_by(2);
    words.map(str::to_owned).collect()
}

/// The settings that docs/lsp.md shows start a server that answers.
#[test]
fn the_settings_of_the_page_start_it() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lsp.md");
    let page = fs::read_to_string(page).expect("docs/lsp.md");
    let block = |language: &str| between(&page, &format!("```{language}\n"), "```");

    let lua = block("lua");
    let neovim = quoted(between(lua, "cmd = {", "}"));
    let name = quoted(between(lua, "vim.lsp.config(", "{")).remove(0);
    assert!(lua.contains(&format!("vim.lsp.enable('{name}')")), "{lua}");

    let toml = block("toml");
    let mut helix = quoted(between(toml, "command =", "\n"));
    helix.extend(quoted(between(toml, "args =", "\n")));
    let name = between(toml, "[language-server.", "]").to_owned();
    assert!(quoted(between(toml, "language-servers =", "\n")).contains(&name));

    let json: Value = serde_json::from_str(block("json")).expect("JSON");
    let word = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut code = vec![word(&json["glspc.server.command"])];
    let arguments = json["glspc.server.commandArguments"].as_array();
    code.extend(arguments.expect("a list").iter().map(word));

    for (editor, languages) in [
        (neovim, between(lua, "filetypes =", "\n").to_owned()),
        (
            helix,
            between(toml, "[[language]]", "\nlanguage-").to_owned(),
        ),
        (code, json["glspc.server.languageId"].to_string()),
    ] {
        assert_eq!(quoted(&languages), ["yaml"]);
        let (program, arguments) = editor.split_first().expect("a command");
        assert_eq!(program, "netverdict");
        let mut client = Client::with(arguments);
        let answer = client.ask("initialize", &json!({ "capabilities": {} }));
        assert_eq!(answer["result"]["capabilities"]["hoverProvider"], true);
        assert_eq!(client.ask("shutdown", &Value::Null)["result"], Value::Null);
        client.notify("exit", &Value::Null);
        assert!(client.child.wait().expect("it ends").success());
    }
    // Options are arguments, as the page says.
    let mut client = Client::with(["lsp", "--enable-policy=always"]);
    let answer = client.ask("initialize", &json!({ "capabilities": {} }));
    assert!(answer["error"].is_null(), "{answer}");
    client.notify("exit", &Value::Null);
}
