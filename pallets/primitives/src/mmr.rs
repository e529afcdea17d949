//! A Merkle mountain range that is only ever appended to, kept as its frontier (the roots of its perfect subtrees).
//!
//! Leaves and nodes are hashed with different prefixes, so that a node can never be passed off as a leaf:
//! `leaf = blake2_256(0x00 ++ data)`, `node = blake2_256(0x01 ++ left ++ right)`. The root commits to the number of
//! leaves too: `blake2_256(0x02 ++ count as u64 little-endian ++ peaks from the highest to the lowest)`.

use crate::*;
use alloc::vec::Vec;

/// Frontier of a range: one peak per set bit of `count`, the largest subtree first.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Frontier {
    /// Number of leaves.
    pub count: u32,
    /// Roots of the perfect subtrees.
    pub peaks: BoundedVec<H256, ConstU32<32>>,
}

/// Proof that a leaf is the `index`-th of a range of `count`.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Proof {
    /// Which leaf, counted from 0.
    pub index: u32,
    /// Of how many.
    pub count: u32,
    /// Siblings from the leaf up to its peak.
    pub siblings: Vec<H256>,
    /// All peaks but the leaf's own, the largest subtree first.
    pub other_peaks: Vec<H256>,
}

/// Hash of a leaf's data.
pub fn leaf(data: &[u8]) -> H256 {
    let mut bytes = alloc::vec![0u8];
    bytes.extend_from_slice(data);
    blake2_256(&bytes)
}

fn node(left: &H256, right: &H256) -> H256 {
    let mut bytes = alloc::vec![1u8];
    bytes.extend_from_slice(left.as_bytes());
    bytes.extend_from_slice(right.as_bytes());
    blake2_256(&bytes)
}

fn root_of(count: u32, peaks: &[H256]) -> H256 {
    let mut bytes = alloc::vec![2u8];
    bytes.extend_from_slice(&u64::from(count).to_le_bytes());
    peaks
        .iter()
        .for_each(|p| bytes.extend_from_slice(p.as_bytes()));
    blake2_256(&bytes)
}

/// `(height, first leaf)` of the perfect subtrees of a range of `count`, the largest first.
fn mountains(count: u32) -> impl Iterator<Item = (u32, u32)> {
    let mut first = 0u32;
    (0..32u32)
        .rev()
        .filter(move |h| count & 1u32.wrapping_shl(*h) != 0)
        .map(move |h| {
            let at = first;
            first = first.saturating_add(1u32.wrapping_shl(h));
            (h, at)
        })
}

impl Frontier {
    /// Appends a leaf hash and returns its index; `None` when 2^32 - 1 leaves are reached.
    pub fn append(&mut self, leaf: H256) -> Option<u32> {
        let index = self.count;
        let count = index.checked_add(1)?;
        let mut hash = leaf;
        for _ in 0..index.trailing_ones() {
            hash = node(&self.peaks.pop()?, &hash);
        }
        self.peaks.try_push(hash).ok()?;
        self.count = count;
        Some(index)
    }

    /// Root of the range.
    pub fn root(&self) -> H256 {
        root_of(self.count, &self.peaks)
    }
}

/// Proof for the `index`-th of `leaves` (leaf hashes); `None` if there is no such leaf.
pub fn prove(leaves: &[H256], index: u32) -> Option<Proof> {
    let count = u32::try_from(leaves.len()).ok()?;
    let (mut siblings, mut other_peaks, mut found) = (Vec::new(), Vec::new(), false);
    for (height, first) in mountains(count) {
        let width = 1usize.checked_shl(height)?;
        let start = first as usize;
        let mut level: Vec<H256> = leaves.get(start..start.checked_add(width)?)?.to_vec();
        let mut position = index
            .checked_sub(first)
            .map(|p| p as usize)
            .filter(|p| *p < width);
        found |= position.is_some();
        let inside = position.is_some();
        while level.len() > 1 {
            if let Some(p) = position {
                siblings.push(*level.get(p ^ 1)?);
                position = Some(p / 2);
            }
            level = level
                .chunks_exact(2)
                .filter_map(|c| Some(node(c.first()?, c.last()?)))
                .collect();
        }
        if !inside {
            other_peaks.push(*level.first()?);
        }
    }
    found.then_some(Proof {
        index,
        count,
        siblings,
        other_peaks,
    })
}

/// Whether `leaf` is the `proof.index`-th of the range with `root`.
pub fn verify(root: H256, leaf: H256, proof: &Proof) -> bool {
    let mut others = proof.other_peaks.iter();
    let mut peaks = Vec::new();
    let mut found = false;
    for (height, first) in mountains(proof.count) {
        let Some(mut position) = proof
            .index
            .checked_sub(first)
            .filter(|p| u64::from(*p) < 1u64.wrapping_shl(height))
        else {
            match others.next() {
                Some(peak) => peaks.push(*peak),
                None => return false,
            }
            continue;
        };
        if proof.siblings.len() != height as usize {
            return false;
        }
        let mut hash = leaf;
        for sibling in &proof.siblings {
            hash = if position & 1 == 0 {
                node(&hash, sibling)
            } else {
                node(sibling, &hash)
            };
            position /= 2;
        }
        peaks.push(hash);
        found = true;
    }
    found && others.next().is_none() && root_of(proof.count, &peaks) == root
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaves(n: u32) -> Vec<H256> {
        (0..n).map(|i| leaf(&i.to_le_bytes())).collect()
    }

    proptest! {
        #[test]
        fn every_leaf_should_prove_and_nothing_else(n in 1u32..200, i in 0u32..200, flip in 0usize..32) {
            let all = leaves(n);
            let mut frontier = Frontier::default();
            all.iter().for_each(|l| { frontier.append(*l).unwrap(); });
            prop_assert_eq!(frontier.peaks.len() as u32, n.count_ones());
            let Some(proof) = prove(&all, i) else { prop_assert!(i >= n); return Ok(()) };
            let hash = all[i as usize];
            prop_assert!(verify(frontier.root(), hash, &proof));
            let mut wrong = hash;
            wrong.0[flip] ^= 1;
            prop_assert!(!verify(frontier.root(), wrong, &proof));
            let moved = Proof { index: (i + 1) % n, ..proof.clone() };
            prop_assert!(n == 1 || !verify(frontier.root(), hash, &moved));
            let longer = Proof { count: n + 1, ..proof };
            prop_assert!(!verify(frontier.root(), hash, &longer));
        }
    }
}
