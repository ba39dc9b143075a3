//! The identities that some rule names, with their classes, in pages of 64.

use super::class::ClassId;
use crate::identity::NumericIdentity;

/// Sixty-four neighbouring identities.
#[derive(Clone, Debug)]
pub(super) struct Page {
    /// Their numbers without the last six bits.
    number: u32,
    /// Which of them are listed.
    listed: u64,
    /// Their classes, also of those that are not listed.
    classes: [u16; 64],
}

impl Page {
    /// A page without listed identities. `class` says which class each is in.
    pub(super) fn new(number: u32, class: impl Fn(NumericIdentity) -> ClassId) -> Self {
        let mut classes = [0; 64];
        for (id, to) in (number << 6..).zip(&mut classes) {
            *to = narrow(class(NumericIdentity(id)));
        }
        Self {
            number,
            listed: 0,
            classes,
        }
    }

    /// The first identity.
    pub(super) const fn first(&self) -> NumericIdentity {
        NumericIdentity(self.number << 6)
    }

    /// The class of each identity.
    pub(super) const fn classes(&self) -> &[u16; 64] {
        &self.classes
    }

    /// Lists some identities in a class.
    pub(super) fn list(&mut self, which: u64, class: ClassId) {
        self.listed |= which;
        for i in bits(which) {
            self.put(i, class);
        }
    }

    fn put(&mut self, i: u32, class: ClassId) {
        if let Some(to) = self.classes.get_mut(i as usize) {
            *to = narrow(class);
        }
    }

    fn iter(&self) -> impl Iterator<Item = (NumericIdentity, ClassId)> {
        bits(self.listed).map(|i| {
            let class = self.classes.get(i as usize).copied().unwrap_or(0);
            (NumericIdentity(self.number << 6 | i), ClassId::from(class))
        })
    }
}

/// Numbers of classes have 16 bits; [`super::CompileError`] where more are
/// needed.
const fn narrow(class: ClassId) -> u16 {
    class as u16
}

/// The numbers of the bits that are set.
pub(super) fn bits(mut of: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let next = (of != 0).then(|| of.trailing_zeros());
        of &= of.wrapping_sub(1);
        next
    })
}

/// Listed identities and their classes, ascending.
#[derive(Clone, Debug, Default)]
pub(super) struct Listed {
    pages: Vec<Page>,
    /// The number of each page, side by side: a search among the pages
    /// themselves would come to another cache line with each step.
    numbers: Vec<u32>,
}

impl Listed {
    /// The pages with listed identities, and maybe some without.
    pub(super) fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// Makes room for so many more pages.
    pub(super) fn reserve(&mut self, pages: usize) {
        self.pages.reserve(pages);
        self.numbers.reserve(pages);
    }

    /// Appends a page that comes after all others.
    pub(super) fn push(&mut self, page: Page) {
        self.numbers.push(page.number);
        self.pages.push(page);
    }

    /// Every listed identity and its class, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = (NumericIdentity, ClassId)> {
        self.pages.iter().flat_map(Page::iter)
    }

    /// The class of an identity, if it is listed.
    pub(super) fn class(&self, id: NumericIdentity) -> Option<ClassId> {
        let page = self.pages.get(self.place(id).ok()?)?;
        let class = page.classes.get((id.0 & 63) as usize)?;
        (page.listed >> (id.0 & 63) & 1 != 0).then_some(ClassId::from(*class))
    }

    /// Lists an identity in a class, or no more. `unlisted` says which class
    /// each identity is in that is not listed.
    pub(super) fn set(
        &mut self,
        id: NumericIdentity,
        class: Option<ClassId>,
        unlisted: impl Fn(NumericIdentity) -> ClassId,
    ) {
        let place = match (self.place(id), class) {
            (Ok(place), _) => place,
            (Err(_), None) => return,
            (Err(place), Some(_)) => {
                self.numbers.insert(place, id.0 >> 6);
                self.pages.insert(place, Page::new(id.0 >> 6, &unlisted));
                place
            }
        };
        let Some(page) = self.pages.get_mut(place) else {
            return;
        };
        let (i, bit) = (id.0 & 63, 1 << (id.0 & 63));
        match class {
            Some(class) => page.list(bit, class),
            None => {
                page.listed &= !bit;
                page.put(i, unlisted(id));
            }
        }
    }

    fn place(&self, id: NumericIdentity) -> Result<usize, usize> {
        self.numbers.binary_search(&(id.0 >> 6))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_come_move_and_go() {
        let mut listed = Listed::default();
        let unlisted = |id: NumericIdentity| id.0 % 5;
        let all = |listed: &Listed| -> Vec<(u32, ClassId)> {
            listed.iter().map(|(id, class)| (id.0, class)).collect()
        };
        listed.set(NumericIdentity(1000), Some(7), unlisted);
        listed.set(NumericIdentity(3), Some(6), unlisted);
        listed.set(NumericIdentity(1001), Some(7), unlisted);
        assert_eq!(all(&listed), [(3, 6), (1000, 7), (1001, 7)]);
        listed.set(NumericIdentity(1000), Some(8), unlisted);
        listed.set(NumericIdentity(3), None, unlisted);
        listed.set(NumericIdentity(64), None, unlisted);
        assert_eq!(all(&listed), [(1000, 8), (1001, 7)]);
        assert_eq!(listed.class(NumericIdentity(3)), None);
        assert_eq!(listed.class(NumericIdentity(1000)), Some(8));
        let [page, _] = listed.pages() else {
            panic!("two pages");
        };
        assert_eq!(page.classes()[..5], [0, 1, 2, 3, 4]);
    }
}
