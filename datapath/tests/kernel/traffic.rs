//! Packets between pods: connections, datagrams, echoes.

use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long is waited for what is to arrive; machines may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(8);
/// How long is waited for what is not to arrive.
pub(crate) const SILENCE: Duration = Duration::from_millis(350);

/// Echoes what connections say, as long as the process lives.
pub(crate) fn serve_tcp(at: SocketAddr) {
    let listener = TcpListener::bind(at).expect("an address of the pod");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut stream = stream;
                let mut bytes = [0; 64];
                while let Ok(n @ 1..) = stream.read(&mut bytes) {
                    if stream.write_all(&bytes[..n]).is_err() {
                        break;
                    }
                }
            });
        }
    });
}

/// Echoes datagrams.
pub(crate) fn serve_udp(at: SocketAddr) {
    let socket = UdpSocket::bind(at).expect("an address of the pod");
    std::thread::spawn(move || {
        let mut bytes = [0; 64];
        while let Ok((n, from)) = socket.recv_from(&mut bytes) {
            let _ = socket.send_to(&bytes[..n], from);
        }
    });
}

/// True when a connection comes about and what is said comes back.
pub(crate) fn talks_tcp(to: SocketAddr, wait: Duration) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&to, wait) else {
        return false;
    };
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let mut answer = [0; 5];
    stream.write_all(b"hello").is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && &answer == b"hello"
}

/// True when a datagram comes back.
pub(crate) fn talks_udp(to: SocketAddr, wait: Duration) -> bool {
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).expect("a socket");
    socket.set_read_timeout(Some(wait)).expect("a time");
    let mut answer = [0; 16];
    socket.send_to(b"hello", to).is_ok()
        && socket
            .recv_from(&mut answer)
            .is_ok_and(|(n, from)| n == 5 && from == to)
}

/// True when an echo request is answered.
pub(crate) fn pings(to: IpAddr, wait: Duration) -> bool {
    let (family, protocol, request, reply) = match to {
        IpAddr::V4(_) => (libc::AF_INET, libc::IPPROTO_ICMP, 8u8, 0u8),
        IpAddr::V6(_) => (libc::AF_INET6, libc::IPPROTO_ICMPV6, 128, 129),
    };
    // SAFETY: numbers alone.
    let socket = unsafe { libc::socket(family, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol) };
    assert!(
        socket >= 0,
        "a raw socket: {}",
        std::io::Error::last_os_error()
    );
    // SAFETY: the descriptor was just given to us alone.
    let socket = UdpSocket::from(unsafe { OwnedFd::from_raw_fd(socket) });
    let identifier = std::process::id().to_be_bytes();
    let mut message = [request, 0, 0, 0, identifier[2], identifier[3], 0, 1];
    if to.is_ipv4() {
        let sum: u32 = message
            .chunks(2)
            .map(|p| u32::from(p[0]) << 8 | u32::from(p[1]))
            .sum();
        let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    if socket.send_to(&message, SocketAddr::new(to, 0)).is_err() {
        return false;
    }
    let until = Instant::now() + wait;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        let _ = socket.set_read_timeout(Some(left.max(Duration::from_millis(1))));
        let mut bytes = [MaybeUninit::<u8>::uninit(); 256];
        // SAFETY: the kernel writes at most the bytes of the buffer.
        let n = unsafe { libc::recv(socket.as_raw_fd(), bytes.as_mut_ptr().cast(), 256, 0) };
        let Ok(n) = usize::try_from(n) else { continue };
        // SAFETY: the kernel wrote the first `n`.
        let bytes = unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast::<u8>(), n) };
        // Raw sockets of IPv4 get the IP header, too.
        let skip = if to.is_ipv4() {
            usize::from(bytes[0] & 15) * 4
        } else {
            0
        };
        let found = bytes.get(skip..).unwrap_or_default();
        if found.len() >= 8 && found[0] == reply && found[4..6] == message[4..6] {
            return true;
        }
    }
    false
}
