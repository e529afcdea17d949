//! Header and body as one object, for what the chain keeps no header of (logs, evidence):
//! `length of SCALE(header) as u32 little-endian ++ SCALE(header) ++ body`.

use crate::{EnvelopeHeader, Error};
use codec::{DecodeAll, Encode};

/// Longest encoded header that is read; 32 recipients need about 3.2 kB.
pub const MAX_HEADER: usize = 8 << 10;

/// One object of a header and its body.
pub fn to_bytes(header: &EnvelopeHeader, body: &[u8]) -> Vec<u8> {
    let encoded = header.encode();
    let mut bytes = Vec::with_capacity(4 + encoded.len() + body.len());
    // A header is bounded by its type, far below 2^32.
    bytes.extend_from_slice(&(encoded.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&encoded);
    bytes.extend_from_slice(body);
    bytes
}

/// The header and the body of an object that [`to_bytes`] made.
pub fn from_bytes(bytes: &[u8]) -> Result<(EnvelopeHeader, &[u8]), Error> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(Error::Truncated)?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > MAX_HEADER {
        return Err(Error::Malformed(
            "its header is longer than any header can be",
        ));
    }
    let (header, body) = rest.split_at_checked(length).ok_or(Error::Truncated)?;
    let header = EnvelopeHeader::decode_all(&mut &*header)
        .map_err(|_| Error::Malformed("its header does not decode"))?;
    Ok((header, body))
}
