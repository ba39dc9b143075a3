//! An image that nobody writes to while it is read.

use crate::bits::{ClassSet, IdentitySet, Plane};
use crate::bytes::{Checked, get_u32, get_u64};
use crate::check::{TableError, check};
use crate::image::Info;
use crate::layout::{DESCRIPTOR_LEN, Descriptor, HEADER_LEN, Header, Section};
use crate::lookup::{Frame, Lookup, TOGETHER, together};
use crate::question::{Answer, Direction, Question};

/// Tables up to so many bytes are taken to be in a near cache (a second-level
/// one has a mebibyte where it was measured), where one question after the
/// other is answered faster than many together.
const NEAR: u32 = 1 << 20;

/// A checked image.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) header: Header,
    frame: Frame,
}

impl core::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("View")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl<'a> View<'a> {
    /// Checks an image, once and completely: every offset, width, class, cell
    /// and entry. Bytes behind the image's length are not looked at.
    ///
    /// # Errors
    /// What is wrong with the bytes. Never panics.
    pub fn new(bytes: &'a [u8]) -> Result<Self, TableError> {
        let header = check(bytes)?;
        Ok(Self::of(bytes, header))
    }

    /// Takes an image without checking it.
    ///
    /// # Safety
    /// [`Self::new`] accepts exactly these bytes: this process compiled them,
    /// or has checked them before, and nobody else can have written to them.
    ///
    /// # Errors
    /// When there is no header that this reader can read.
    pub unsafe fn new_unchecked(bytes: &'a [u8]) -> Result<Self, TableError> {
        let info = Info::read(bytes)?;
        Ok(Self::of(bytes, info.header))
    }

    /// A view of bytes that `check` accepted, with what it returned.
    #[inline]
    pub(crate) const fn of(bytes: &'a [u8], header: Header) -> Self {
        Self {
            bytes,
            header,
            frame: Frame::new(&header),
        }
    }

    /// The bytes, for lookups.
    #[inline(always)]
    const fn checked(&self) -> Checked<'a> {
        // SAFETY: a view is made of bytes that `check` accepted, here or for an
        // `Image`, or that the caller of `new_unchecked` vouches for, and they are borrowed so that
        // nobody writes to them. They are asked for the subject words that the
        // header counts, for descriptors that these name, and for what those
        // lead to: `check` looked at all of it.
        unsafe { Checked::new(self.bytes) }
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// How many subjects the image has room for; some may be none.
    #[must_use]
    pub const fn subjects(&self) -> u32 {
        self.header.subjects.count
    }

    /// The subject of an endpoint's number.
    #[must_use]
    pub fn subject_of_endpoint(&self, endpoint: u32) -> Option<u32> {
        self.find(self.header.endpoints, endpoint)
    }

    /// The subject of an identity.
    #[must_use]
    pub fn subject_of_identity(&self, identity: u32) -> Option<u32> {
        self.find(self.header.identity_index, identity)
    }

    fn find(&self, index: Section, key: u32) -> Option<u32> {
        index.find(key, |at| get_u64(self.bytes, at))
    }

    /// A subject's policy in one direction, in hand for any number of
    /// lookups; `None` when there is no such subject.
    #[must_use]
    #[inline]
    pub fn policy(&self, subject: u32, direction: Direction) -> Option<PolicyView<'a>> {
        let bytes = self.checked();
        let at = self.frame.descriptor(bytes, subject, direction)?;
        // A checked image has the whole descriptor; 64 zeros describe none.
        let raw = crate::bytes::fixed::<DESCRIPTOR_LEN>(self.bytes, at as usize)?;
        Some(PolicyView {
            lookup: Lookup::at(bytes, &self.frame, at),
            descriptor: Descriptor::read(&raw),
            view: *self,
        })
    }

    /// What becomes of a packet; `None` when there is no such subject, which
    /// is to be treated as a drop.
    #[must_use]
    #[inline]
    pub fn verdict(&self, q: &Question) -> Option<Answer> {
        let lookup = self.frame.lookup(self.checked(), q.subject, q.direction)?;
        Some(lookup.ask(q))
    }

    /// Answers many questions. Pairs are taken until either side ends; where
    /// there is no such subject the answer is [`Answer::DROP`].
    pub fn verdict_batch(&self, questions: &[Question], answers: &mut [Answer]) {
        if self.header.length <= NEAR {
            for (q, a) in questions.iter().zip(answers) {
                // Where the answer goes is where it is made.
                *a = match self.frame.lookup(self.checked(), q.subject, q.direction) {
                    Some(lookup) => lookup.ask(q),
                    None => Answer::DROP,
                };
            }
            return;
        }
        let chunks = answers.chunks_mut(TOGETHER);
        for (questions, answers) in questions.chunks(TOGETHER).zip(chunks) {
            together(&self.frame, self.checked(), questions, answers);
        }
    }

    /// Every identity there is, ascending.
    pub fn identities(&self) -> impl Iterator<Item = u32> + 'a {
        let bytes = self.bytes;
        let at = self.header.identities.at as usize;
        (0..self.header.identities.count as usize).map(move |i| get_u32(bytes, at + i * 4))
    }

    /// Every endpoint's number, with its subject, in no particular order.
    pub fn endpoints(&self) -> impl Iterator<Item = (u32, u32)> + 'a {
        words(self.bytes, self.header.endpoints)
    }

    /// Every identity that finds a subject, with that, in no particular order.
    pub fn subject_identities(&self) -> impl Iterator<Item = (u32, u32)> + 'a {
        words(self.bytes, self.header.identity_index)
    }

    /// The image's bytes, without what may follow them.
    #[must_use]
    pub fn image(&self) -> &'a [u8] {
        let end = (self.header.length as usize).max(HEADER_LEN);
        self.bytes.get(..end).unwrap_or(self.bytes)
    }
}

/// The keys of an index, with their subjects.
fn words(bytes: &[u8], index: Section) -> impl Iterator<Item = (u32, u32)> + '_ {
    (0..index.count as usize).filter_map(move |i| {
        let word = get_u64(bytes, index.at as usize + i * 8);
        let subject = (word as u32).checked_sub(1)?;
        Some(((word >> 32) as u32, subject))
    })
}

/// One subject's policy in one direction.
///
/// ```
/// use netverdict_table::{Answer, Direction, Plane, PolicyView, View, protocols};
///
/// # mod tiny { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tiny/mod.rs")); }
/// # let (bytes, _) = tiny::image(8, 8);
/// let view = View::new(&bytes)?;
/// let policy: PolicyView<'_> = view.policy(0, Direction::Ingress).expect("the first subject");
/// let answer = policy.verdict(9, 6, 80);
/// assert!(!answer.is_allowed() && !answer.is_deny() && answer.code() < 0);
/// assert_eq!((answer.proxy_port(), answer.auth_type(), answer.auth_donor()), (0, 0, None));
///
/// // Why it is so: what the table says of the classes of that peer and that port.
/// let (peer, port) = (policy.peer_class(9), policy.port_class(6, 80));
/// assert_eq!(policy.cell(port, peer), Some(answer));
/// // The peers that a port is redirected for: as classes, and as identities.
/// let redirected = policy.plane(6, 80, Plane::Redirect);
/// assert!(!redirected.contains(peer) && redirected.count() == 3);
/// assert!(policy.peers(6, 80, &[Plane::Redirect]).identities(&view).all(|id| id != 9));
/// assert_eq!(Plane::of(&answer), None);
///
/// // All there is to reach it by, and ports that are alike.
/// assert!(policy.reach(&[Plane::Allow]).is_empty());
/// assert!(protocols().all(|protocol| policy.port_ranges(protocol).len() == 1));
///
/// // Columns of questions, answered at once.
/// let mut answers = [Answer::DROP; 2];
/// policy.verdict_batch(&[9, 10], &[6, 17], &[80, 53], &mut answers);
/// assert_eq!(answers[0], answer);
/// # Ok::<(), netverdict_table::TableError>(())
/// ```
#[derive(Clone, Copy)]
pub struct PolicyView<'a> {
    lookup: Lookup<Checked<'a>>,
    pub(crate) descriptor: Descriptor,
    pub(crate) view: View<'a>,
}

impl core::fmt::Debug for PolicyView<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PolicyView")
            .field("descriptor", &self.descriptor)
            .finish_non_exhaustive()
    }
}

impl<'a> PolicyView<'a> {
    /// What becomes of a packet from or to an identity. `port` is the
    /// destination port, or the type of an ICMP message where types count
    /// ([`ICMP_TYPES`](crate::layout::ICMP_TYPES)), and 0 for untracked fragments.
    #[must_use]
    #[inline]
    pub fn verdict(&self, identity: u32, protocol: u8, port: u16) -> Answer {
        self.lookup.verdict(identity, protocol, port)
    }

    /// What becomes of a packet; the question's subject and direction are not
    /// looked at.
    #[must_use]
    #[inline]
    pub fn ask(&self, q: &Question) -> Answer {
        self.lookup.ask(q)
    }

    /// Answers many questions given as columns of equal length; what has no
    /// partner in every column is left out.
    pub fn verdict_batch(
        &self,
        identities: &[u32],
        protocols: &[u8],
        ports: &[u16],
        answers: &mut [Answer],
    ) {
        let questions = identities.iter().zip(protocols).zip(ports).zip(answers);
        // A copy, so that nothing that is written can be thought part of it.
        let lookup = self.lookup;
        if lookup.is_wide() {
            for (((identity, protocol), port), answer) in questions {
                *answer = lookup.verdict(*identity, *protocol, *port);
            }
        } else {
            for (((identity, protocol), port), answer) in questions {
                *answer = lookup.narrow_verdict(*identity, *protocol, *port);
            }
        }
    }

    /// The class of an identity.
    #[must_use]
    pub fn peer_class(&self, identity: u32) -> u32 {
        self.lookup.class(identity)
    }

    /// The class of a protocol and port.
    #[must_use]
    pub fn port_class(&self, protocol: u8, port: u16) -> u32 {
        self.lookup.row(protocol, port)
    }

    /// How many peer and port classes there are.
    #[must_use]
    pub const fn classes(&self) -> (u32, u32) {
        (self.descriptor.peer_classes, self.descriptor.port_classes)
    }

    /// The descriptor.
    #[must_use]
    pub const fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The verdict entry of a pair of classes; `None` when there is no such
    /// class.
    #[must_use]
    pub fn cell(&self, port_class: u32, peer_class: u32) -> Option<Answer> {
        let (peers, ports) = self.classes();
        (peer_class < peers && port_class < ports).then(|| self.lookup.cell(port_class, peer_class))
    }

    /// The classes that a verdict falls to on a port.
    #[must_use]
    pub fn plane(&self, protocol: u8, port: u16, plane: Plane) -> ClassSet<'a> {
        ClassSet::of(self, self.port_class(protocol, port), plane)
    }

    /// Who gets one of these verdicts on a port, of all identities there are.
    #[must_use]
    pub fn peers(&self, protocol: u8, port: u16, planes: &[Plane]) -> IdentitySet {
        IdentitySet::of(self, protocol, port, planes)
    }
}
