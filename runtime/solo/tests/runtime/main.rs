//! The runtime as a whole, without a node: presets, transactions, fees, validators.

mod consensus;
mod presets;
mod transactions;

use sp_io::TestExternalities;
use sp_runtime::BuildStorage;
use virtengine_runtime::{genesis_config_presets as genesis, RuntimeGenesisConfig};

/// RFC 7386: what a preset does to the default genesis.
fn merge(target: &mut serde_json::Value, patch: serde_json::Value) {
    match patch {
        serde_json::Value::Object(patch) => {
            if !target.is_object() {
                *target = serde_json::json!({});
            }
            for (key, value) in patch {
                if value.is_null() {
                    if let Some(object) = target.as_object_mut() {
                        object.remove(&key);
                    }
                } else {
                    merge(&mut target[key.as_str()], value);
                }
            }
        }
        value => *target = value,
    }
}

/// Genesis of a preset, changed by `patch`.
fn config(preset: &str, patch: serde_json::Value) -> RuntimeGenesisConfig {
    let bytes = genesis::get_preset(&preset.into()).expect("the preset exists");
    let mut json = serde_json::from_slice(&bytes).unwrap();
    merge(&mut json, patch);
    serde_json::from_value(json).expect("the genesis decodes")
}

/// The state of a chain at genesis.
fn chain(preset: &str) -> TestExternalities {
    config(preset, serde_json::json!({}))
        .build_storage()
        .unwrap()
        .into()
}
