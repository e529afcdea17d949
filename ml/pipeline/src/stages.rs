//! One digest for each stage: when two verifiers differ, the first stage whose digests differ is the one to repeat.

use blake2::{digest::consts::U32, Blake2b, Digest as _};

/// BLAKE2b with 256 bits.
pub type Digest = [u8; 32];

/// The stages. A stage keeps its number, so one that came later stands behind the features; it runs after the reading of
/// the document's front.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Stage {
    /// Pixels of every picture.
    Decode = 0,
    /// Measures of the pictures' quality.
    Quality = 1,
    /// Faces: turns, frames, landmarks.
    Detect = 2,
    /// Aligned faces.
    Align = 3,
    /// Embeddings.
    Embed = 4,
    /// Yaws of the head-turn challenge.
    Challenge = 5,
    /// Metadata of the capture.
    Capture = 6,
    /// Machine-readable zone.
    Mrz = 7,
    /// Barcode.
    Barcode = 8,
    /// The features.
    Features = 9,
    /// Corners of the document's outline.
    Outline = 10,
}

impl Stage {
    /// All stages, by their numbers.
    pub const ALL: [Self; 11] = [
        Self::Decode,
        Self::Quality,
        Self::Detect,
        Self::Align,
        Self::Embed,
        Self::Challenge,
        Self::Capture,
        Self::Mrz,
        Self::Barcode,
        Self::Features,
        Self::Outline,
    ];
}

/// Collects what the stages found. The digests are salted, because what is hashed is personal: without the request's salt
/// nobody can try whether a face or a name fits.
#[derive(Clone)]
pub struct Stages([Blake2b<U32>; Stage::ALL.len()]);

impl Stages {
    /// Every digest begins with the request's salt and the stage's number.
    pub fn new(salt: &[u8; 32]) -> Self {
        Self(Stage::ALL.map(|stage| {
            let hash = Blake2b::new().chain_update(salt);
            hash.chain_update([stage as u8])
        }))
    }

    /// Adds bytes to a stage, after their number as 8 bytes little-endian, so that no two sequences are one.
    pub fn add(&mut self, stage: Stage, bytes: &[u8]) {
        let hash = &mut self.0[stage as usize];
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }

    /// Adds numbers, each as 8 bytes little-endian.
    pub fn add_numbers(&mut self, stage: Stage, numbers: impl IntoIterator<Item = i64>) {
        let bytes: Vec<u8> = numbers.into_iter().flat_map(i64::to_le_bytes).collect();
        self.add(stage, &bytes);
    }

    /// The digests in the order of the stages.
    pub fn finish(self) -> [Digest; Stage::ALL.len()] {
        self.0.map(|hash| hash.finalize().into())
    }
}

/// BLAKE2b-256 of some bytes.
pub fn blake2_256(bytes: &[u8]) -> Digest {
    Blake2b::<U32>::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_should_differ_when_stage_salt_or_cut_differ() {
        let digest = |salt: u8, parts: &[&[u8]]| {
            let mut stages = Stages::new(&[salt; 32]);
            for part in parts {
                stages.add(Stage::Mrz, part);
            }
            stages.finish()
        };
        let one = digest(1, &[b"ab"]);
        assert_eq!(one, digest(1, &[b"ab"]));
        assert_ne!(
            one[Stage::Mrz as usize],
            digest(1, &[b"a", b"b"])[Stage::Mrz as usize]
        );
        assert!(one.iter().zip(digest(2, &[b"ab"])).all(|(a, b)| *a != b));
        assert!((1..one.len()).all(|i| !one[..i].contains(&one[i])));
    }
}
