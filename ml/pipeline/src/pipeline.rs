//! All of it, in its order.

use crate::{
    align::Aligned,
    capture::{self, Capture, Expected},
    challenge,
    decode::decode,
    detect::{detect, Face, Faces, ONE},
    features::{evidence, Features, Slot},
    models::{Detector, Embedder, Embedding},
    outline::{Outline, Printed},
    picture::{Picture, Point},
    quality::{Quality, DOCUMENT_SIDE},
    reasons::Reason,
    stages::{Digest, Stage, Stages},
};
use ve_ml_engine::Execution;

/// Cosines in 1/10,000: below the first, two faces are taken for two people; from the second on, for one. The first is the
/// threshold that OpenCV Zoo publishes for this network (0.363).
pub const DIFFERENT_BELOW: i64 = 3630;
/// See [`DIFFERENT_BELOW`].
pub const SAME_FROM: i64 = 4500;
/// Least pixels between the eyes, of the selfie and of the portrait.
const MIN_SELFIE_EYES: i64 = 40;
const MIN_PORTRAIT_EYES: i64 = 16;
/// Largest yaw of a selfie, in 1/1000 of the distance between the eyes.
const MAX_SELFIE_YAW: i64 = 250;
/// What is blurred, dark or bright: see [`Quality`].
const MIN_FACE_SHARPNESS: i64 = 100;
const MIN_DOCUMENT_SHARPNESS: i64 = 60;
const MIN_BRIGHTNESS: i64 = 50;
const MAX_BRIGHTNESS: i64 = 225;
const MAX_WHITE: i64 = 250;

/// What somebody sends to be recognised: files as they were uploaded, and what was signed about them.
#[derive(Clone, Debug, Default)]
pub struct Evidence<'a> {
    /// Picture of the document's front.
    pub document: Option<&'a [u8]>,
    /// Picture of the document's back.
    pub back: Option<&'a [u8]>,
    /// Picture of the person.
    pub selfie: Option<&'a [u8]>,
    /// Frames of the head-turn challenge in the order of time.
    pub frames: Vec<&'a [u8]>,
    /// Metadata of the capture.
    pub capture: Option<Capture>,
}

impl<'a> Evidence<'a> {
    /// All files in the order in which a capture lists them: document, back, selfie, frames.
    pub fn files(&self) -> Vec<&'a [u8]> {
        let single = [self.document, self.back, self.selfie];
        let frames = self.frames.iter().copied();
        single.into_iter().flatten().chain(frames).collect()
    }

    fn bits(&self) -> i16 {
        let given = [
            (self.document.is_some(), evidence::DOCUMENT),
            (self.back.is_some(), evidence::BACK),
            (self.selfie.is_some(), evidence::SELFIE),
            (!self.frames.is_empty(), evidence::CHALLENGE),
            (self.capture.is_some(), evidence::CAPTURE),
        ];
        given
            .into_iter()
            .filter_map(|(is, bit)| is.then_some(bit))
            .sum()
    }
}

/// What was found until now.
#[derive(Clone)]
pub struct Findings {
    /// The features.
    pub features: Features,
    /// The reasons, in the order in which they came up.
    pub reasons: Vec<Reason>,
    /// What the stages found.
    pub stages: Stages,
}

/// What there is to say about evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The features.
    pub features: Features,
    /// The reasons, each once, by their codes.
    pub reasons: Vec<Reason>,
    /// The stages' digests, in the order of [`Stage::ALL`].
    pub digests: [Digest; Stage::ALL.len()],
}

/// Reads what is printed on a document. Implemented by whoever knows machine-readable zones and barcodes.
///
/// An implementation sets its own slots, pushes its own reasons and adds to its own stages of `findings`; it computes in
/// integers and never panics, whatever the picture shows.
pub trait Readers {
    /// The front, turned so that the portrait stands upright, or as the camera held it if there is no portrait. Returns
    /// where in this picture a machine-readable zone was read: corners as one reads.
    fn front(&mut self, picture: &Picture, findings: &mut Findings) -> Option<[Point; 4]>;
    /// The back, as the camera held it.
    fn back(&mut self, picture: &Picture, findings: &mut Findings);
    /// After both: compares what was read.
    fn compare(&mut self, findings: &mut Findings);
}

/// Nothing is read: for evidence without a document, and for tests of everything else.
impl Readers for () {
    fn front(&mut self, _: &Picture, _: &mut Findings) -> Option<[Point; 4]> {
        None
    }
    fn back(&mut self, _: &Picture, _: &mut Findings) {}
    fn compare(&mut self, _: &mut Findings) {}
}

/// The pipeline: two networks, and how to run them, which changes no bit of the result.
pub struct Pipeline<'a> {
    /// Finds faces.
    pub detector: Detector<'a>,
    /// Embeds them.
    pub embedder: Embedder<'a>,
    /// Instruction set and threads.
    pub how: Execution,
}

impl Pipeline<'_> {
    /// Looks at all evidence. One picture at a time is in memory.
    pub fn run(
        &self,
        evidence: &Evidence,
        expected: &Expected,
        readers: &mut impl Readers,
    ) -> Outcome {
        let mut findings = Findings {
            features: Features::absent(),
            reasons: Vec::new(),
            stages: Stages::new(&expected.salt),
        };
        findings.features.set(Slot::Evidence, evidence.bits());
        let portrait = self.document(evidence, readers, &mut findings);
        let selfie = self.selfie(evidence, &mut findings);
        if let (Some(portrait), Some(selfie)) = (&portrait, &selfie) {
            findings.compare(portrait.cosine(selfie));
        }
        self.challenge(evidence, expected, selfie.as_ref(), &mut findings);
        findings.capture(evidence, expected);
        findings.finish()
    }

    fn document(
        &self,
        evidence: &Evidence,
        readers: &mut impl Readers,
        findings: &mut Findings,
    ) -> Option<Embedding> {
        if evidence.document.is_none() {
            findings.reasons.push(Reason::DocumentMissing);
        }
        let mut portrait = None;
        if let Some(picture) = findings.decode(evidence.document) {
            let faces = self.faces(&picture, findings);
            let quality = Quality::of(&picture.shrunk(DOCUMENT_SIDE));
            findings.document(&faces, &quality);
            if let Some(face) = faces.faces.first() {
                portrait = self.embed(&picture, face, findings).map(|(_, e)| e);
            }
            let size = (picture.width(), picture.height());
            let face = faces.faces.first().map(Face::frame);
            let face = face.map(|f| f.map(|p| p.turned(size, faces.turns)));
            let picture = upright(picture, faces.turns);
            let zone = readers.front(&picture, findings);
            findings.outline(&picture, &Printed { face, zone });
        }
        if let Some(picture) = findings.decode(evidence.back) {
            readers.back(&picture, findings);
        }
        readers.compare(findings);
        portrait
    }

    fn selfie(&self, evidence: &Evidence, findings: &mut Findings) -> Option<Embedding> {
        if evidence.selfie.is_none() {
            findings.reasons.push(Reason::SelfieMissing);
        }
        let picture = findings.decode(evidence.selfie)?;
        let faces = self.faces(&picture, findings);
        findings
            .features
            .set(Slot::SelfieFaces, faces.faces.len() as i64);
        let Some(face) = faces.faces.first() else {
            findings.reasons.push(Reason::SelfieWithoutFace);
            return None;
        };
        let (aligned, embedding) = self.embed(&picture, face, findings)?;
        let quality = Quality::of(aligned.picture());
        findings.selfie(&faces, face, &quality);
        Some(embedding)
    }

    fn challenge(
        &self,
        evidence: &Evidence,
        expected: &Expected,
        selfie: Option<&Embedding>,
        findings: &mut Findings,
    ) {
        if evidence.frames.is_empty() {
            findings.reasons.push(Reason::ChallengeMissing);
            return;
        }
        if evidence.frames.len() > challenge::MAX_FRAMES {
            findings.reasons.push(Reason::ChallengeTooManyFrames);
            return;
        }
        // Frames without exactly one face are left out. All are looked at; only those that may be compared are embedded.
        let mut seen = Vec::new();
        for frame in &evidence.frames {
            let Some(picture) = findings.decode(Some(frame)) else {
                continue;
            };
            if let [face] = self.faces(&picture, findings).faces[..] {
                seen.push((face, Aligned::of(&picture, &face.landmarks)));
            }
        }
        let faces: Vec<Face> = seen.iter().map(|(face, _)| *face).collect();
        let turned = challenge::judge(&faces, &challenge::order(&expected.challenge));
        let mut cosines = Vec::new();
        for i in &turned.centred {
            if let (Some(selfie), Some(aligned)) = (selfie, &seen[*i].1) {
                cosines.push(self.embed_aligned(aligned, findings).cosine(selfie));
            }
        }
        let smallest = cosines.into_iter().min();
        findings.challenge(&faces, &turned, smallest);
    }

    fn faces(&self, picture: &Picture, findings: &mut Findings) -> Faces {
        let faces = detect(&self.detector, picture, self.how);
        let numbers = faces.faces.iter().flat_map(|face| {
            let points = [face.corner, face.size].into_iter().chain(face.landmarks);
            std::iter::once(face.confidence).chain(points.flat_map(|p| [p.x, p.y]))
        });
        let turns = i64::from(faces.turns);
        findings
            .stages
            .add_numbers(Stage::Detect, std::iter::once(turns).chain(numbers));
        faces
    }

    fn embed(
        &self,
        picture: &Picture,
        face: &Face,
        findings: &mut Findings,
    ) -> Option<(Aligned, Embedding)> {
        let aligned = Aligned::of(picture, &face.landmarks)?;
        let embedding = self.embed_aligned(&aligned, findings);
        Some((aligned, embedding))
    }

    fn embed_aligned(&self, aligned: &Aligned, findings: &mut Findings) -> Embedding {
        findings.stages.add(Stage::Align, aligned.rgb());
        let embedding = self.embedder.embed(aligned, self.how);
        let numbers = embedding.values().iter().map(|v| i64::from(*v));
        findings.stages.add_numbers(Stage::Embed, numbers);
        embedding
    }
}

fn upright(picture: Picture, turns: u8) -> Picture {
    if turns == 0 {
        picture
    } else {
        picture.turned(turns)
    }
}

impl Findings {
    /// Sets the slots of a picture's quality, whose five slots follow each other.
    fn quality(&mut self, slots: [Slot; 5], quality: &Quality) {
        self.stages.add_numbers(Stage::Quality, quality.values());
        for (slot, value) in slots.into_iter().zip(quality.values()) {
            self.features.set(slot, value);
        }
    }

    fn expect(&mut self, holds: bool, otherwise: Reason) {
        if !holds {
            self.reasons.push(otherwise);
        }
    }

    fn decode(&mut self, file: Option<&[u8]>) -> Option<Picture> {
        match decode(file?) {
            Ok(picture) => {
                let size = [picture.width(), picture.height()].map(|n| n as i64);
                self.stages.add_numbers(Stage::Decode, size);
                self.stages.add(Stage::Decode, picture.rgb());
                Some(picture)
            }
            Err(reason) => {
                self.stages.add(Stage::Decode, &[reason.code()]);
                self.reasons.push(reason);
                None
            }
        }
    }

    fn document(&mut self, faces: &Faces, quality: &Quality) {
        self.quality(
            [
                Slot::DocumentSharpness,
                Slot::DocumentBrightness,
                Slot::DocumentContrast,
                Slot::DocumentBlack,
                Slot::DocumentWhite,
            ],
            quality,
        );
        self.expect(
            quality.sharpness >= MIN_DOCUMENT_SHARPNESS,
            Reason::DocumentBlurred,
        );
        self.expect(
            quality.brightness >= MIN_BRIGHTNESS,
            Reason::DocumentTooDark,
        );
        self.expect(
            quality.brightness <= MAX_BRIGHTNESS,
            Reason::DocumentTooBright,
        );
        self.features
            .set(Slot::PortraitFaces, faces.faces.len() as i64);
        let Some(face) = faces.faces.first() else {
            self.reasons.push(Reason::PortraitNotFound);
            return;
        };
        self.features.set(Slot::DocumentTurns, faces.turns);
        self.features
            .set(Slot::PortraitConfidence, face.confidence * 1000 / ONE);
        self.features.set(Slot::PortraitEyes, face.eyes());
        self.expect(face.eyes() >= MIN_PORTRAIT_EYES, Reason::PortraitTooSmall);
    }

    fn outline(&mut self, picture: &Picture, printed: &Printed) {
        let Some(outline) = Outline::find(picture, printed) else {
            self.stages.add_numbers(Stage::Outline, [0]);
            let nothing = printed.face.is_none() && printed.zone.is_none();
            self.reasons.push(if nothing {
                Reason::DocumentNotFound
            } else {
                Reason::OutlineNotFound
            });
            return;
        };
        let corners = outline.corners.into_iter().flat_map(|p| [p.x, p.y]);
        let numbers = [1, outline.edges as i64, outline.is_cut.into()];
        self.stages
            .add_numbers(Stage::Outline, numbers.into_iter().chain(corners));
        self.features.set(Slot::DocumentFound, 1);
        self.features.set(Slot::DocumentWidth, outline.width());
        self.expect(!outline.is_cut, Reason::DocumentCut);
    }

    fn selfie(&mut self, faces: &Faces, face: &Face, quality: &Quality) {
        self.quality(
            [
                Slot::SelfieSharpness,
                Slot::SelfieBrightness,
                Slot::SelfieContrast,
                Slot::SelfieBlack,
                Slot::SelfieWhite,
            ],
            quality,
        );
        self.features.set(Slot::SelfieTurns, faces.turns);
        self.features
            .set(Slot::SelfieConfidence, face.confidence * 1000 / ONE);
        self.features.set(Slot::SelfieEyes, face.eyes());
        self.features.set(Slot::SelfieYaw, face.yaw());
        self.expect(faces.faces.len() == 1, Reason::SelfieWithSeveralFaces);
        self.expect(face.eyes() >= MIN_SELFIE_EYES, Reason::SelfieFaceTooSmall);
        self.expect(face.yaw().abs() <= MAX_SELFIE_YAW, Reason::SelfieTurnedAway);
        self.expect(
            quality.sharpness >= MIN_FACE_SHARPNESS,
            Reason::SelfieBlurred,
        );
        self.expect(quality.brightness >= MIN_BRIGHTNESS, Reason::SelfieTooDark);
        self.expect(
            quality.brightness <= MAX_BRIGHTNESS && quality.white <= MAX_WHITE,
            Reason::SelfieTooBright,
        );
    }

    fn compare(&mut self, cosine: i64) {
        self.features.set(Slot::FaceCompared, 1);
        self.features.set(Slot::FaceCosine, cosine);
        if cosine < DIFFERENT_BELOW {
            self.reasons.push(Reason::FacesDiffer);
        } else if cosine < SAME_FROM {
            self.reasons.push(Reason::FacesUncertain);
        }
    }

    fn challenge(&mut self, faces: &[Face], turned: &challenge::Turned, cosine: Option<i64>) {
        let yaws = faces.iter().map(Face::yaw);
        self.stages.add_numbers(Stage::Challenge, yaws);
        self.features.set(Slot::ChallengeFrames, faces.len() as i64);
        self.features.set(Slot::ChallengeRange, turned.range);
        self.features
            .set(Slot::ChallengeCosine, cosine.unwrap_or(0));
        match turned.verdict {
            Ok(()) => self.features.set(Slot::ChallengePassed, 1),
            Err(reason) => self.reasons.push(reason),
        }
        if cosine.is_some_and(|cosine| cosine < DIFFERENT_BELOW) {
            self.reasons.push(Reason::ChallengeOtherPerson);
        }
    }

    fn capture(&mut self, evidence: &Evidence, expected: &Expected) {
        let files = evidence.files();
        let capture = evidence.capture.as_ref();
        if let Some(capture) = capture {
            self.stages.add(Stage::Capture, &capture.payload());
        }
        let Self {
            features, reasons, ..
        } = self;
        capture::judge(capture, &files, expected, features, reasons);
    }

    fn finish(mut self) -> Outcome {
        self.reasons.sort();
        self.reasons.dedup();
        self.stages.add(Stage::Features, &self.features.to_bytes());
        Outcome {
            features: self.features,
            reasons: self.reasons,
            digests: self.stages.finish(),
        }
    }
}
