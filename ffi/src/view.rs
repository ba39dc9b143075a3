//! Verdict tables that are read.
//!
//! In: the bytes of an image. Out: verdicts, one by one, as arrays of
//! questions, and as columns.

use crate::buffer::netverdict_bytes;
use crate::error::{Failure, call, netverdict_error};
use crate::handle::{self, Out};
use crate::pointer::{self, Sized0, slice};
use crate::status::{
    NETVERDICT_BAD_ARGUMENT, NETVERDICT_NO_MEMORY, NETVERDICT_NOT_FOUND, NETVERDICT_NULL_ARGUMENT,
    NETVERDICT_OK, NETVERDICT_TABLE_DAMAGED, NETVERDICT_TABLE_FORMAT, NETVERDICT_TABLE_HASH,
    NETVERDICT_TABLE_MAGIC, NETVERDICT_TABLE_SHORT, netverdict_status,
};
use netverdict_table::{Answer, Direction, Info, Question, TableError, View};
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// Traffic to the subject.
pub const NETVERDICT_INGRESS: u8 = 0;
/// Traffic from the subject.
pub const NETVERDICT_EGRESS: u8 = 1;

/// Flag of a verdict: a rule denies.
pub const NETVERDICT_VERDICT_DENY: u8 = 1;
/// Flag of a verdict: the table has no such subject. To it and from it nothing
/// passes.
pub const NETVERDICT_VERDICT_NO_SUBJECT: u8 = 128;

/// Code of a verdict: the packet passes, be it by way of a proxy.
pub const NETVERDICT_CODE_PASS: i16 = 0;
/// Code of a verdict: no rule allows it.
pub const NETVERDICT_CODE_POLICY: i16 = -133;
/// Code of a verdict: a fragment whose port is unknown, and no rule allows it.
pub const NETVERDICT_CODE_FRAGMENT: i16 = -157;
/// Code of a verdict: a rule denies it.
pub const NETVERDICT_CODE_DENY: i16 = -181;
/// Code of a verdict: the peers have to authenticate first.
pub const NETVERDICT_CODE_AUTH_REQUIRED: i16 = -189;

/// `auth_donor` of a verdict that inherited no authentication.
pub const NETVERDICT_NOT_INHERITED: u8 = 255;

/// A packet without a connection yet: 16 bytes, for ever.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct netverdict_question {
    /// Whose policy: the number of a subject of the table.
    pub subject: u32,
    /// The other side's security identity.
    pub identity: u32,
    /// Destination port, host byte order; for ICMP and ICMPv6 the type.
    pub port: u16,
    /// IP protocol number.
    pub protocol: u8,
    /// NETVERDICT_INGRESS or NETVERDICT_EGRESS.
    pub direction: u8,
    /// Code of an ICMP message; only "fragmentation needed" (3, 4) matters.
    pub icmp_code: u8,
    /// Not 0 for a fragment whose first part was not seen: no port is known.
    pub untracked_fragment: u8,
    /// 0.
    pub reserved: u16,
}

/// What becomes of a packet: 16 bytes, for ever.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct netverdict_verdict {
    /// The proxy's port, host byte order; 0 for none.
    pub proxy_port: u16,
    /// NETVERDICT_VERDICT_DENY, NETVERDICT_VERDICT_NO_SUBJECT.
    pub flags: u8,
    /// Authentication type in effect; 0 for none.
    pub auth_type: u8,
    /// 0 when the packet passes, else one of NETVERDICT_CODE_*: Cilium's drop
    /// reason, negative.
    pub code: i16,
    /// How much of the packet the deciding entry looks at: 0 there is none,
    /// 1 L3-Only, 2 L3-L4, 3 L4-Only, 4 all, 5 L3-Proto, 6 Proto-Only.
    pub match_type: u8,
    /// Prefix length of the entry that authentication is inherited from, or
    /// NETVERDICT_NOT_INHERITED.
    pub auth_donor: u8,
    /// The policy log cookie; 0 for none.
    pub cookie: u32,
    /// 0.
    pub reserved: u32,
}

const _: () = assert!(size_of::<netverdict_question>() == 16);
const _: () = assert!(size_of::<netverdict_verdict>() == 16);

/// What an image says of itself.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct netverdict_image_info {
    /// sizeof(netverdict_image_info), set by the caller.
    pub struct_size: usize,
    /// Bytes of the image.
    pub length: u64,
    /// Revision of the policies it was made of.
    pub revision: u64,
    /// Content hash; valid in a frozen image.
    pub hash: u64,
    /// Format it was written in.
    pub format: u32,
    /// Format that a reader must know.
    pub oldest_reader: u32,
    /// Whose semantics: Cilium's version, major * 65536 + minor.
    pub semantics: u32,
    /// How many numbers of subjects there are; some may be nobody's.
    pub subjects: u32,
    /// How many identities.
    pub identities: u32,
    /// Not 0 when nothing will change any more and the hash is valid.
    pub frozen: u32,
}

// SAFETY: it begins with its size, has no pointers, and numbers may be 0.
unsafe impl Sized0 for netverdict_image_info {
    const FIRST: usize = 56;
}
const _: () = assert!(size_of::<netverdict_image_info>() == 56);

/// A table that was checked and does not change. All functions on it may be
/// called from any number of threads.
pub struct netverdict_view {
    view: View<'static>,
    /// The copy, if it is one.
    _copy: Option<Copied>,
}

/// Bytes that a view reads and owns. Not a `Box`, which must not be moved while
/// something borrows from it.
struct Copied(NonNull<[u8]>);

impl Drop for Copied {
    fn drop(&mut self) {
        // SAFETY: it came from `Box::into_raw`, and the view goes at the same
        // time.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

// SAFETY: the bytes are only read.
unsafe impl Send for Copied {}
// SAFETY: the bytes are only read.
unsafe impl Sync for Copied {}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<netverdict_view>();
};

impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        let status = match error {
            TableError::TooShort { .. } => NETVERDICT_TABLE_SHORT,
            TableError::Magic => NETVERDICT_TABLE_MAGIC,
            TableError::Version { .. } => NETVERDICT_TABLE_FORMAT,
            TableError::Hash => NETVERDICT_TABLE_HASH,
            _ => NETVERDICT_TABLE_DAMAGED,
        };
        Self::new(status, error.to_string())
    }
}

impl netverdict_view {
    /// A view of a copy of an image.
    ///
    /// # Errors
    /// When it is no image, or there is no memory.
    pub fn load(bytes: &[u8]) -> Result<Self, Failure> {
        let length = Info::read(bytes)?.header.length as usize;
        // What follows the image is not needed.
        let image = bytes.get(..length).unwrap_or(bytes);
        let mut copy = Vec::new();
        copy.try_reserve_exact(image.len()).map_err(|_| {
            let message = format!("no memory for a copy of {length} bytes");
            Failure::new(NETVERDICT_NO_MEMORY, message)
        })?;
        copy.extend_from_slice(image);
        let raw = NonNull::from(Box::leak(copy.into_boxed_slice()));
        let copy = Copied(raw);
        // SAFETY: the bytes live as long as `copy`, which lies beside the view
        // and is never handed out.
        let image: &'static [u8] = unsafe { copy.0.as_ref() };
        Ok(Self {
            view: View::new(image)?,
            _copy: Some(copy),
        })
    }

    /// The view, for as long as the handle is borrowed.
    #[must_use]
    pub const fn view(&self) -> &View<'_> {
        &self.view
    }
}

/// Checks an image completely and copies it. Bytes behind the image's own
/// length are ignored. No bytes are harmful.
///
/// # Safety
/// As `docs/c-abi.md` has it for every function: pointers are NULL or lead to
/// what their types say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_view_load(
    bytes: *const u8,
    len: usize,
    view: *mut *mut netverdict_view,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    call(error, || {
        // SAFETY: by the rules of the ABI.
        let (bytes, out) = unsafe { (slice(bytes, len, "bytes")?, Out::new(view, "view")?) };
        out.set(netverdict_view::load(bytes)?);
        Ok(())
    })
}

/// As netverdict_view_load without the copy: the bytes must stay where they
/// are and as they are until the view is freed, whoever else can reach them.
///
/// # Safety
/// As above; and the bytes do not change or go while the view lives.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_view_borrow(
    bytes: *const u8,
    len: usize,
    view: *mut *mut netverdict_view,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    call(error, || {
        // SAFETY: by the rules of the ABI; the caller vouches for the lifetime.
        let (bytes, out): (&'static [u8], _) =
            unsafe { (slice(bytes, len, "bytes")?, Out::new(view, "view")?) };
        let view = View::new(bytes)?;
        out.set(netverdict_view { view, _copy: None });
        Ok(())
    })
}

/// Frees a view and sets the pointer to NULL. NULL, or a pointer to NULL, is
/// no mistake.
///
/// # Safety
/// `view` is NULL or leads to NULL or a view that nothing else uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_view_free(view: *mut *mut netverdict_view) {
    // SAFETY: as above.
    unsafe { handle::free(view) }
}

/// Reads what an image says of itself; its content is not checked. `info` has
/// its struct_size set.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_image_read_info(
    bytes: *const u8,
    len: usize,
    info: *mut netverdict_image_info,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    call(error, || {
        // SAFETY: by the rules of the ABI.
        let found = Info::read(unsafe { slice(bytes, len, "bytes")? })?;
        let h = found.header;
        let told = netverdict_image_info {
            struct_size: 0,
            length: h.length.into(),
            revision: h.revision,
            hash: h.hash,
            format: h.version.into(),
            oldest_reader: h.oldest_reader.into(),
            semantics: h.semantics,
            subjects: h.subjects.count,
            identities: h.identities.count,
            frozen: found.frozen.into(),
        };
        // SAFETY: by the rules of the ABI.
        unsafe { pointer::write_sized(info, "info", &told) }
    })
}

/// The bytes of the image, until the view is freed. Empty for NULL.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_view_image(view: *const netverdict_view) -> netverdict_bytes {
    // SAFETY: by the rules of the ABI.
    let view = unsafe { view.as_ref() };
    view.map_or(netverdict_bytes::EMPTY, |v| {
        netverdict_bytes::of(v.view.image())
    })
}

/// The subject of an endpoint's number; NETVERDICT_NOT_FOUND when it has none.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_view_subject_of_endpoint(
    view: *const netverdict_view,
    endpoint: u32,
    subject: *mut u32,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe { subject_of(view, subject, |v| v.subject_of_endpoint(endpoint)) }
}

/// The subject of an identity; NETVERDICT_NOT_FOUND when it has none.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_view_subject_of_identity(
    view: *const netverdict_view,
    identity: u32,
    subject: *mut u32,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe { subject_of(view, subject, |v| v.subject_of_identity(identity)) }
}

/// # Safety
/// By the rules of the ABI.
unsafe fn subject_of(
    view: *const netverdict_view,
    subject: *mut u32,
    find: impl FnOnce(&View<'_>) -> Option<u32>,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    let (Some(view), Some(subject)) = (unsafe { view.as_ref() }, unsafe { subject.as_mut() })
    else {
        return NETVERDICT_NULL_ARGUMENT;
    };
    match find(&view.view) {
        Some(found) => {
            *subject = found;
            NETVERDICT_OK
        }
        None => NETVERDICT_NOT_FOUND,
    }
}

/// A question in Rust's types.
///
/// # Errors
/// When its direction is none.
pub(crate) fn question(asked: &netverdict_question) -> Result<Question, Failure> {
    asked.read().ok_or_else(|| {
        let message = "`question.direction` is none";
        Failure::new(NETVERDICT_BAD_ARGUMENT, message)
    })
}

impl netverdict_question {
    /// The question in Rust's types; `None` when its direction is none.
    #[inline(always)]
    pub(crate) const fn read(&self) -> Option<Question> {
        Some(Question {
            subject: self.subject,
            identity: self.identity,
            port: self.port,
            protocol: self.protocol,
            direction: match direction(self.direction) {
                Some(direction) => direction,
                None => return None,
            },
            icmp_code: self.icmp_code,
            untracked_fragment: self.untracked_fragment != 0,
        })
    }
}

#[inline(always)]
const fn direction(number: u8) -> Option<Direction> {
    match number {
        NETVERDICT_INGRESS => Some(Direction::Ingress),
        NETVERDICT_EGRESS => Some(Direction::Egress),
        _ => None,
    }
}

impl netverdict_verdict {
    /// No such subject.
    pub(crate) const NOBODY: Self = {
        let mut verdict = Self::of(Answer::DROP);
        verdict.flags |= NETVERDICT_VERDICT_NO_SUBJECT;
        verdict
    };

    #[inline(always)]
    pub(crate) const fn of(answer: Answer) -> Self {
        let [
            p0,
            p1,
            flags,
            auth_type,
            c0,
            c1,
            match_type,
            auth_donor,
            k0,
            k1,
            k2,
            k3,
            ..,
        ] = answer.to_bytes();
        Self {
            proxy_port: u16::from_be_bytes([p0, p1]),
            flags,
            auth_type,
            code: i16::from_le_bytes([c0, c1]),
            match_type,
            auth_donor,
            cookie: u32::from_le_bytes([k0, k1, k2, k3]),
            reserved: 0,
        }
    }
}

/// What becomes of a packet. Neither allocates nor locks nor waits: may be
/// called in a signal handler. A table without the subject drops, with the flag
/// NETVERDICT_VERDICT_NO_SUBJECT.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_view_verdict(
    view: *const netverdict_view,
    question: *const netverdict_question,
    verdict: *mut netverdict_verdict,
) -> netverdict_status {
    if view.is_null() || question.is_null() || verdict.is_null() {
        return NETVERDICT_NULL_ARGUMENT;
    }
    // SAFETY: none is NULL; the rest by the rules of the ABI.
    let (view, question) = unsafe { (&*view, &*question) };
    let Some(question) = question.read() else {
        return NETVERDICT_BAD_ARGUMENT;
    };
    let answer = view.view.verdict(&question);
    let answer = answer.map_or(netverdict_verdict::NOBODY, netverdict_verdict::of);
    // SAFETY: as above.
    unsafe { verdict.write(answer) };
    NETVERDICT_OK
}

/// Answers `count` questions into as many verdicts; as netverdict_view_verdict.
/// When a question has no direction, NETVERDICT_BAD_ARGUMENT is returned, and
/// what stands in `verdicts` means nothing.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_view_verdict_batch(
    view: *const netverdict_view,
    questions: *const netverdict_question,
    count: usize,
    verdicts: *mut netverdict_verdict,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    let arguments = unsafe { batch(view, questions, count, verdicts) };
    match arguments {
        Ok((view, questions, verdicts)) => {
            answer_all(questions, verdicts, |q| view.view.verdict(q))
        }
        Err(status) => status,
    }
}

/// The arguments of a batch, without a word about what is wrong with them:
/// errors would allocate.
///
/// # Safety
/// By the rules of the ABI.
pub(crate) unsafe fn batch<'a, T>(
    handle: *const T,
    questions: *const netverdict_question,
    count: usize,
    verdicts: *mut netverdict_verdict,
) -> Result<Batch<'a, T>, netverdict_status> {
    if handle.is_null() || (count != 0 && (questions.is_null() || verdicts.is_null())) {
        return Err(NETVERDICT_NULL_ARGUMENT);
    }
    // SAFETY: by the rules of the ABI.
    let parts = unsafe {
        (
            &*handle,
            array(questions, count)?,
            array_out(verdicts, count)?,
        )
    };
    Ok(parts)
}

type Batch<'a, T> = (
    &'a T,
    &'a [netverdict_question],
    &'a mut [MaybeUninit<netverdict_verdict>],
);

fn fits<T>(pointer: *const T, count: usize) -> Result<(), netverdict_status> {
    let bytes = count.checked_mul(size_of::<T>());
    if bytes.is_none_or(|b| isize::try_from(b).is_err()) {
        return Err(crate::status::NETVERDICT_TOO_LARGE);
    }
    match pointer.is_aligned() {
        true => Ok(()),
        false => Err(NETVERDICT_BAD_ARGUMENT),
    }
}

/// # Safety
/// As [`slice`].
unsafe fn array<'a, T>(pointer: *const T, count: usize) -> Result<&'a [T], netverdict_status> {
    if count == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() {
        return Err(NETVERDICT_NULL_ARGUMENT);
    }
    fits(pointer, count)?;
    // SAFETY: neither NULL nor misaligned nor too long; the rest as above.
    Ok(unsafe { std::slice::from_raw_parts(pointer, count) })
}

/// # Safety
/// As [`array`], and they may be written to.
unsafe fn array_out<'a, T>(
    pointer: *mut T,
    count: usize,
) -> Result<&'a mut [MaybeUninit<T>], netverdict_status> {
    if count == 0 {
        return Ok(&mut []);
    }
    if pointer.is_null() {
        return Err(NETVERDICT_NULL_ARGUMENT);
    }
    fits(pointer, count)?;
    // SAFETY: as `array`; nothing uninitialised is read.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer.cast(), count) })
}

#[inline(always)]
pub(crate) fn answer_all(
    questions: &[netverdict_question],
    verdicts: &mut [MaybeUninit<netverdict_verdict>],
    ask: impl Fn(&Question) -> Option<Answer>,
) -> netverdict_status {
    for (question, verdict) in questions.iter().zip(verdicts) {
        let Some(question) = question.read() else {
            return NETVERDICT_BAD_ARGUMENT;
        };
        let answer = ask(&question);
        verdict.write(answer.map_or(netverdict_verdict::NOBODY, netverdict_verdict::of));
    }
    NETVERDICT_OK
}

/// Answers `count` questions about one subject and direction, given as columns:
/// identity, protocol and port of each. As netverdict_view_verdict.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_view_verdict_columns(
    view: *const netverdict_view,
    subject: u32,
    direction: u8,
    identities: *const u32,
    protocols: *const u8,
    ports: *const u16,
    count: usize,
    verdicts: *mut netverdict_verdict,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    let Some(view) = (unsafe { view.as_ref() }) else {
        return NETVERDICT_NULL_ARGUMENT;
    };
    let Some(direction) = self::direction(direction) else {
        return NETVERDICT_BAD_ARGUMENT;
    };
    // SAFETY: by the rules of the ABI.
    let columns = unsafe {
        array(identities, count).and_then(|i| {
            Ok((
                i,
                array(protocols, count)?,
                array(ports, count)?,
                array_out(verdicts, count)?,
            ))
        })
    };
    let (identities, protocols, ports, verdicts) = match columns {
        Ok(columns) => columns,
        Err(status) => return status,
    };
    let policy = view.view.policy(subject, direction);
    let rows = identities.iter().zip(protocols).zip(ports).zip(verdicts);
    for (((identity, protocol), port), verdict) in rows {
        let question = Question::new(subject, direction, *identity, *protocol, *port);
        let answer = policy.as_ref().map(|p| p.ask(&question));
        verdict.write(answer.map_or(netverdict_verdict::NOBODY, netverdict_verdict::of));
    }
    NETVERDICT_OK
}

/// What becomes of a packet, in a word: "allow", "redirect", "auth-required",
/// "deny" or "default-deny". Never NULL, and valid for ever.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_verdict_word(
    verdict: *const netverdict_verdict,
) -> *const std::ffi::c_char {
    // SAFETY: by the rules of the ABI.
    let word = match unsafe { verdict.as_ref() } {
        Some(v) if v.code == NETVERDICT_CODE_PASS && v.proxy_port == 0 => c"allow",
        Some(v) if v.code == NETVERDICT_CODE_PASS => c"redirect",
        Some(v) if v.code == NETVERDICT_CODE_AUTH_REQUIRED => c"auth-required",
        Some(v) if v.code == NETVERDICT_CODE_DENY => c"deny",
        _ => c"default-deny",
    };
    word.as_ptr()
}
