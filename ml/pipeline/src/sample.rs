//! What the known answers (`ml/models/pipeline-answers.txt`) are digests of, for every execution that must arrive at them.

use crate::{
    capture::{Expected, PublicKey},
    decode::decode,
    outline::{Outline, Printed},
    picture::Picture,
    pipeline::{Evidence, Outcome, Pipeline, Readers},
    stages::{blake2_256, Digest, Stage},
};

/// Of a file: the picture's bytes, row after row.
pub fn decoded(file: &[u8]) -> Option<Digest> {
    let picture = decode(file).ok()?;
    Some(blake2_256(picture.rgb()))
}

/// Of a picture: the corners of the document in it, eight numbers of 8 bytes little-endian, and the document laid flat.
pub fn outlined(picture: &Picture) -> Option<Digest> {
    let outline = Outline::find(picture, &Printed::default())?;
    let corners = outline.corners.iter().flat_map(|p| [p.x, p.y]);
    let mut bytes: Vec<u8> = corners.flat_map(i64::to_le_bytes).collect();
    bytes.extend_from_slice(outline.rectified(picture, 256)?.rgb());
    Some(blake2_256(&bytes))
}

/// The time of all requests, in milliseconds since 1970: 26 November 2026.
pub const NOW_MS: u64 = 1_795_651_200_000;

/// Of a document that nothing is read from, and a selfie, which is the only frame of the challenge, too: every stage.
pub fn analysed(pipeline: &Pipeline, document: &[u8], selfie: &[u8]) -> [Digest; Stage::ALL.len()] {
    let evidence = Evidence {
        document: Some(document),
        selfie: Some(selfie),
        frames: vec![selfie],
        ..Evidence::default()
    };
    run(pipeline, &evidence, &mut ()).digests
}

/// Looks at evidence, with the salt 07 07 .. 07.
pub fn run(pipeline: &Pipeline, evidence: &Evidence, readers: &mut impl Readers) -> Outcome {
    let expected = Expected {
        clients: &[],
        user: PublicKey::Sr25519([0; 32]),
        salt: [7; 32],
        challenge: [0; 32],
        now_ms: NOW_MS,
        seen: &[],
    };
    pipeline.run(evidence, &expected, readers)
}
