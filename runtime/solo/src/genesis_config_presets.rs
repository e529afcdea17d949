//! Presets of chain specs. The node has no genesis of its own: it asks the runtime for these.

use crate::{
    configs::consensus::EPOCH_CONFIG, currency::UNITS, AccountId, AccountsConfig, AssetsConfig,
    BabeConfig, Balance, BalancesConfig, BlockNumber, Moment, ParametersConfig,
    RuntimeGenesisConfig, SessionConfig, SessionKeys, SudoConfig, ValidatorsConfig,
};
use alloc::{vec, vec::Vec};
use sp_genesis_builder::{PresetId, DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET};
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};
use sp_runtime::FixedU128;
use virtengine_primitives::Role;
use virtengine_runtime_common::pots;

/// Number of the asset that development chains come with: "USDX", 6 decimals.
pub const USDX: u32 = 1;
/// One USDX in its smallest unit.
pub const USDX_UNIT: Balance = 1_000_000;

const ENDOWMENT: Balance = 1_000_000 * UNITS;
const POT_ENDOWMENT: Balance = UNITS;
const USDX_ENDOWMENT: Balance = 1_000_000 * USDX_UNIT;

/// What differs between the presets.
struct Chain {
    authorities: Vec<(Sr25519Keyring, Ed25519Keyring)>,
    slot_duration: Moment,
    epoch_length: u64,
    dispute_window: BlockNumber,
}

/// The accounts that everybody has the keys of.
fn well_known() -> Vec<AccountId> {
    Sr25519Keyring::well_known()
        .map(|key| key.to_account_id())
        .collect()
}

fn session_keys(babe: &Sr25519Keyring, grandpa: &Ed25519Keyring) -> SessionKeys {
    SessionKeys {
        babe: babe.public().into(),
        grandpa: grandpa.public().into(),
    }
}

fn genesis(chain: Chain) -> RuntimeGenesisConfig {
    let root = Sr25519Keyring::Alice.to_account_id();
    let validators: Vec<AccountId> = chain
        .authorities
        .iter()
        .map(|(key, _)| key.to_account_id())
        .collect();
    RuntimeGenesisConfig {
        parameters: ParametersConfig {
            slot_duration: chain.slot_duration,
            epoch_length: chain.epoch_length,
            dispute_window: chain.dispute_window,
            // One USDX is worth one VE: 10^12 / 10^6 native units for each of its own.
            asset_rates: vec![(USDX, FixedU128::from_u32(1_000_000))],
            ..Default::default()
        },
        balances: BalancesConfig {
            balances: well_known()
                .into_iter()
                .map(|who| (who, ENDOWMENT))
                .chain(pots::all().into_iter().map(|pot| (pot, POT_ENDOWMENT)))
                .collect(),
            ..Default::default()
        },
        assets: AssetsConfig {
            assets: vec![(USDX, root.clone(), true, 10_000)],
            metadata: vec![(USDX, b"USDX (development)".to_vec(), b"USDX".to_vec(), 6)],
            accounts: well_known()
                .into_iter()
                .chain(pots::all())
                .map(|who| (USDX, who, USDX_ENDOWMENT))
                .collect(),
            ..Default::default()
        },
        babe: BabeConfig {
            epoch_config: EPOCH_CONFIG,
            ..Default::default()
        },
        validators: ValidatorsConfig { validators },
        session: SessionConfig {
            keys: chain
                .authorities
                .iter()
                .map(|(babe, grandpa)| {
                    let who = babe.to_account_id();
                    (who.clone(), who, session_keys(babe, grandpa))
                })
                .collect(),
            ..Default::default()
        },
        sudo: SudoConfig {
            key: Some(root.clone()),
        },
        accounts: AccountsConfig {
            genesis_accounts: vec![root.clone()],
            roles: vec![
                (root.clone(), Role::Administrator),
                (root, Role::Arbiter),
                (Sr25519Keyring::Bob.to_account_id(), Role::Provider),
                (Sr25519Keyring::Charlie.to_account_id(), Role::Provider),
                (Sr25519Keyring::Dave.to_account_id(), Role::Provider),
                (Sr25519Keyring::Eve.to_account_id(), Role::Customer),
                (Sr25519Keyring::Ferdie.to_account_id(), Role::Arbiter),
            ],
        },
        ..Default::default()
    }
}

/// One authority, one block a second.
fn development() -> RuntimeGenesisConfig {
    genesis(Chain {
        authorities: vec![(Sr25519Keyring::Alice, Ed25519Keyring::Alice)],
        slot_duration: 1_000,
        epoch_length: 60,
        dispute_window: 10,
    })
}

/// Four authorities, one block every two seconds.
fn local_testnet() -> RuntimeGenesisConfig {
    genesis(Chain {
        authorities: vec![
            (Sr25519Keyring::Alice, Ed25519Keyring::Alice),
            (Sr25519Keyring::Bob, Ed25519Keyring::Bob),
            (Sr25519Keyring::Charlie, Ed25519Keyring::Charlie),
            (Sr25519Keyring::Dave, Ed25519Keyring::Dave),
        ],
        slot_duration: 2_000,
        epoch_length: 60,
        dispute_window: 20,
    })
}

/// Genesis of the preset of that name.
pub fn genesis_config(id: &PresetId) -> Option<RuntimeGenesisConfig> {
    match id.as_str() {
        DEV_RUNTIME_PRESET => Some(development()),
        LOCAL_TESTNET_RUNTIME_PRESET => Some(local_testnet()),
        _ => None,
    }
}

/// The same as JSON bytes, complete.
pub fn get_preset(id: &PresetId) -> Option<Vec<u8>> {
    serde_json::to_vec(&genesis_config(id)?).ok()
}

/// Names of all presets.
pub fn preset_names() -> Vec<PresetId> {
    vec![
        PresetId::from(DEV_RUNTIME_PRESET),
        PresetId::from(LOCAL_TESTNET_RUNTIME_PRESET),
    ]
}
