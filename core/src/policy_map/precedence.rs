//! Precedence: the number by which the datapath chooses between entries.

use crate::resolve::LOWEST_PRIORITY;
use crate::rule::RuleVerdict;

/// 24 bits of inverted priority and a class byte; the higher number wins
/// (Cilium 1.20.2 pkg/policy/types/entry.go).
///
/// The class orders entries of one priority: 255 deny, 254–129 a redirect of
/// listener priority 1–126, 2 a redirect without one, 1 a plain allow, 0 a
/// pass, which is never written to the datapath.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Precedence(pub u32);

impl Precedence {
    /// A deny at the strongest priority; lets the datapath skip its second
    /// lookup.
    pub const MAX: Self = Self(u32::MAX);

    const CLASS: u32 = 0xff;
    const DENY: u32 = 0xff;
    const ALLOW: u32 = 1;
    const MAX_LISTENER: u8 = 126;

    fn base(priority: u32) -> u32 {
        (LOWEST_PRIORITY - priority.min(LOWEST_PRIORITY)) << 8
    }

    /// The precedence of a pass.
    #[must_use]
    pub fn pass(priority: u32) -> Self {
        Self(Self::base(priority))
    }

    /// The precedence of a deny.
    #[must_use]
    pub fn deny(priority: u32) -> Self {
        Self(Self::base(priority) | Self::DENY)
    }

    /// The precedence of an allow; `redirect` holds the listener priority when
    /// it redirects.
    #[must_use]
    pub fn allow(priority: u32, redirect: Option<u8>) -> Self {
        let class = match redirect {
            None => Self::ALLOW,
            Some(0) => Self::ALLOW + 1,
            Some(p) => Self::CLASS - u32::from(p.min(Self::MAX_LISTENER)),
        };
        Self(Self::base(priority) | class)
    }

    /// The precedence of a verdict, as [`Self::allow`] and its siblings.
    #[must_use]
    pub fn of(verdict: RuleVerdict, priority: u32, redirect: Option<u8>) -> Self {
        match verdict {
            RuleVerdict::Allow => Self::allow(priority, redirect),
            RuleVerdict::Deny => Self::deny(priority),
            RuleVerdict::Pass => Self::pass(priority),
        }
    }

    /// True for a deny.
    #[must_use]
    pub const fn is_deny(self) -> bool {
        self.0 & Self::CLASS == Self::DENY
    }

    /// The flattened priority.
    #[must_use]
    pub const fn priority(self) -> u32 {
        LOWEST_PRIORITY - (self.0 >> 8)
    }

    /// The class byte as Cilium prints it: 255 minus the byte.
    #[must_use]
    pub const fn listener_priority(self) -> u8 {
        (Self::CLASS - (self.0 & Self::CLASS)) as u8
    }

    /// The same priority as a plain allow.
    #[must_use]
    pub const fn as_plain_allow(self) -> Self {
        Self((self.0 & !Self::CLASS) | Self::ALLOW)
    }

    /// True when two entries differ in class at most, and both or neither
    /// deny: such entries of one key are merged.
    #[must_use]
    pub const fn merges_with(self, other: Self) -> bool {
        self.0 ^ other.0 <= Self::CLASS && self.is_deny() == other.is_deny()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_of_the_specification() {
        assert_eq!(Precedence::allow(0, None).0, 0xffff_ff01);
        assert_eq!(Precedence::deny(0), Precedence::MAX);
        assert_eq!(Precedence::allow(0, Some(101)).0, 0xffff_ff9a);
        assert_eq!(Precedence::allow(0, Some(121)).0, 0xffff_ff86);
        assert_eq!(Precedence::allow(0, Some(116)).0, 0xffff_ff8b);
        assert_eq!(Precedence::allow(0, Some(126)).0, 0xffff_ff81);
        assert_eq!(Precedence::allow(0, Some(250)).0, 0xffff_ff81);
        assert_eq!(Precedence::allow(0, Some(0)).0, 0xffff_ff02);
        assert_eq!(Precedence::allow(10, None).0, 0xffff_f501);
        assert_eq!(Precedence(0xffff_f501).priority(), 10);
        assert_eq!(Precedence(0xffff_ff9a).listener_priority(), 101);
    }
}
