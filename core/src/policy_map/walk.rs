//! The order in which Cilium visits keys under a key.
//!
//! In: the keys, sorted. Out: the same, shorter ones first; of equally long
//! ones in the order in which a binary heap over the nodes of a trie yields
//! them (Cilium 1.20.2 pkg/container/bitlpm/trie.go
//! `forEachShortestPrefixFirst`). It matters where one key keeps the others
//! from inheriting.

use super::key::L4Key;

/// A node of the trie: the keys below it, and how many leading bits they
/// share.
struct Node<'k> {
    bits: u8,
    keys: &'k [L4Key],
}

/// Protocol and port as the bits of a prefix.
fn value(key: L4Key) -> u32 {
    u32::from(key.protocol) << 16 | u32::from(key.port)
}

impl<'k> Node<'k> {
    /// The node of sorted keys; `None` without any.
    fn new(keys: &'k [L4Key]) -> Option<Self> {
        let first = *keys.first()?;
        let shared = |key: &L4Key| {
            let differ = (value(first) ^ value(*key))
                .leading_zeros()
                .saturating_sub(8);
            u8::try_from(differ)
                .unwrap_or(u8::MAX)
                .min(key.prefix_len())
                .min(first.prefix_len())
        };
        let bits = keys.iter().map(shared).min()?;
        Some(Self { bits, keys })
    }

    /// Its own key, if it has one, and its children.
    fn parts(&self) -> (Option<L4Key>, [Option<Self>; 2]) {
        let (own, rest) = match self.keys.split_first() {
            Some((first, rest)) if first.prefix_len() == self.bits => (Some(*first), rest),
            _ => (None, self.keys),
        };
        let bit = 1_u32.checked_shl(23_u32.saturating_sub(u32::from(self.bits)));
        let one = rest.partition_point(|k| value(*k) & bit.unwrap_or(0) == 0);
        let (zeros, ones) = rest.split_at_checked(one).unwrap_or((rest, &[]));
        (own, [Self::new(zeros), Self::new(ones)])
    }
}

/// The keys in Cilium's order; `keys` are sorted by value, shorter ones first.
pub(super) fn shortest_first(keys: &[L4Key]) -> Vec<L4Key> {
    let mut order = Vec::with_capacity(keys.len());
    let mut heap: Vec<Node<'_>> = Node::new(keys).into_iter().collect();
    while let Some(node) = pop(&mut heap) {
        let (own, children) = node.parts();
        order.extend(own);
        for child in children.into_iter().flatten() {
            push(&mut heap, child);
        }
    }
    order
}

fn less(heap: &[Node<'_>], a: usize, b: usize) -> bool {
    match (heap.get(a), heap.get(b)) {
        (Some(a), Some(b)) => a.bits < b.bits,
        _ => false,
    }
}

/// As Go's container/heap: ties stay where they are.
fn push<'k>(heap: &mut Vec<Node<'k>>, node: Node<'k>) {
    heap.push(node);
    let mut at = heap.len().saturating_sub(1);
    while at > 0 {
        let parent = (at - 1) / 2;
        if !less(heap, at, parent) {
            return;
        }
        heap.swap(at, parent);
        at = parent;
    }
}

fn pop<'k>(heap: &mut Vec<Node<'k>>) -> Option<Node<'k>> {
    let last = heap.len().checked_sub(1)?;
    heap.swap(0, last);
    let node = heap.pop()?;
    let mut at = 0;
    loop {
        let left = 2 * at + 1;
        if left >= heap.len() {
            return Some(node);
        }
        let child = if less(heap, left + 1, left) {
            left + 1
        } else {
            left
        };
        if !less(heap, child, at) {
            return Some(node);
        }
        heap.swap(at, child);
        at = child;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(port: u16, port_prefix: u8) -> L4Key {
        L4Key {
            protocol: 6,
            port,
            port_prefix,
        }
    }

    #[test]
    fn every_key_once_and_shorter_ones_first() {
        let mut keys: Vec<L4Key> = [
            (0, 0),
            (80, 16),
            (80, 12),
            (8080, 13),
            (8088, 15),
            (8090, 16),
        ]
        .map(|(port, bits)| key(port, bits))
        .into();
        keys.sort_by_key(|k| (value(*k), k.prefix_len()));
        let order = shortest_first(&keys);
        assert_eq!(order.len(), keys.len());
        assert!(order.is_sorted_by_key(|k| k.prefix_len()), "{order:?}");
    }

    #[test]
    fn equally_long_keys_are_not_in_their_own_order() {
        let keys = [key(80, 16), key(8080, 13), key(8088, 15), key(8090, 16)];
        let ports: Vec<u16> = shortest_first(&keys).iter().map(|k| k.port).collect();
        assert_eq!(ports, [8080, 8088, 8090, 80]);
    }
}
