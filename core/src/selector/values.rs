//! The values of a condition.
//!
//! In: values in the order written. Out: the same, and whether one of them is
//! among them, at a cost that does not grow with their number: every label
//! that the condition is compared with asks.

use ahash::AHashSet;
use std::ops::Deref;
use std::sync::Arc;

/// Up to this many values, going over them is as quick as a set.
const FEW: usize = 8;

/// Values of `In` and `NotIn`, in the order written. Clones share them.
///
/// ```
/// use netverdict::selector::Values;
///
/// let values = Values::from(vec!["web".into(), "api".into()]);
/// assert!(values.has("api") && !values.has("db"));
/// // Their order is the author's, who may ask by it whether two selectors are the same.
/// assert_eq!(&*values[0], "web");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Values {
    written: Arc<[Arc<str>]>,
    /// The same, when there are more than a few.
    set: Option<Arc<AHashSet<Arc<str>>>>,
}

impl Values {
    /// True when the value is one of them.
    #[must_use]
    pub fn has(&self, value: &str) -> bool {
        match &self.set {
            Some(set) => set.contains(value),
            None => self.written.iter().any(|v| **v == *value),
        }
    }
}

impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for Values {}

impl Deref for Values {
    type Target = [Arc<str>];

    fn deref(&self) -> &[Arc<str>] {
        &self.written
    }
}

impl From<Vec<Arc<str>>> for Values {
    fn from(written: Vec<Arc<str>>) -> Self {
        let set = || Arc::new(written.iter().cloned().collect());
        Self {
            set: (written.len() > FEW).then(set),
            written: written.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_are_found_alike() {
        for n in [0, 1, FEW, FEW + 1, 1000] {
            let written: Vec<Arc<str>> = (0..n).rev().map(|i| i.to_string().into()).collect();
            let values = Values::from(written.clone());
            assert_eq!(&*values, written.as_slice(), "in the order written");
            for i in 0..n {
                assert!(values.has(&i.to_string()), "{i} of {n}");
            }
            for other in [n.to_string().as_str(), "", "-1"] {
                assert!(!values.has(other), "{other} of {n}");
            }
        }
    }
}
