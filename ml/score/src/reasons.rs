//! Why evidence counts less than it could, and what a person can do about it.
//!
//! A reason's number goes to the chain and never changes its meaning. Every sentence ends in something to do.

use core::fmt;

macro_rules! reasons {
    ($($reason:ident = $code:literal, $sentence:literal;)*) => {
        /// A reason that a person can act on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Reason {
            $(#[doc = $sentence] $reason = $code,)*
        }

        impl Reason {
            /// All reasons, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$reason),*];

            /// The sentence for people.
            pub const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$reason => $sentence,)*
                }
            }

            /// The reason with a code.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$reason),)*
                    _ => None,
                }
            }
        }
    };
}

reasons! {
    // Files.
    NotAPicture = 1, "The file is neither a JPEG nor a PNG picture: send the picture as the camera saved it.";
    PictureDamaged = 2, "The picture is damaged or incomplete: take it again, or upload it again.";
    PictureTooLarge = 3, "The picture has more than 25 million pixels: take it with a lower resolution.";
    PictureTooSmall = 4, "The picture is too small to show anything: take it with a higher resolution.";
    PictureUnsupported = 5, "The picture uses a rare variant of its format: save it as a plain JPEG or PNG.";

    // Selfie.
    SelfieMissing = 10, "There is no selfie: add a picture of your face.";
    SelfieWithoutFace = 11, "No face was found in the selfie: look into the camera, with the whole face in the picture.";
    SelfieWithSeveralFaces = 12, "There are several faces in the selfie: be alone in the picture.";
    SelfieFaceTooSmall = 13, "The face in the selfie is too small: hold the camera closer.";
    SelfieBlurred = 14, "The selfie is blurred: hold still and clean the lens.";
    SelfieTooDark = 15, "The selfie is too dark: face a window or a lamp.";
    SelfieTooBright = 16, "The selfie is too bright, or light reflects from the face: turn away from strong light.";
    SelfieTurnedAway = 17, "The face in the selfie is turned away: look straight into the camera.";

    // Picture of the document.
    DocumentMissing = 20, "There is no picture of a document: add one.";
    DocumentNotFound = 21, "No document was found in the picture: put it flat on a darker surface, with all corners visible.";
    PortraitNotFound = 22, "No portrait was found on the document: photograph the side that shows it.";
    PortraitTooSmall = 23, "The portrait is too small to be compared: hold the camera closer to the document.";
    DocumentBlurred = 24, "The picture of the document is blurred: hold still and let the camera focus.";
    DocumentTooDark = 25, "The picture of the document is too dark: use more light.";
    DocumentTooBright = 26, "Light reflects from the document or the picture is too bright: tilt the document away from the lamp.";
    OutlineNotFound = 27, "The document's edges were not found: put it flat on a plain surface of another colour, with all corners visible.";
    DocumentCut = 28, "Part of the document is outside the picture: hold the camera farther away, until all corners are visible.";

    // Selfie against portrait.
    FacesDiffer = 30, "The selfie and the portrait show different people: use your own document.";
    FacesUncertain = 31, "The selfie and the portrait could not be matched with certainty: take both again in better light.";

    // Capture metadata.
    CaptureMissing = 40, "The pictures come without signed metadata: capture them with the app.";
    CaptureClientUnproven = 41, "The capture program's signature is missing or wrong: update the app and capture again.";
    CaptureUserUnproven = 42, "The account's signature is missing or wrong: unlock the account that asks and capture again.";
    CaptureForAnotherRequest = 43, "The pictures were captured for another request: capture them again for this one.";
    CaptureOtherChallenge = 44, "The pictures answer another challenge: follow the challenge of this request.";
    CaptureTooOld = 45, "The pictures are too old, or the clock is wrong: set the clock and capture them again.";
    UploadReplayed = 46, "These pictures were uploaded before: capture new ones.";

    // Head-turn challenge.
    ChallengeMissing = 50, "The head-turn challenge was not done: do it in the app.";
    ChallengeTooFewFrames = 51, "Too few frames of the challenge show exactly one face: stay alone in front of the camera until it ends.";
    ChallengeTooManyFrames = 52, "The challenge has more than 64 frames: record it again with the app.";
    ChallengeStill = 53, "The head did not turn: turn it, and not the camera or a picture.";
    ChallengeWrongOrder = 54, "The head turned in another order than asked: follow the arrows one by one.";
    ChallengeJump = 55, "The face jumped between two frames: turn slowly, without a cut.";
    ChallengeOtherPerson = 56, "The challenge shows another person than the selfie: do both yourself.";

    // Machine-readable zone, dates.
    MrzNotFound = 60, "No machine-readable zone was found: photograph the side with the lines of `<<<`, all of them in the picture.";
    MrzUnreadable = 61, "The machine-readable zone cannot be read: take the picture closer, sharper and without reflections.";
    MrzCheckDigitWrong = 62, "A check digit of the document is wrong: take a clearer picture; if it stays, the document is not genuine.";
    DocumentExpired = 63, "The document has expired: use a valid one.";
    DatesImpossible = 64, "The document's dates cannot be: take a clearer picture; if it stays, the document is not genuine.";
    HolderTooYoung = 65, "The holder is younger than the service allows: come back at that age.";
    DocumentKindUnknown = 66, "This kind of document is not known here: use a passport, an identity card or a driving licence.";

    // Barcode.
    BarcodeNotFound = 70, "No barcode was found on the back: photograph the whole back, flat and sharp.";
    BarcodeUnreadable = 71, "The barcode cannot be read: take the picture closer, sharper and without reflections.";
    BarcodeNotALicence = 72, "The barcode is not that of a driving licence: photograph the back of the licence.";

    // Cross-checks.
    NamesDiffer = 80, "Two places of the document give different names: take clearer pictures; if it stays, the document is not genuine.";
    BirthDiffers = 81, "Two places of the document give different dates of birth: take clearer pictures; if it stays, the document is not genuine.";
    NumberDiffers = 82, "Two places of the document give different numbers: take clearer pictures; if it stays, the document is not genuine.";
    ExpiryDiffers = 83, "Two places of the document give different dates of expiry: take clearer pictures; if it stays, the document is not genuine.";
}

impl Reason {
    /// The number by which the chain knows the reason.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

impl core::error::Error for Reason {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_should_be_ordered_and_say_what_to_do_when_read_as_a_table() {
        assert!(Reason::ALL.is_sorted_by_key(|r| r.code()));
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Some(*reason));
            let sentence = reason.sentence();
            assert!(
                sentence.ends_with('.') && sentence.contains(": "),
                "{sentence}"
            );
        }
        assert_eq!(Reason::from_code(0), None);
    }
}
