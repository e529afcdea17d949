//! Tests, by subject.

mod envelopes;
mod keys;
mod property;
mod sound;

use crate::{mock::*, *};
use frame_support::{assert_noop, assert_ok, traits::fungible::Inspect};
use sp_runtime::DispatchError;
use virtengine_primitives::{envelope::key_id, Name};

pub fn signed(who: u64) -> RuntimeOrigin {
    RuntimeOrigin::signed(who)
}

/// A sound public key of its own for every seed.
pub fn public(seed: u8) -> [u8; 32] {
    x25519_dalek::x25519(
        [seed.wrapping_add(1); 32],
        x25519_dalek::X25519_BASEPOINT_BYTES,
    )
}

pub fn id(seed: u8) -> KeyId {
    key_id(&public(seed))
}

pub fn label() -> Name {
    b"laptop".to_vec().try_into().unwrap()
}

pub fn register(who: u64, seed: u8) -> KeyId {
    assert_ok!(Keyring::register_key(signed(who), public(seed), label()));
    id(seed)
}
