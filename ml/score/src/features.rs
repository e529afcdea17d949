//! The features of a piece of identity evidence: 64 numbers of 16 bits, the only thing that a score is made of.
//!
//! The table in this file is the schema, and there is no other. A slot keeps its number and its meaning for ever; a new
//! meaning takes a reserved slot and raises [`SCHEMA`].
//!
//! Conventions:
//!
//! * A slot that nothing was measured for has its `absent` value, so that "not measured" and "measured as bad" differ
//!   wherever a score must tell them apart.
//! * A comparison is -1 (not compared), 0 (disagrees) or 1 (agrees).
//! * A measure beyond its range is stored as the nearest end of the range.

use core::fmt;

/// Slots of a vector.
pub const SLOTS: usize = 64;
/// Version of the schema, in the slot [`Slot::Schema`].
pub const SCHEMA: i16 = 1;

/// Bits of [`Slot::Evidence`].
pub mod evidence {
    /// A picture of the front of a document (for a passport: its data page).
    pub const DOCUMENT: i16 = 1;
    /// A picture of the back of a document.
    pub const BACK: i16 = 2;
    /// A picture of the person.
    pub const SELFIE: i16 = 4;
    /// Frames of a head-turn challenge.
    pub const CHALLENGE: i16 = 8;
    /// Signed metadata of the capture.
    pub const CAPTURE: i16 = 16;
}

/// Bits of [`Slot::MrzPresent`] and [`Slot::MrzValid`]: the check digits of a machine-readable zone.
pub mod check {
    /// Document number.
    pub const NUMBER: i16 = 1;
    /// Date of birth.
    pub const BIRTH: i16 = 2;
    /// Date of expiry.
    pub const EXPIRY: i16 = 4;
    /// Optional data (passports).
    pub const OPTIONAL: i16 = 8;
    /// All of them together.
    pub const COMPOSITE: i16 = 16;
}

macro_rules! schema {
    ($($slot:ident = $number:literal, $least:literal..=$most:literal, $absent:literal, $unit:literal, $meaning:literal;)*) => {
        /// The slots that have a meaning; the others are zero.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Slot {
            $(#[doc = $meaning] $slot = $number,)*
        }

        impl Slot {
            /// All slots that have a meaning, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$slot),*];

            /// What is said about the slot.
            pub const fn about(self) -> About {
                match self {
                    $(Self::$slot => About {
                        name: stringify!($slot), least: $least, most: $most, absent: $absent, unit: $unit, meaning: $meaning,
                    },)*
                }
            }
        }
    };
}

schema! {
    // Slot = number, range, absent, unit, meaning.
    Schema = 0, 1..=1, 1, "version", "Version of this schema.";
    Evidence = 1, 0..=31, 0, "bits", "Which evidence was given: the bits of `evidence`.";

    // Capture: what the metadata of the upload prove. Keys, salt and challenge come from the chain.
    CaptureClient = 2, 0..=1, 0, "flag", "The capture program's signature is valid and its key is an approved one.";
    CaptureUser = 3, 0..=1, 0, "flag", "The account holder's signature over the same metadata is valid.";
    CaptureSalt = 4, 0..=1, 0, "flag", "The metadata carry the salt of this request.";
    CaptureChallenge = 5, 0..=1, 0, "flag", "The metadata carry the challenge value of this request.";
    CaptureAge = 6, -1..=32767, -1, "minutes", "From the capture to the request's time; -1 when unknown or in the future.";
    CaptureReplayed = 7, 0..=1, 0, "flag", "One of the pictures was uploaded before.";

    // Selfie. Brightness is luma, 0 black to 255 white; measures are taken on the aligned face.
    SelfieFaces = 8, 0..=255, 0, "faces", "Faces found.";
    SelfieConfidence = 9, 0..=1000, 0, "1/1000", "The detector's confidence in the largest face.";
    SelfieEyes = 10, 0..=32767, 0, "pixels", "Distance between the eyes in the picture as it was taken.";
    SelfieSharpness = 11, 0..=32767, 0, "1/16 of luma", "Mean magnitude of the Laplacian.";
    SelfieBrightness = 12, 0..=255, 0, "luma", "Mean brightness.";
    SelfieContrast = 13, 0..=255, 0, "luma", "From the 5th to the 95th percentile of brightness.";
    SelfieBlack = 14, 0..=1000, 0, "1/1000", "Part of the pixels that are darker than 16.";
    SelfieWhite = 15, 0..=1000, 0, "1/1000", "Part of the pixels that are brighter than 239: glare.";
    SelfieYaw = 16, -2000..=2000, 0, "1/1000 of the distance between the eyes", "How far the nose is from the middle of the eyes, along their line; positive towards the right side of the picture.";
    SelfieTurns = 17, 0..=3, 0, "quarter turns", "Clockwise turns after which the face stood upright.";

    // Picture of the document's front; the portrait is its largest face.
    DocumentFound = 18, 0..=1, 0, "flag", "The outline of a document was found and rectified.";
    DocumentWidth = 19, 0..=32767, 0, "pixels", "Length of the document's upper edge in the picture as it was taken.";
    DocumentSharpness = 20, 0..=32767, 0, "1/16 of luma", "Mean magnitude of the Laplacian.";
    DocumentBrightness = 21, 0..=255, 0, "luma", "Mean brightness.";
    DocumentContrast = 22, 0..=255, 0, "luma", "From the 5th to the 95th percentile of brightness.";
    DocumentBlack = 23, 0..=1000, 0, "1/1000", "Part of the pixels that are darker than 16.";
    DocumentWhite = 24, 0..=1000, 0, "1/1000", "Part of the pixels that are brighter than 239: glare.";
    DocumentTurns = 25, 0..=3, 0, "quarter turns", "Clockwise turns after which the portrait stood upright.";
    PortraitFaces = 26, 0..=255, 0, "faces", "Faces found on the document; a ghost portrait is a second one.";
    PortraitConfidence = 27, 0..=1000, 0, "1/1000", "The detector's confidence in the portrait.";
    PortraitEyes = 28, 0..=32767, 0, "pixels", "Distance between the portrait's eyes in the picture as it was taken.";

    // Selfie against portrait.
    FaceCompared = 29, 0..=1, 0, "flag", "Both faces were found and compared.";
    FaceCosine = 30, -10000..=10000, 0, "1/10000", "Cosine of the two embeddings, rounded towards zero.";

    // Head-turn challenge.
    ChallengePassed = 31, 0..=1, 0, "flag", "The head turned as the challenge said, in its order.";
    ChallengeFrames = 32, 0..=64, 0, "frames", "Frames in which one face was found.";
    ChallengeRange = 33, 0..=4000, 0, "1/1000 of the distance between the eyes", "From the leftmost to the rightmost yaw.";
    ChallengeCosine = 34, -10000..=10000, 0, "1/10000", "Smallest cosine of a compared frame with the selfie; 0 when not compared.";

    // Machine-readable zone.
    MrzFormat = 35, 0..=5, 0, "0 none, 1 TD1, 2 TD2, 3 TD3, 4 MRV-A, 5 MRV-B", "Format that was read.";
    MrzPresent = 36, 0..=31, 0, "bits", "Check digits that the format has and the document uses: the bits of `check`.";
    MrzValid = 37, 0..=31, 0, "bits", "Check digits that are right, after repair.";
    MrzRepaired = 38, 0..=90, 0, "characters", "Characters that only the check digits could decide.";
    MrzConfidence = 39, 0..=1000, 0, "1/1000", "Confidence in the least certain character.";
    MrzConfidenceMean = 40, 0..=1000, 0, "1/1000", "Mean confidence in a character.";

    // The document's data, wherever they were read.
    DocumentKind = 41, 0..=4, 0, "0 unknown, 1 passport, 2 identity card, 3 visa, 4 driving licence", "Kind of document.";
    DatesPossible = 42, -1..=1, -1, "comparison", "Birth, issue and expiry exist in the calendar and follow each other.";
    DaysToExpiry = 43, -32767..=32767, 0, "days", "From the request's day to the last valid day; negative when expired, 0 when unknown (see DatesPossible).";
    HolderAge = 44, -1..=150, -1, "years", "Completed years of the holder on the request's day; -1 when unknown.";

    // Barcode (PDF417) of the document's back.
    BarcodeFound = 45, 0..=2, 0, "0 none, 1 found, 2 decoded", "How far reading came.";
    BarcodeCorrected = 46, 0..=1000, 0, "1/1000", "Part of the error correction that was used up.";
    BarcodeFields = 47, 0..=64, 0, "fields", "Mandatory AAMVA fields that are there and well formed.";
    BarcodeLicence = 48, 0..=1, 0, "flag", "The content is an AAMVA licence with all mandatory fields.";

    // Two readings of the same fact on one document.
    CrossName = 49, -1..=1, -1, "comparison", "Names of the machine-readable zone and the barcode.";
    CrossBirth = 50, -1..=1, -1, "comparison", "Dates of birth of the machine-readable zone and the barcode.";
    CrossNumber = 51, -1..=1, -1, "comparison", "Document numbers of the machine-readable zone and the barcode.";
    CrossExpiry = 52, -1..=1, -1, "comparison", "Dates of expiry of the machine-readable zone and the barcode.";

    // Reserved for networks that do not exist yet; absent until they do.
    VisualName = 53, -1..=1, -1, "comparison", "Reserved: name of the visual zone and of machine-readable data.";
    VisualBirth = 54, -1..=1, -1, "comparison", "Reserved: date of birth of the visual zone and of machine-readable data.";
    VisualNumber = 55, -1..=1, -1, "comparison", "Reserved: number of the visual zone and of machine-readable data.";
    VisualConfidence = 56, 0..=1000, 0, "1/1000", "Reserved: confidence in the least certain character of the visual zone.";
    LivenessSelfie = 57, -1..=1000, -1, "1/1000", "Reserved: a liveness network's confidence that the selfie shows a living face.";
    LivenessDocument = 58, -1..=1000, -1, "1/1000", "Reserved: confidence that the document was in front of the camera, not on a screen or a copy.";
    TextLines = 59, -1..=255, -1, "lines", "Reserved: lines of text found on the document.";
    TextCovered = 60, -1..=1000, -1, "1/1000", "Reserved: part of the expected fields that hold text.";
}

/// What the schema says about a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Its name.
    pub name: &'static str,
    /// Smallest value.
    pub least: i16,
    /// Largest value.
    pub most: i16,
    /// Value when nothing was measured.
    pub absent: i16,
    /// Unit, or the meaning of single values.
    pub unit: &'static str,
    /// What it says.
    pub meaning: &'static str,
}

/// A feature vector; every value is inside the range of its slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Features([i16; SLOTS]);

impl Features {
    /// A vector in which nothing was measured.
    pub fn absent() -> Self {
        let mut values = [0; SLOTS];
        for slot in Slot::ALL {
            values[*slot as usize] = slot.about().absent;
        }
        Self(values)
    }

    /// Takes a vector that somebody else made; refuses values that the schema does not allow.
    pub fn from_values(values: [i16; SLOTS]) -> Result<Self, OutOfRange> {
        for (number, value) in values.iter().enumerate() {
            let range = match Slot::ALL.iter().find(|slot| **slot as usize == number) {
                Some(slot) => slot.about().least..=slot.about().most,
                None => 0..=0,
            };
            if !range.contains(value) {
                return Err(OutOfRange {
                    slot: number as u8,
                    value: *value,
                });
            }
        }
        Ok(Self(values))
    }

    /// The values in the order of their slots.
    pub fn values(&self) -> &[i16; SLOTS] {
        &self.0
    }

    /// Value of a slot.
    pub fn get(&self, slot: Slot) -> i16 {
        self.0[slot as usize]
    }

    /// Stores a measure; beyond the range of the slot, the nearest end of the range.
    pub fn set(&mut self, slot: Slot, value: impl Into<i64>) {
        let about = slot.about();
        self.0[slot as usize] = value
            .into()
            .clamp(i64::from(about.least), i64::from(about.most))
            as i16;
    }

    /// 128 bytes, little-endian, in the order of the slots: what is hashed and sent.
    pub fn to_bytes(&self) -> [u8; 2 * SLOTS] {
        let mut bytes = [0; 2 * SLOTS];
        for (out, value) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *out = value.to_le_bytes();
        }
        bytes
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Slot::ALL
            .iter()
            .map(|slot| (slot.about().name, self.get(*slot)));
        f.debug_map().entries(named).finish()
    }
}

/// A value that the schema does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange {
    /// Number of the slot.
    pub slot: u8,
    /// Its value.
    pub value: i16,
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { slot, value } = self;
        write!(
            f,
            "slot {slot} cannot be {value}: the vector is not of schema {SCHEMA}"
        )
    }
}

impl core::error::Error for OutOfRange {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_should_be_consistent_when_read_as_a_table() {
        for (i, slot) in Slot::ALL.iter().enumerate() {
            let about = slot.about();
            assert_eq!(
                *slot as usize, i,
                "{slot:?}: slots are in order, without gaps"
            );
            assert!((*slot as usize) < SLOTS);
            assert!(
                about.least <= about.absent && about.absent <= about.most,
                "{slot:?}"
            );
            assert!(
                about.meaning.ends_with('.') && !about.unit.is_empty(),
                "{slot:?}"
            );
        }
    }

    #[test]
    fn features_should_stay_in_range_when_measures_do_not() {
        let mut features = Features::absent();
        assert_eq!(features.get(Slot::Schema), SCHEMA);
        features.set(Slot::SelfieBrightness, 300);
        features.set(Slot::DaysToExpiry, i64::MIN);
        assert_eq!(features.get(Slot::SelfieBrightness), 255);
        assert_eq!(features.get(Slot::DaysToExpiry), -32767);
        assert_eq!(Features::from_values(*features.values()), Ok(features));
    }

    #[test]
    fn features_should_be_refused_when_a_slot_is_out_of_range() {
        let mut values = *Features::absent().values();
        values[63] = 1;
        assert_eq!(
            Features::from_values(values),
            Err(OutOfRange { slot: 63, value: 1 })
        );
        let mut values = *Features::absent().values();
        values[Slot::CrossName as usize] = 2;
        assert_eq!(
            Features::from_values(values),
            Err(OutOfRange { slot: 49, value: 2 })
        );
    }
}
