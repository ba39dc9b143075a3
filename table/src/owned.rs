//! An image that owns its bytes.
//!
//! In: bytes. Out: a [`View`] of them at any time, although they are checked
//! only once.

use crate::check::{TableError, check};
use crate::layout::Header;
use crate::view::View;
use alloc::boxed::Box;

/// A checked image and its bytes, which nothing can change.
///
/// ```no_run
/// # fn file() -> Vec<u8> { Vec::new() }
/// use netverdict_table::Image;
///
/// let image = Image::new(file())?;
/// assert!(image.view().subjects() > 0);
/// # Ok::<(), netverdict_table::TableError>(())
/// ```
#[derive(Clone)]
pub struct Image {
    bytes: Box<[u8]>,
    header: Header,
}

impl core::fmt::Debug for Image {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Image")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl Image {
    /// Checks bytes as [`View::new`] does, and keeps them.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Result<Self, TableError> {
        let bytes = bytes.into();
        let header = check(&bytes)?;
        Ok(Self { bytes, header })
    }

    /// To be asked. Takes no time worth mentioning.
    #[must_use]
    #[inline]
    pub fn view(&self) -> View<'_> {
        // They were checked when they came, and nobody writes to them.
        View::of(&self.bytes, self.header)
    }
}
