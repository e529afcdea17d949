//! Every call of the runtime against every kind of origin, as a table that is compared with the committed one: a call
//! that starts to succeed for somebody new is seen, and nobody has to remember to test it.
//!
//! Arguments are what decodes from zeros (empty lists, the zero account, number 0), so an `Ok` in the table means that
//! nothing but the origin stood between the caller and an effect. After a change that was meant:
//! `VE_BLESS=1 cargo test -p virtengine-runtime --test origins`.

use codec::Decode;
use frame_support::{storage::with_transaction, traits::GetCallMetadata};
use scale_info::{TypeDef, TypeInfo};
use sp_core::traits::{Externalities, ReadRuntimeVersion, ReadRuntimeVersionExt};
use sp_runtime::{
    traits::Dispatchable, AccountId32, BuildStorage, DispatchError, TransactionOutcome,
};
use std::{fmt::Write, path::Path};
use virtengine_runtime::{Runtime, RuntimeCall, RuntimeOrigin};

/// `(pallet index, pallet, call index, call)` of every call.
fn calls() -> Vec<(u8, String, u8, String)> {
    let TypeDef::Variant(pallets) = RuntimeCall::type_info().type_def else {
        panic!("RuntimeCall is an enum")
    };
    let mut all = Vec::new();
    for pallet in pallets.variants {
        let TypeDef::Variant(calls) = pallet.fields[0].ty.type_info().type_def else {
            continue;
        };
        for call in calls.variants {
            all.push((
                pallet.index,
                pallet.name.to_string(),
                call.index,
                call.name.to_string(),
            ));
        }
    }
    all
}

/// What `set_code` asks of the node: no bytes that decode from zeros are a runtime.
struct NoRuntime;
impl ReadRuntimeVersion for NoRuntime {
    fn read_runtime_version(&self, _: &[u8], _: &mut dyn Externalities) -> Result<Vec<u8>, String> {
        Err("not a runtime".into())
    }
}

fn genesis() -> sp_io::TestExternalities {
    let storage = frame_system::GenesisConfig::<Runtime>::default()
        .build_storage()
        .unwrap();
    let preset =
        virtengine_runtime::genesis_config_presets::get_preset(&"development".into()).unwrap();
    let mut ext = sp_io::TestExternalities::new(storage);
    ext.register_extension(ReadRuntimeVersionExt::new(NoRuntime));
    ext.execute_with(|| {
        frame_support::genesis_builder_helper::build_state::<
            virtengine_runtime::RuntimeGenesisConfig,
        >(preset)
        .unwrap();
        frame_system::Pallet::<Runtime>::set_block_number(1);
    });
    ext
}

/// Whether a call succeeds. It leaves no trace, so that every call meets the state of genesis.
fn succeeds(call: RuntimeCall, origin: RuntimeOrigin) -> bool {
    with_transaction(|| {
        let outcome = call.dispatch(origin).map(|_| ()).map_err(|e| e.error);
        TransactionOutcome::Rollback(Ok::<_, DispatchError>(outcome.is_ok()))
    })
    .unwrap_or(false)
}

#[test]
fn every_call_should_succeed_only_for_the_origins_in_the_table() {
    let stranger = AccountId32::new([0x5a; 32]);
    let endowed = sp_keyring::Sr25519Keyring::Eve.to_account_id();
    let origins: [(&str, RuntimeOrigin); 4] = [
        ("none", RuntimeOrigin::none()),
        ("stranger", RuntimeOrigin::signed(stranger)),
        ("endowed", RuntimeOrigin::signed(endowed)),
        ("root", RuntimeOrigin::root()),
    ];
    let mut ext = genesis();
    let mut table = String::new();
    for (pallet_index, pallet, call_index, name) in calls() {
        let mut bytes = vec![pallet_index, call_index];
        bytes.resize(8192, 0);
        let Ok(call) = RuntimeCall::decode(&mut &bytes[..]) else {
            writeln!(table, "{pallet}.{name}: zeros do not decode").unwrap();
            continue;
        };
        assert_eq!(call.get_call_metadata().function_name, name);
        let allowed: Vec<&str> = origins
            .iter()
            .filter(|(_, origin)| ext.execute_with(|| succeeds(call.clone(), origin.clone())))
            .map(|(kind, _)| *kind)
            .collect();
        writeln!(
            table,
            "{pallet}.{name}: {}",
            if allowed.is_empty() {
                "nobody".into()
            } else {
                allowed.join(" ")
            }
        )
        .unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/origins.txt");
    if std::env::var_os("VE_BLESS").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let changed: Vec<_> = table
        .lines()
        .filter(|l| !committed.lines().any(|c| c == *l))
        .collect();
    assert!(
        changed.is_empty(),
        "not in tests/origins.txt:\n{}",
        changed.join("\n")
    );
    assert_eq!(
        table.lines().count(),
        committed.lines().count(),
        "the table lists calls that are gone"
    );
}

#[test]
fn no_call_of_ours_should_accept_an_unsigned_origin() {
    let ours = [
        "Accounts",
        "Keyring",
        "Providers",
        "Escrow",
        "Billing",
        "Hpc",
    ];
    let committed =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/origins.txt"))
            .unwrap();
    for line in committed.lines() {
        let (call, allowed) = line.split_once(": ").unwrap();
        let pallet = call.split('.').next().unwrap();
        assert!(
            !(ours.contains(&pallet) && allowed.contains("none")),
            "{line}"
        );
    }
    let modules = <RuntimeCall as GetCallMetadata>::get_module_names();
    assert!(
        ours.iter().all(|pallet| modules.contains(pallet)),
        "the runtime lacks one of {ours:?}"
    );
}
