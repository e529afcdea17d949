//! Tests, by subject.

mod migrations;
mod property;
mod roles;
mod standing;

use crate::{mock::*, *};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchError;
use virtengine_primitives::{traits::AccountStanding, AccountState, Role};

pub fn signed(who: u64) -> RuntimeOrigin {
    RuntimeOrigin::signed(who)
}

pub fn reason() -> Reason {
    b"sold what it did not have".to_vec().try_into().unwrap()
}

pub const ALL: [Role; 9] = Role::ALL;
