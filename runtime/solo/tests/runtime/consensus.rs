use crate::chain;
use frame_support::{assert_noop, assert_ok, traits::KeyOwnerProofSystem};
use sp_core::crypto::key_types::BABE;
use sp_keyring::Sr25519Keyring;
use sp_runtime::{DispatchError, Perbill};
use sp_staking::offence::{OffenceDetails, OnOffenceHandler};
use virtengine_runtime::{
    AccountId, Historical, Runtime, RuntimeOrigin, Session, System, Validators,
};
use virtengine_runtime_common::validators::{Error, Validators as List, PROVABLE_SESSIONS};

fn account(key: Sr25519Keyring) -> AccountId {
    key.to_account_id()
}

fn equivocate(who: AccountId) {
    <Validators as OnOffenceHandler<_, _, _>>::on_offence(
        &[OffenceDetails {
            offender: (who, ()),
            reporters: Vec::<AccountId>::new(),
        }],
        &[Perbill::from_percent(10)],
        0,
    );
}

#[test]
fn key_ownership_should_be_provable_from_the_first_session() {
    chain("local_testnet").execute_with(|| {
        let key = Sr25519Keyring::Alice.public().to_vec();
        let proof = Historical::prove((BABE, key.clone())).expect("a root was stored at genesis");
        let (owner, ()) = Historical::check_proof((BABE, key), proof).unwrap();
        assert_eq!(owner, account(Sr25519Keyring::Alice));
    });
}

#[test]
fn validator_should_leave_the_list_when_it_equivocates() {
    chain("local_testnet").execute_with(|| {
        System::set_block_number(1);
        equivocate(account(Sr25519Keyring::Bob));
        assert!(!List::<Runtime>::get().contains(&account(Sr25519Keyring::Bob)));
        assert_eq!(List::<Runtime>::get().len(), 3);
        assert_eq!(Session::disabled_validators(), vec![1]);
        // Again: nothing more happens.
        equivocate(account(Sr25519Keyring::Bob));
        assert_eq!(List::<Runtime>::get().len(), 3);
        Validators::do_try_state().unwrap();
    });
}

#[test]
fn validator_should_stay_when_it_is_the_last() {
    chain("development").execute_with(|| {
        System::set_block_number(1);
        equivocate(account(Sr25519Keyring::Alice));
        assert_eq!(
            List::<Runtime>::get().into_inner(),
            vec![account(Sr25519Keyring::Alice)]
        );
        assert!(Session::disabled_validators().is_empty());
    });
}

#[test]
fn list_should_change_only_for_root_and_only_to_a_sound_one() {
    chain("local_testnet").execute_with(|| {
        System::set_block_number(1);
        let alice = account(Sr25519Keyring::Alice);
        let bob = account(Sr25519Keyring::Bob);
        let eve = account(Sr25519Keyring::Eve);
        let root = RuntimeOrigin::root;
        assert_noop!(
            Validators::set_validators(RuntimeOrigin::signed(alice.clone()), vec![alice.clone()]),
            DispatchError::BadOrigin
        );
        assert_noop!(
            Validators::set_validators(root(), vec![]),
            Error::<Runtime>::Empty
        );
        assert_noop!(
            Validators::set_validators(root(), vec![alice.clone(), alice.clone()]),
            Error::<Runtime>::Duplicate
        );
        assert_noop!(
            Validators::set_validators(root(), vec![alice.clone(), eve]),
            Error::<Runtime>::NoSessionKeys
        );
        assert_ok!(Validators::set_validators(
            root(),
            vec![alice.clone(), bob.clone()]
        ));
        assert_eq!(
            List::<Runtime>::get().into_inner(),
            vec![alice.clone(), bob.clone()]
        );
        // They validate from the session after the next.
        Session::rotate_session();
        assert_eq!(Session::validators().len(), 4);
        Session::rotate_session();
        assert_eq!(Session::validators(), vec![alice, bob]);
    });
}

#[test]
fn session_roots_should_be_pruned_when_nothing_can_be_reported_any_more() {
    chain("development").execute_with(|| {
        System::set_block_number(1);
        for _ in 0..100 {
            Session::rotate_session();
        }
        let kept = pallet_session::historical::HistoricalSessions::<Runtime>::iter().count();
        assert_eq!(kept, PROVABLE_SESSIONS as usize + 2);
    });
}
