//! The two networks of `ml/models` that this pipeline runs.

use crate::{
    align::{Aligned, SIDE as FACE},
    detect::{GRIDS, SIDE as SEARCH},
    picture::Picture,
};
use core::fmt;
use ve_ml_engine::{cosine_ppm, Execution, Net, Shape};

/// Numbers of an embedding.
pub const EMBEDDING: usize = 128;

/// YuNet: see [`crate::detect`].
pub struct Detector<'a>(Net<'a>);

/// SFace: see [`Embedding`].
pub struct Embedder<'a>(Net<'a>);

/// What makes a face that face: two faces are compared by the angle between theirs. It is personal data: it stays with who
/// computes it, and only its salted digest leaves.
#[derive(Clone, PartialEq, Eq)]
pub struct Embedding([i16; EMBEDDING]);

/// Why an artefact is not the network that is needed.
#[derive(Debug)]
pub enum NotTheNetwork {
    /// The engine refuses it.
    Refused(ve_ml_engine::Error),
    /// It takes or gives something else.
    Shapes,
}

impl fmt::Display for NotTheNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::Shapes => f.write_str(
                "the artefact is valid, but another network: take the file that the manifest names",
            ),
        }
    }
}

impl std::error::Error for NotTheNetwork {}

fn parse<'a>(
    artefact: &'a [u8],
    side: usize,
    outputs: impl IntoIterator<Item = usize>,
) -> Result<Net<'a>, NotTheNetwork> {
    let net = Net::parse(artefact).map_err(NotTheNetwork::Refused)?;
    let input = Shape {
        height: side,
        width: side,
        channels: 3,
    };
    let given = net.graph().outputs.iter().map(|v| net.shape(*v));
    let given = given.map(|shape| shape.map(|s| s.elements() as usize));
    if net.shape(0) != Some(input) || !given.eq(outputs.into_iter().map(Some)) {
        return Err(NotTheNetwork::Shapes);
    }
    Ok(net)
}

impl<'a> Detector<'a> {
    /// Reads and proves `yunet.veml`.
    pub fn parse(artefact: &'a [u8]) -> Result<Self, NotTheNetwork> {
        // One class, one object, four numbers of a frame, ten of landmarks.
        let outputs = [1, 1, 4, 10].into_iter().flat_map(|numbers| {
            GRIDS.map(|(side, ..)| (SEARCH / side) * (SEARCH / side) * numbers)
        });
        parse(artefact, SEARCH, outputs).map(Self)
    }

    /// Runs the network on a picture of at most 320 x 320 pixels, in its upper left corner; the rest is black.
    pub(crate) fn run(&self, picture: &Picture, how: Execution) -> Vec<Vec<i16>> {
        let mut bgr = vec![0; SEARCH * SEARCH * 3];
        let rows = picture.rgb().chunks_exact(picture.width() * 3);
        for (out, row) in bgr.chunks_exact_mut(SEARCH * 3).zip(rows) {
            let pixels = row.as_chunks::<3>().0.iter();
            for (out, [r, g, b]) in out.as_chunks_mut::<3>().0.iter_mut().zip(pixels) {
                *out = [*b, *g, *r];
            }
        }
        let outputs = self.0.run(&bgr, how);
        outputs.expect("the input has the size that was checked when the network was read")
    }
}

impl<'a> Embedder<'a> {
    /// Reads and proves `sface.veml`.
    pub fn parse(artefact: &'a [u8]) -> Result<Self, NotTheNetwork> {
        parse(artefact, FACE, [EMBEDDING]).map(Self)
    }

    /// Embeds an aligned face.
    pub fn embed(&self, face: &Aligned, how: Execution) -> Embedding {
        let outputs = self.0.run(face.rgb(), how);
        let outputs = outputs.expect("an aligned face has the size that was checked");
        let mut embedding = [0; EMBEDDING];
        embedding.copy_from_slice(&outputs[0]);
        Embedding(embedding)
    }
}

impl Embedding {
    /// Cosine of the angle to another embedding in 1/10,000, rounded towards zero.
    ///
    /// For embeddings longer than 1,000 units (those of faces are longer than 5,000) it is the real cosine times 10,000
    /// less at most 1.02 in magnitude: less than 1 from rounding, less than 0.02 from the integer cosine in millionths.
    pub fn cosine(&self, other: &Self) -> i64 {
        i64::from(cosine_ppm(&self.0, &other.0)) / 100
    }

    /// The numbers; 4096 is 1.
    pub fn values(&self) -> &[i16; EMBEDDING] {
        &self.0
    }
}
