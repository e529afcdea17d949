use crate::{chain, config};
use frame_support::traits::Get;
use sp_keyring::Sr25519Keyring;
use sp_runtime::BuildStorage;
use virtengine_runtime::{
    currency::UNITS, genesis_config_presets as genesis, pots, Assets, Babe, Balances, Parameters,
    Runtime, Session, Sudo, Validators,
};

#[test]
fn presets_should_build_a_sound_genesis_whichever_is_named() {
    for name in genesis::preset_names() {
        chain(&name).execute_with(|| {
            Parameters::do_try_state().unwrap();
            Validators::do_try_state().unwrap();
            let validators = Session::validators();
            assert_eq!(validators.len(), Babe::authorities().len(), "{name}");
            assert!(!validators.is_empty(), "{name}");
            for pot in pots::all() {
                assert_eq!(Balances::free_balance(&pot), UNITS, "{name}");
                assert!(Assets::balance(genesis::USDX, &pot) > 0, "{name}");
            }
        });
    }
}

#[test]
fn presets_should_be_absent_when_the_name_is_unknown() {
    assert!(genesis::get_preset(&"mainnet".into()).is_none());
}

#[test]
fn development_should_make_one_block_a_second_by_alice() {
    chain("development").execute_with(|| {
        assert_eq!(Babe::slot_duration(), 1_000);
        assert_eq!(
            <Runtime as pallet_timestamp::Config>::MinimumPeriod::get(),
            500
        );
        assert_eq!(
            Session::validators(),
            vec![Sr25519Keyring::Alice.to_account_id()]
        );
        assert_eq!(
            pallet_sudo::Key::<Runtime>::get(),
            Some(Sr25519Keyring::Alice.to_account_id())
        );
        assert_eq!(
            virtengine_runtime_common::parameters::DisputeWindow::<Runtime>::get(),
            10
        );
    });
}

#[test]
fn local_testnet_should_have_four_authorities_and_two_second_slots() {
    chain("local_testnet").execute_with(|| {
        assert_eq!(Babe::slot_duration(), 2_000);
        assert_eq!(Session::validators().len(), 4);
    });
}

fn build_with_slot_duration(slot: u64) {
    let genesis = config(
        "development",
        serde_json::json!({ "parameters": { "slotDuration": slot } }),
    );
    let _ = genesis.build_storage();
}

#[test]
#[should_panic(expected = "even number of milliseconds")]
fn genesis_should_be_refused_when_the_slot_duration_is_odd() {
    build_with_slot_duration(1_001);
}

#[test]
#[should_panic(expected = "even number of milliseconds")]
fn genesis_should_be_refused_when_the_slot_duration_is_zero() {
    build_with_slot_duration(0);
}

#[test]
#[should_panic(expected = "an account is named twice")]
fn genesis_should_be_refused_when_a_validator_is_named_twice() {
    let alice = Sr25519Keyring::Alice.to_account_id();
    let genesis = config(
        "development",
        serde_json::json!({ "validators": { "validators": [alice, alice] } }),
    );
    let _ = genesis.build_storage();
}

#[test]
fn sudo_should_be_inert_when_genesis_names_no_key() {
    let genesis = config(
        "development",
        serde_json::json!({ "sudo": { "key": null } }),
    );
    sp_io::TestExternalities::from(genesis.build_storage().unwrap()).execute_with(|| {
        assert_eq!(pallet_sudo::Key::<Runtime>::get(), None);
        let call = virtengine_runtime::RuntimeCall::from(frame_system::Call::remark {
            remark: Vec::new(),
        });
        for who in Sr25519Keyring::well_known() {
            frame_support::assert_noop!(
                Sudo::sudo(
                    virtengine_runtime::RuntimeOrigin::signed(who.to_account_id()),
                    Box::new(call.clone())
                ),
                pallet_sudo::Error::<Runtime>::RequireSudo
            );
        }
    });
}
