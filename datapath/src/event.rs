//! What the gate says of packets.
//!
//! In: the ring buffer of the programs. Out: [`Event`]s: a connection that is
//! new, or a packet that was dropped, with the verdict entry that decided.

use crate::error::Error;
use crate::map::Map;
use netverdict_table::{Answer, MatchType};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Bytes of an event.
const LEN: usize = 72;

/// A packet that began a connection, or was dropped.
///
/// ```
/// use netverdict::cluster::Cluster;
/// use netverdict_datapath::{Event, Names, drop_reason};
/// use netverdict_table::Answer;
/// use std::time::SystemTime;
///
/// let cluster = Cluster::read("{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}},
///  status: {podIPs: [{ip: 10.0.0.7}]}}")?;
/// let names = Names::of(&cluster);
/// let event = Event {
///     time: SystemTime::UNIX_EPOCH,
///     ifindex: 1,
///     endpoint: 1,
///     egress: false,
///     source: "192.0.2.1:40000".parse().expect("an address"),
///     destination: "10.0.0.7:80".parse().expect("an address"),
///     source_identity: 2,
///     destination_identity: 257,
///     protocol: 6,
///     tcp_flags: 2,
///     icmp: None,
///     answer: Answer::DROP,
///     length: 60,
/// };
/// assert_eq!(event.verdict(), "DROPPED");
/// // As `hubble observe` prints it, and as Hubble writes it.
/// assert!(event.line(&names).contains("shop/web:80"));
/// assert_eq!(event.to_flow(&names)["destination"]["pod_name"], "web");
/// assert_eq!(drop_reason(133), "POLICY_DENIED");
/// # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub time: SystemTime,
    /// The interface.
    pub ifindex: u32,
    /// The endpoint whose policy decided.
    pub endpoint: u32,
    /// True for traffic from the endpoint.
    pub egress: bool,
    /// Who sent it, and the port; 0 where there is none.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// The sender's identity.
    pub source_identity: u32,
    /// The receiver's identity.
    pub destination_identity: u32,
    /// IP protocol number.
    pub protocol: u8,
    /// TCP flags as they stand in the header.
    pub tcp_flags: u8,
    /// Type and code of an ICMP message.
    pub icmp: Option<(u8, u8)>,
    /// The verdict.
    pub answer: Answer,
    /// Bytes of the packet.
    pub length: u16,
}

impl Event {
    /// Reads an event; `began` is the time at which the kernel's clock was 0.
    fn read(b: &[u8; LEN], began: SystemTime) -> Self {
        let u16_at = |at: usize| u16::from_be_bytes([b[at], b[at + 1]]);
        let u32_at = |at: usize| u32::from_ne_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]]);
        let nanoseconds = u64::from(u32_at(0)) | u64::from(u32_at(4)) << 32;
        let ipv6 = b[62] == 2;
        let address = |at: usize| -> IpAddr {
            let octets: [u8; 16] = std::array::from_fn(|i| b[at + i]);
            if ipv6 {
                Ipv6Addr::from(octets).into()
            } else {
                Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]).into()
            }
        };
        let protocol = b[60];
        let icmp = matches!(protocol, 1 | 58).then_some((b[58], b[59]));
        let ports = if icmp.is_some() {
            [0, 0]
        } else {
            [u16_at(56), u16_at(58)]
        };
        let egress = b[61] != 0;
        let (own, peer) = (u32_at(16), u32_at(20));
        let (source_identity, destination_identity) =
            if egress { (own, peer) } else { (peer, own) };
        let match_type = MatchType::by_number(b[66]);
        let code = i16::from_ne_bytes([b[64], b[65]]);
        Self {
            time: began + Duration::from_nanos(nanoseconds),
            ifindex: u32_at(8),
            endpoint: u32_at(12),
            egress,
            source: (address(24), ports[0]).into(),
            destination: (address(40), ports[1]).into(),
            source_identity,
            destination_identity,
            protocol,
            tcp_flags: b[63],
            icmp,
            answer: Answer::new(code, match_type, code == -181, u16_at(68), b[67], None, 0),
            length: u16::from_ne_bytes([b[70], b[71]]),
        }
    }
}

/// The reading end of the ring buffer.
///
/// The kernel maps it as a page with the reader's position, a page with the
/// writer's, and the data, twice in a row so that no record is cut at the end.
#[derive(Debug)]
pub struct Events {
    map: Arc<Map>,
    consumer: Mapping,
    producer: Mapping,
    page: usize,
    size: usize,
    began: SystemTime,
}

/// Flags in the length of a record.
const BUSY: u32 = 1 << 31;
const DISCARDED: u32 = 1 << 30;
/// Bytes before each record.
const HEADER: usize = 8;

impl Events {
    pub(crate) fn new(map: &Arc<Map>) -> Result<Self, Error> {
        // SAFETY: asks for a number.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let page = usize::try_from(page).unwrap_or(4096);
        let size = map.shape().max_entries as usize;
        let refused = |e| Error::of(format!("map {} into memory", map.name()), e);
        let write = libc::PROT_READ | libc::PROT_WRITE;
        let consumer = Mapping::new(map.raw(), page, write, 0).map_err(refused)?;
        let length = page + size * 2;
        let producer =
            Mapping::new(map.raw(), length, libc::PROT_READ, page as i64).map_err(refused)?;
        Ok(Self {
            map: Arc::clone(map),
            consumer,
            producer,
            page,
            size,
            began: began(),
        })
    }

    /// The next event, if there is one already.
    pub fn next_now(&mut self) -> Option<Event> {
        loop {
            let at = self.consumer.word64(0).load(Ordering::Relaxed);
            if at >= self.producer.word64(0).load(Ordering::Acquire) {
                return None;
            }
            let offset = self.page + (at as usize & (self.size - 1));
            let length = self.producer.word32(offset).load(Ordering::Acquire);
            if length & BUSY != 0 {
                return None;
            }
            let bytes = (length & !(BUSY | DISCARDED)) as usize;
            let event = (length & DISCARDED == 0 && bytes >= LEN).then(|| {
                let raw = self.producer.bytes::<LEN>(offset + HEADER);
                Event::read(&raw, self.began)
            });
            let next = at + (bytes + HEADER).next_multiple_of(8) as u64;
            self.consumer.word64(0).store(next, Ordering::Release);
            if event.is_some() {
                return event;
            }
        }
    }

    /// The next event, or `None` when none came within a time.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn next_within(&mut self, time: Duration) -> Result<Option<Event>, Error> {
        if let Some(event) = self.next_now() {
            return Ok(Some(event));
        }
        let mut poll = libc::pollfd {
            fd: self.map.raw(),
            events: libc::POLLIN,
            revents: 0,
        };
        let milliseconds = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: one structure, ours, for the time of the call.
        let done = unsafe { libc::poll(&raw mut poll, 1, milliseconds) };
        if done < 0 {
            let error = std::io::Error::last_os_error();
            if error.kind() != std::io::ErrorKind::Interrupted {
                return Err(Error::of("wait for events", error));
            }
        }
        Ok(self.next_now())
    }
}

/// When the clock that programs read was 0.
fn began() -> SystemTime {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a structure of ours to fill.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    let since = Duration::new(time.tv_sec as u64, time.tv_nsec as u32);
    SystemTime::now() - since
}

/// A part of a ring buffer in memory.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to this value alone within the process; who reads
// it has `&mut Events`.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(map: RawFd, len: usize, protection: libc::c_int, at: i64) -> std::io::Result<Self> {
        let flags = libc::MAP_SHARED;
        // SAFETY: a new mapping at an address that the kernel chooses.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, map, at) };
        if start == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(std::io::ErrorKind::InvalidData)?;
        Ok(Self { start, len })
    }

    fn place<T>(&self, at: usize) -> *mut T {
        assert!(at <= self.len && self.len - at >= size_of::<T>());
        // SAFETY: within the mapping, as was just asserted.
        let place = unsafe { self.start.as_ptr().add(at) }.cast::<T>();
        assert!(place.is_aligned());
        place
    }

    fn word64(&self, at: usize) -> &AtomicU64 {
        // SAFETY: within the mapping and aligned; the kernel writes atomically.
        unsafe { AtomicU64::from_ptr(self.place(at)) }
    }

    fn word32(&self, at: usize) -> &AtomicU32 {
        // SAFETY: as above.
        unsafe { AtomicU32::from_ptr(self.place(at)) }
    }

    /// Bytes of a record that is complete: the kernel does not write there
    /// until the reader's position has passed it.
    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        // SAFETY: within the mapping; nobody writes there now, and bytes may
        // have any value.
        unsafe { self.place::<[u8; N]>(at).read() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nothing borrows from it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// For whoever waits for several things at once.
impl AsRawFd for Events {
    fn as_raw_fd(&self) -> RawFd {
        self.map.raw()
    }
}
