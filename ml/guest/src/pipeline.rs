//! The stages of the pipeline, for any WebAssembly engine. Each function takes its input as parts, each part after its length
//! (four bytes, little-endian), and traps when there is no answer.
#![allow(unsafe_code)]

use crate::exchange::{answer, given};
use core::arch::wasm32::unreachable;
use ve_ml_documents::{sample as documents, Reader};
use ve_ml_engine::Execution;
use ve_ml_pipeline::{
    models::{Detector, Embedder},
    sample, Picture, Pipeline,
};

/// Takes a file of a picture. See [`sample::decoded`].
#[unsafe(no_mangle)]
extern "C" fn decoded(input: *const u8, len: usize) -> u64 {
    respond(input, len, |[file]| Some(sample::decoded(file)?.to_vec()))
}

/// Takes width and height (four bytes each, little-endian), and the pixels. See [`sample::outlined`].
#[unsafe(no_mangle)]
extern "C" fn outlined(input: *const u8, len: usize) -> u64 {
    respond(input, len, |[width, height, rgb]| {
        let [width, height] =
            [width, height].map(|n| Some(u32::from_le_bytes(n.try_into().ok()?) as usize));
        let picture = Picture::new(width?, height?, rgb.to_vec());
        Some(sample::outlined(&picture)?.to_vec())
    })
}

/// Takes the networks that find and embed faces, a document and a selfie. See [`sample::analysed`].
#[unsafe(no_mangle)]
extern "C" fn analysed(input: *const u8, len: usize) -> u64 {
    respond(input, len, |[detector, embedder, document, selfie]| {
        let pipeline = pipeline(detector, embedder)?;
        Some(sample::analysed(&pipeline, document, selfie).concat())
    })
}

/// Takes the networks that find and embed faces and read zones, a document's front and its back. See
/// [`documents::documented`].
#[unsafe(no_mangle)]
extern "C" fn documented(input: *const u8, len: usize) -> u64 {
    respond(input, len, |[detector, embedder, reader, front, back]| {
        let pipeline = pipeline(detector, embedder)?;
        let reader = Reader::new(reader).ok()?;
        let outcome = documents::documented(&pipeline, &reader, front, back);
        Some(outcome.digests.concat())
    })
}

fn pipeline<'a>(detector: &'a [u8], embedder: &'a [u8]) -> Option<Pipeline<'a>> {
    Some(Pipeline {
        detector: Detector::parse(detector).ok()?,
        embedder: Embedder::parse(embedder).ok()?,
        how: Execution::default(),
    })
}

fn respond<const N: usize>(
    input: *const u8,
    len: usize,
    to: impl Fn([&'static [u8]; N]) -> Option<Vec<u8>>,
) -> u64 {
    // SAFETY: the host passes what `reserve` gave it.
    let input = unsafe { given(input, len) };
    match parts(input).and_then(to) {
        Some(bytes) => answer(bytes),
        None => unreachable(),
    }
}

fn parts<const N: usize>(mut input: &[u8]) -> Option<[&[u8]; N]> {
    let mut parts = [&[][..]; N];
    for part in &mut parts {
        let (len, rest) = input.split_first_chunk()?;
        (*part, input) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    }
    Some(parts)
}
