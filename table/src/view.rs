//! An image that nobody writes to while it is read.

use crate::bits::{ClassSet, IdentitySet, Plane};
use crate::bytes::{Checked, get_u32, get_u64};
use crate::check::{TableError, check};
use crate::image::Info;
use crate::layout::{DESCRIPTOR_LEN, Descriptor, HEADER_LEN, Header, Section};
use crate::lookup::Lookup;
use crate::question::{Answer, Direction, Question};

/// A checked image.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) header: Header,
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
        Ok(Self { bytes, header })
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
        Ok(Self {
            bytes,
            header: info.header,
        })
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
        if subject >= self.header.subjects.count {
            return None;
        }
        let at = self.header.subjects.at as usize + subject as usize * 8;
        let word = get_u64(self.bytes, at);
        let descriptor = match direction {
            Direction::Ingress => word as u32,
            Direction::Egress => (word >> 32) as u32,
        };
        if descriptor == 0 {
            return None;
        }
        // A checked image has the whole descriptor; 64 zeros describe none.
        let raw = crate::bytes::fixed::<DESCRIPTOR_LEN>(self.bytes, descriptor as usize)?;
        let descriptor = Descriptor::read(&raw);
        // SAFETY: a view is made of bytes that `check` accepted or that the
        // caller of `new_unchecked` vouches for, they are borrowed so that
        // nobody writes to them, and the descriptor is that of a subject.
        let checked = unsafe { Checked::new(self.bytes) };
        Some(PolicyView {
            lookup: Lookup::new(checked, &self.header, &descriptor),
            descriptor,
            view: *self,
        })
    }

    /// What becomes of a packet; `None` when there is no such subject, which
    /// is to be treated as a drop.
    #[must_use]
    pub fn verdict(&self, q: &Question) -> Option<Answer> {
        self.policy(q.subject, q.direction)?.ask(q).into()
    }

    /// Answers many questions. Pairs are taken until either side ends; where
    /// there is no such subject the answer is [`Answer::DROP`].
    pub fn verdict_batch(&self, questions: &[Question], answers: &mut [Answer]) {
        for (q, a) in questions.iter().zip(answers) {
            *a = self.verdict(q).unwrap_or(Answer::DROP);
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
        q.answer(&self.view.header, |port| {
            self.verdict(q.identity, q.protocol, port)
        })
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
        let questions = identities.iter().zip(protocols).zip(ports);
        for (((identity, protocol), port), answer) in questions.zip(answers) {
            *answer = self.verdict(*identity, *protocol, *port);
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
