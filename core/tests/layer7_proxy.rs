//! The engine inside of real proxies, on loopback: an HTTP proxy that decides
//! by it, and a DNS proxy from whose answers addresses become reachable.

use netverdict::cluster::{Cluster, ClusterOptions, Flow, Layer7, Layer7Outcome};
use netverdict::config::Config;
use netverdict::fqdn::{Names, NamesConfig};
use netverdict::l7::{Request, Secrets};
use netverdict::object::load::{LoadOptions, load};
use netverdict::source::SourceId;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The cluster of an example's manifests.
fn example(name: &str) -> Cluster {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples")
        .join(name);
    let config = Config::default();
    let mut objects = Vec::new();
    let mut number = 0;
    for folder in ["app", "policies"] {
        let mut files: Vec<_> = std::fs::read_dir(root.join(folder))
            .unwrap()
            .map(|f| f.unwrap().path())
            .collect();
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(file).unwrap();
            let loaded = load(SourceId(number), &text, &LoadOptions::new(&config));
            assert!(!loaded.refused_any());
            objects.extend(loaded.into_objects());
            number += 1;
        }
    }
    Cluster::build(Config::default(), ClusterOptions::default(), objects)
}

fn outcome(
    cluster: &Cluster,
    (from, to, protocol, port): (&str, &str, u8, u16),
    sent: &Layer7<'_>,
) -> (Option<Layer7Outcome>, Option<Request>) {
    let (from, to) = (cluster.peer(from).unwrap(), cluster.peer(to).unwrap());
    let flow = Flow::new(&from, &to, protocol, port);
    let answer = cluster.layer7(&flow, &cluster.flow(&flow), sent, &Secrets::default());
    (answer.outcome, answer.request)
}

const WAIT: Duration = Duration::from_secs(20);

/// Reads the head of an HTTP message.
fn head(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(WAIT)).unwrap();
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}

fn parse(head: &str) -> Option<Request> {
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let headers: Vec<(&str, &str)> = lines.filter_map(|l| l.split_once(':')).collect();
    let host = headers.iter().find(|(n, _)| n.eq_ignore_ascii_case("host"));
    let mut request = Request::new(method, host.map_or("", |(_, h)| h.trim()), path);
    for (name, value) in headers {
        if !name.eq_ignore_ascii_case("host") {
            request.add(name, value.trim());
        }
    }
    Some(request)
}

/// Serves so many connections, each by a function of its stream.
fn serve(connections: usize, mut each: impl FnMut(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(connections) {
            each(stream.unwrap());
        }
    });
    address
}

/// What a client gets: the status line, or nothing when the connection is
/// closed in its face.
fn get(proxy: SocketAddr, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(proxy).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: api:8080\r\n\r\n").unwrap();
    let answer = head(&mut stream);
    answer.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn an_http_proxy_forwards_and_answers_403() {
    let cluster = Arc::new(example("l7-api"));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let upstream = serve(3, move |mut stream| {
        let request = head(&mut stream);
        let line = request.lines().next().unwrap_or_default().to_owned();
        log.lock().unwrap().push(line);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    });
    // A proxy for each caller: on loopback all would have one address.
    let proxy_for = |caller: &'static str| {
        let cluster = Arc::clone(&cluster);
        serve(6, move |mut stream| {
            let text = head(&mut stream);
            let sent = Layer7 {
                request: parse(&text),
                ..Layer7::default()
            };
            let flow = (caller, "api/api", 6, 8080);
            match outcome(&cluster, flow, &sent).0 {
                // The packet would have been dropped.
                None => {}
                Some(Layer7Outcome::Forwarded) => {
                    let mut server = TcpStream::connect(upstream).unwrap();
                    server.write_all(text.as_bytes()).unwrap();
                    let answer = head(&mut server);
                    let _ = stream.write_all(answer.as_bytes());
                }
                Some(Layer7Outcome::Forbidden) => {
                    let body = "Access denied\r\n";
                    let _ = write!(
                        stream,
                        "HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                }
                other => panic!("{other:?}"),
            }
        })
    };
    let (admin, user, guest) = (
        proxy_for("admin/console"),
        proxy_for("user/browser"),
        proxy_for("guest/visitor"),
    );
    for (proxy, method, path, expected) in [
        (admin, "GET", "/api/v1/orders", "HTTP/1.1 200 OK"),
        (admin, "GET", "/docs", "HTTP/1.1 200 OK"),
        (admin, "GET", "/docs/", "HTTP/1.1 403 Forbidden"),
        (admin, "POST", "/api/v1/orders", "HTTP/1.1 403 Forbidden"),
        (user, "GET", "/", "HTTP/1.1 200 OK"),
        (user, "GET", "/docs", "HTTP/1.1 403 Forbidden"),
        (guest, "GET", "/", ""),
    ] {
        assert_eq!(get(proxy, method, path), expected, "{method} {path}");
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 3, "what is refused never arrives: {seen:?}");
}

/// A DNS message: a query, or its answer with an address.
fn message(name: &str, answer: Option<(Ipv4Addr, u32)>, rcode: u8) -> Vec<u8> {
    let response = answer.is_some() || rcode > 0;
    let flags = if response { 0x81 } else { 0x01 };
    let answers = u8::from(answer.is_some());
    let mut bytes = vec![0, 7, flags, rcode, 0, 1, 0, answers, 0, 0, 0, 0];
    for label in name.trim_end_matches('.').split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    if let Some((address, ttl)) = answer {
        // The name is that at byte 12.
        bytes.extend([0xc0, 12, 0, 1, 0, 1]);
        bytes.extend(ttl.to_be_bytes());
        bytes.extend([0, 4]);
        bytes.extend(address.octets());
    }
    bytes
}

/// The name that is asked for, and where the question ends.
fn question(bytes: &[u8]) -> (String, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while bytes[at] > 0 {
        let end = at + 1 + usize::from(bytes[at]);
        labels.push(String::from_utf8_lossy(&bytes[at + 1..end]).into_owned());
        at = end;
    }
    (labels.join("."), at + 5)
}

/// The address of an answer with one A record, and its time to live.
fn address(bytes: &[u8]) -> (IpAddr, u32) {
    let record = &bytes[question(bytes).1 + 2..];
    let ttl = u32::from_be_bytes(record[4..8].try_into().unwrap());
    let ip: [u8; 4] = record[10..14].try_into().unwrap();
    (IpAddr::from(ip), ttl)
}

#[test]
fn addresses_are_reachable_from_the_answer_until_it_expires() {
    let mut cluster = example("agent-sandbox");
    let mut names = Names::new(NamesConfig::default());
    let at_loopback = || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(WAIT)).unwrap();
        socket
    };
    let (client, proxy, server) = (at_loopback(), at_loopback(), at_loopback());
    let (to_proxy, to_server) = (proxy.local_addr().unwrap(), server.local_addr().unwrap());
    let there = Ipv4Addr::new(198, 51, 100, 30);
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = server.recv_from(&mut buffer) {
            let (name, _) = question(&buffer[..length]);
            let answer = message(&name, Some((there, 30)), 0);
            let _ = server.send_to(&answer, from);
        }
    });
    // One query through the proxy, at a time of the test's own; its code.
    let look_up = |cluster: &mut Cluster, names: &mut Names, name: &str, at: u64| -> u8 {
        let mut buffer = [0; 512];
        client.send_to(&message(name, None, 0), to_proxy).unwrap();
        let (length, from) = proxy.recv_from(&mut buffer).unwrap();
        let (asked, _) = question(&buffer[..length]);
        let sent = Layer7 {
            query: Some(&asked),
            ..Layer7::default()
        };
        let flow = ("sandbox/agent", "kube-system/coredns", 17, 53);
        let answer = match outcome(cluster, flow, &sent).0 {
            Some(Layer7Outcome::Forwarded) => {
                let upstream = at_loopback();
                upstream.send_to(&buffer[..length], to_server).unwrap();
                let (length, _) = upstream.recv_from(&mut buffer).unwrap();
                let (ip, ttl) = address(&buffer[..length]);
                names.answer(1, &asked, &[ip], ttl, at).unwrap();
                cluster.learn_names(names.take_changes());
                buffer[..length].to_vec()
            }
            Some(Layer7Outcome::Refused) => message(&asked, None, 5),
            other => panic!("{other:?}"),
        };
        proxy.send_to(&answer, from).unwrap();
        client.recv_from(&mut buffer).unwrap();
        buffer[3] & 15
    };
    let reaches = |cluster: &Cluster| {
        let (from, to) = (cluster.peer("sandbox/agent").unwrap(), there.to_string());
        let to = cluster.peer(&to).unwrap();
        let flow = Flow::new(&from, &to, 6, 443);
        cluster.flow(&flow).overall.is_allowed()
    };
    let second = 1000;
    assert!(!reaches(&cluster), "nobody has asked yet");
    let refused = look_up(&mut cluster, &mut names, "c2VjcmV0.evil.example", second);
    assert_eq!(refused, 5);
    assert!(!reaches(&cluster));
    let found = look_up(&mut cluster, &mut names, "api.model.example", 2 * second);
    assert_eq!(found, 0);
    assert!(reaches(&cluster), "the answer opens the way");
    // It expires at 32; a connection is still alive at the first look.
    for (at, alive, expected) in [(60, true, true), (120, false, true), (180, false, false)] {
        names.collect(at * second);
        if alive {
            names.alive(1, &IpAddr::from(there), (at + 10) * second);
        }
        names.end_of_conntrack_collection(1, (at + 10) * second);
        cluster.learn_names(names.take_changes());
        assert_eq!(reaches(&cluster), expected, "second {at}");
    }
}
