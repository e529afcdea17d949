//! Tests, by subject.

mod attributes;
mod bond;
mod organisation;
mod property;
mod transfer;

use crate::{mock::*, *};
use frame_support::{
    assert_noop, assert_ok,
    traits::fungible::{Inspect, Mutate},
};
use sp_runtime::{DispatchError, Perbill, TokenError};
use virtengine_primitives::{blake2_256, traits::ProviderRegistry, Name};

pub const SUSPENDED: DispatchError = DispatchError::Other("suspended");

pub fn suspend(who: u64) {
    Suspended::mutate(|all| all.insert(who));
}

pub fn key(text: &str) -> AttributeKey {
    text.as_bytes().to_vec().try_into().unwrap()
}

pub fn value(text: &str) -> AttributeValue {
    text.as_bytes().to_vec().try_into().unwrap()
}
