//! What tells identities apart, by pages of 64.
//!
//! In: criteria. Out: [`Touch`]es, page by page: for which identities of the
//! page a criterion holds.

use super::class::Criterion;
use crate::identity::NumericIdentity;
use crate::policy_map::NamedPorts;
use crate::selector::{SelectorId, SelectorIndex};
use std::sync::Arc;

/// Some identities of a page, for whom a criterion holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Touch {
    /// Numbers of the identities without the last six bits.
    pub(super) page: u32,
    /// Number of the criterion.
    pub(super) criterion: u32,
    /// Which identities of the page.
    pub(super) which: u64,
    /// The port they mean by a name.
    pub(super) port: u16,
    /// Counts only for identities that an earlier criterion lists.
    pub(super) only_listed: bool,
}

/// Identities by page.
type Pages = Vec<(u32, u64)>;

/// What selectors select, by page; made once for all policies of a table.
#[derive(Clone, Debug, Default)]
pub(super) struct SelectedPages {
    /// By number of the selector.
    known: Vec<Option<Pages>>,
    room: Room,
}

/// Memory that is used again with each direction.
#[derive(Clone, Debug, Default)]
struct Room {
    unsorted: Vec<Touch>,
    order: Vec<u64>,
    sorted: Vec<Touch>,
}

impl SelectedPages {
    fn know(&mut self, selector: SelectorId, selectors: &SelectorIndex) {
        let i = selector.0 as usize;
        if self.known.len() <= i {
            self.known.resize(i + 1, None);
        }
        if let Some(pages @ None) = self.known.get_mut(i) {
            let selected = selectors.selections(selector);
            *pages = Some(self::pages(selected.into_iter().flatten()));
        }
    }

    fn of(&self, selector: SelectorId) -> &[(u32, u64)] {
        let known = self.known.get(selector.0 as usize);
        known.and_then(Option::as_ref).map_or(&[], Vec::as_slice)
    }

    /// A selector selects an identity now, or does not.
    pub(super) fn follow(&mut self, selector: SelectorId, id: NumericIdentity, selected: bool) {
        let Some(Some(pages)) = self.known.get_mut(selector.0 as usize) else {
            return;
        };
        let (page, bit) = (id.0 >> 6, 1 << (id.0 & 63));
        match pages.binary_search_by_key(&page, |(page, _)| *page) {
            Ok(place) => {
                if let Some((_, which)) = pages.get_mut(place) {
                    *which = if selected {
                        *which | bit
                    } else {
                        *which & !bit
                    };
                    if *which == 0 {
                        pages.remove(place);
                    }
                }
            }
            Err(place) if selected => pages.insert(place, (page, bit)),
            Err(_) => {}
        }
    }
}

/// Ascending numbers by page.
fn pages(ids: impl Iterator<Item = u32>) -> Vec<(u32, u64)> {
    let mut pages: Vec<(u32, u64)> = Vec::new();
    for id in ids {
        let bit = 1 << (id & 63);
        match pages.last_mut() {
            Some((page, which)) if *page == id >> 6 => *which |= bit,
            _ => pages.push((id >> 6, bit)),
        }
    }
    pages
}

/// For whom each criterion holds, by page and criterion; [`Criterion::World`]
/// excepted, which depends on who is listed.
pub(super) fn touches<'k>(
    criteria: &[Criterion],
    everybody: &[(Arc<str>, u8)],
    selectors: &SelectorIndex,
    ports: &NamedPorts,
    known: &'k mut SelectedPages,
) -> &'k [Touch] {
    let mut all = std::mem::take(&mut known.room.unsorted);
    all.clear();
    for (criterion, what) in (0u32..).zip(criteria) {
        match what {
            Criterion::Selector(selector) => {
                known.know(*selector, selectors);
                let pages = known.of(*selector);
                all.extend(pages.iter().map(|(page, which)| Touch {
                    page: *page,
                    criterion,
                    which: *which,
                    port: 0,
                    only_listed: false,
                }));
            }
            Criterion::Port(name, protocol) => {
                let everybody = everybody.iter().any(|(n, p)| n == name && p == protocol);
                // Those nobody selects are asked only if they are known.
                let asked = |id| everybody && selectors.identities().get(id).is_some();
                let mut meant: Vec<(u16, bool, u32)> = ports
                    .of_name(name, *protocol)
                    .map(|(id, port)| (port, !asked(id), id.0))
                    .collect();
                meant.sort_unstable();
                for alike in meant.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
                    let Some((port, only_listed, _)) = alike.first().copied() else {
                        continue;
                    };
                    let ids = alike.iter().map(|(_, _, id)| *id);
                    all.extend(pages(ids).into_iter().map(|(page, which)| Touch {
                        page,
                        criterion,
                        which,
                        port,
                        only_listed,
                    }));
                }
            }
            Criterion::World => {}
        }
    }
    known.room.unsorted = all;
    known.room.by_page()
}

impl Room {
    /// Sorted by page; within a page criteria keep their order.
    fn by_page(&mut self) -> &[Touch] {
        let all = &self.unsorted;
        if all.is_sorted_by_key(|t| t.page) {
            return all;
        }
        let keys = (0u64..).zip(all).map(|(i, t)| u64::from(t.page) << 32 | i);
        self.order.clear();
        self.order.extend(keys);
        // The pages of each criterion are in order already.
        self.order.sort();
        let touch = |key: &u64| all.get((key & u64::from(u32::MAX)) as usize).copied();
        self.sorted.clear();
        self.sorted.extend(self.order.iter().filter_map(touch));
        &self.sorted
    }
}
