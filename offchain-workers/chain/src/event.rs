//! Events as the runtime emitted them.

use crate::error::ChainError;
use codec::Decode;
use serde_json::Value;

/// One event, decoded through the runtime's metadata.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ChainEvent {
    /// Pallet that emitted it.
    pub pallet: String,
    /// Its name.
    pub name: String,
    /// Its fields: an object if they are named, else an array. Accounts are SS58 strings, bytes and hashes are
    /// `0x` hex, integers that do not fit 53 bits are decimal strings, enums are `"Variant"` or `{"Variant": fields}`;
    /// a dispatch error is `{"pallet", "name", "docs"}`.
    pub fields: Value,
    /// SCALE encoding of the fields, one after the other.
    #[serde(skip)]
    pub bytes: Vec<u8>,
    /// Index of the extrinsic that caused it; `None` for what the block itself did.
    pub extrinsic: Option<u32>,
}

impl ChainEvent {
    /// Whether it is this event of this pallet.
    pub fn is(&self, pallet: &str, name: &str) -> bool {
        self.pallet == pallet && self.name == name
    }

    /// A named field that is an unsigned integer.
    pub fn integer(&self, field: &str) -> Option<u128> {
        match self.fields.get(field)? {
            Value::Number(n) => n.as_u64().map(u128::from),
            Value::String(s) => s.parse().ok(),
            _ => None,
        }
    }

    /// A named field that is a dispatch error: `(pallet, name, docs)`.
    pub fn refusal(&self, field: &str) -> Option<(String, String, String)> {
        let error = self.fields.get(field)?;
        let text = |key: &str| error.get(key)?.as_str().map(str::to_string);
        Some((text("pallet")?, text("name")?, text("docs")?))
    }

    /// The fields as a tuple of primitives types; trailing fields may be left out.
    pub fn decode<T: Decode>(&self) -> Result<T, ChainError> {
        T::decode(&mut &self.bytes[..]).map_err(|e| {
            ChainError::Incompatible(format!("event {}.{}: {e}", self.pallet, self.name))
        })
    }
}
