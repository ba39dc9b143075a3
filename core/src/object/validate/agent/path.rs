//! Where in a policy something stands, spelled out only when there is something
//! to say about it: most policies are right, and their paths would be the larger
//! part of the work.
//!
//! In: the path of a rule or of one of its members, and the fields and elements
//! below it. Out: its text.

use std::fmt;

/// A path.
#[derive(Clone, Copy)]
pub(super) enum Path<'p> {
    /// As it is written.
    Whole(&'p str),
    /// A field of another one, and which of its elements.
    Below {
        path: &'p Path<'p>,
        /// `from` or `to`, of fields that begin so.
        direction: &'static str,
        field: &'p str,
        element: Option<usize>,
    },
}

impl<'p> Path<'p> {
    /// A field of it.
    pub(super) const fn field(&'p self, field: &'p str) -> Self {
        Self::Below {
            path: self,
            direction: "",
            field,
            element: None,
        }
    }

    /// An element of a field of it.
    pub(super) const fn element(&'p self, field: &'p str, element: usize) -> Self {
        Self::Below {
            path: self,
            direction: "",
            field,
            element: Some(element),
        }
    }

    /// An element of a list of peers: of `fromCIDR`, when `list` is `CIDR`.
    pub(super) const fn peer(
        &'p self,
        direction: &'static str,
        list: &'p str,
        element: usize,
    ) -> Self {
        Self::Below {
            path: self,
            direction,
            field: list,
            element: Some(element),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(path) => f.write_str(path),
            Self::Below {
                path,
                direction,
                field,
                element,
            } => {
                write!(f, "{path}.{direction}{field}")?;
                element.map_or(Ok(()), |i| write!(f, "[{i}]"))
            }
        }
    }
}

impl From<Path<'_>> for String {
    fn from(path: Path<'_>) -> Self {
        path.to_string()
    }
}

impl From<&Path<'_>> for String {
    fn from(path: &Path<'_>) -> Self {
        path.to_string()
    }
}
