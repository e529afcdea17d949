//! Shapes that only this pallet stores, and which names and keys it takes.

use frame_support::{pallet_prelude::ConstU32, BoundedVec};

/// Name of an attribute, for example "domain": 1 to 32 of `a-z`, `0-9`, `.`, `-` and `_`.
pub type AttributeKey = BoundedVec<u8, ConstU32<32>>;
/// Value of an attribute: UTF-8, 1 to 256 bytes.
pub type AttributeValue = BoundedVec<u8, ConstU32<256>>;

/// Whether a text can be shown in a list: UTF-8, not empty, without control characters.
pub fn is_printable(text: &[u8]) -> bool {
    !text.is_empty()
        && core::str::from_utf8(text).is_ok_and(|text| !text.chars().any(char::is_control))
}

/// Whether this names an attribute. One spelling only, so that nobody can be fooled by a second "Domain".
pub fn is_attribute_key(key: &[u8]) -> bool {
    !key.is_empty()
        && key
            .iter()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'))
}
