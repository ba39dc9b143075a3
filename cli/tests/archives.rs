//! Dumps as people have them: archives of `cilium sysdump` and packed folders,
//! and lists as `kubectl get` prints them.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn temporary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Names and texts of a sysdump of the shop, with what else is in one.
fn members() -> Vec<(&'static str, Vec<u8>)> {
    let read = |file: &str| fs::read(root().join(file)).expect(file);
    vec![
        (
            "cilium-sysdump-1/ciliumnetworkpolicies-1.yaml",
            read("examples/shop/manifests/policies.yaml"),
        ),
        (
            "cilium-sysdump-1/k8s-pods-1.yaml",
            read("examples/shop/manifests/workloads.yaml"),
        ),
        (
            "cilium-sysdump-1/hubble-flows-cilium-x-1.json",
            read("examples/recorded/hubble.jsonl"),
        ),
        (
            "cilium-sysdump-1/cilium-helm-values-1.yaml",
            b"a: 1\n".to_vec(),
        ),
        ("cilium-sysdump-1/logs-cilium-x-1.log", b"a log\n".to_vec()),
    ]
}

fn zip_of(name: &str, members: &[(&str, Vec<u8>)]) -> PathBuf {
    let path = temporary(name);
    let mut zip = zip::ZipWriter::new(File::create(&path).expect("a file"));
    for (name, bytes) in members {
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated);
        zip.start_file(*name, options).expect("a member");
        zip.write_all(bytes).expect("written");
    }
    zip.finish().expect("an archive");
    path
}

fn tar_of(name: &str, members: &[(&str, Vec<u8>)]) -> PathBuf {
    let path = temporary(name);
    let packed = GzEncoder::new(File::create(&path).expect("a file"), Compression::fast());
    let mut tar = tar::Builder::new(packed);
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_cksum();
        tar.append_data(&mut header, name, bytes.as_slice())
            .expect("a member");
    }
    tar.into_inner()
        .expect("a tar")
        .finish()
        .expect("an archive");
    path
}

fn ask(arguments: &[&str], paths: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netverdict"));
    command.current_dir(root()).args(arguments);
    for path in paths {
        command.arg("-f").arg(path);
    }
    command.output().expect("it runs")
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

const QUESTION: [&str; 7] = [
    "verdict",
    "--from",
    "shop/storefront",
    "--to",
    "shop/cart",
    "--port",
    "7070",
];

#[test]
fn archives_answer_as_the_folder_does() {
    let folder = ask(&QUESTION, &[Path::new("examples/shop/manifests")]);
    assert_eq!(folder.status.code(), Some(0));
    let wanted: Vec<String> = text(&folder)
        .lines()
        .filter(|l| !l.contains(".yaml:"))
        .map(str::to_owned)
        .collect();
    for path in [
        zip_of("shop.zip", &members()),
        tar_of("shop.tar.gz", &members()),
    ] {
        let answer = ask(&QUESTION, &[&path]);
        assert_eq!(answer.status.code(), Some(0), "{answer:?}");
        assert_eq!(String::from_utf8_lossy(&answer.stderr), "");
        let found: Vec<String> = text(&answer)
            .lines()
            .filter(|l| !l.contains(".yaml:"))
            .map(str::to_owned)
            .collect();
        assert_eq!(found, wanted);
        let place = format!(
            "{}:cilium-sysdump-1/ciliumnetworkpolicies-1.yaml:81:5",
            path.display()
        );
        assert!(text(&answer).contains(&place), "{}", text(&answer));
    }
}

#[test]
fn flows_of_a_sysdump_are_replayed_against_its_own_policies() {
    let path = zip_of("flows.zip", &members());
    let argument = path.to_str().expect("UTF-8");
    let replayed = ask(&["flows", "replay", argument], &[&path]);
    assert_eq!(replayed.status.code(), Some(4), "{replayed:?}");
    assert!(
        text(&replayed).contains("10 flows, 6 connections: 2 newly denied"),
        "{}",
        text(&replayed)
    );
}

#[test]
fn broken_and_hostile_archives_end_with_a_message() {
    let whole = fs::read(zip_of("whole.zip", &members())).expect("the archive");
    let packed = fs::read(tar_of("whole.tar.gz", &members())).expect("the archive");
    for (name, bytes) in [
        ("cut.zip", &whole[..whole.len() / 2]),
        ("cut.tar.gz", &packed[..packed.len() / 2]),
        ("text.zip", b"no archive".as_slice()),
        ("text.tgz", b"no archive".as_slice()),
    ] {
        let path = temporary(name);
        fs::write(&path, bytes).expect("written");
        let answer = ask(&QUESTION, &[&path]);
        assert_eq!(answer.status.code(), Some(1), "{name}: {answer:?}");
        assert!(
            String::from_utf8_lossy(&answer.stderr).contains("is no archive"),
            "{name}"
        );
    }
    // A member that unpacks to more than any text may have is refused alone.
    let mut large = members();
    large.push(("cilium-sysdump-1/k8s-events-1.yaml", vec![b'#'; 65 << 20]));
    let path = zip_of("large.zip", &large);
    let length = fs::metadata(&path).expect("the archive").len();
    assert!(length < 1 << 20, "{length}");
    let answer = ask(&QUESTION, &[&path]);
    assert_eq!(answer.status.code(), Some(0), "{answer:?}");
    let told = String::from_utf8_lossy(&answer.stderr).into_owned();
    assert!(
        told.contains("refused") && told.contains("k8s-events-1.yaml"),
        "{told}"
    );
}

#[test]
fn lists_of_kubectl_are_read_as_they_are() {
    let list = r#"{"apiVersion":"v1","kind":"List","metadata":{"resourceVersion":""},"items":[
{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a","uid":"1","managedFields":[{"manager":"kubectl","operation":"Update","fieldsV1":{"f:metadata":{}}}]},"status":{"phase":"Active"}},
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web-0","namespace":"a","labels":{"app":"web"},"managedFields":[{"manager":"kubelet","subresource":"status"}]},"spec":{"containers":[{"name":"web","image":"x"}],"nodeName":"n"},"status":{"phase":"Running","podIP":"10.0.0.7","podIPs":[{"ip":"10.0.0.7"}],"conditions":[]}},
{"apiVersion":"v1","kind":"Event","metadata":{"name":"e","namespace":"a"},"message":"x"},
{"apiVersion":"cilium.io/v2","kind":"CiliumNetworkPolicy","metadata":{"name":"web","namespace":"a","generation":2,"managedFields":[]},"spec":{"endpointSelector":{"matchLabels":{"app":"web"}},"ingress":[{"fromEntities":["cluster"]}]},"status":{"conditions":[{"type":"Valid","status":"True"}]}}]}"#;
    let path = temporary("list.json");
    fs::write(&path, list).expect("written");
    let answer = ask(
        &[
            "verdict", "--from", "world", "--to", "10.0.0.7", "--port", "80",
        ],
        &[&path],
    );
    assert_eq!(answer.status.code(), Some(2), "{answer:?}");
    assert_eq!(String::from_utf8_lossy(&answer.stderr), "");
    assert!(
        text(&answer).contains("CiliumNetworkPolicy/a/web, spec.ingress[0]"),
        "{}",
        text(&answer)
    );
}
