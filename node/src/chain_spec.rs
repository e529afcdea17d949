//! Chain specs. Genesis itself lives in the runtime, as presets; here are only names, properties and extensions.

use sc_chain_spec::{ChainSpecExtension, ChainType, GenericChainSpec, Properties};
use serde::{Deserialize, Serialize};
use sp_genesis_builder::{DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET};

/// What a chain spec may say beyond genesis.
#[derive(Default, Clone, Serialize, Deserialize, ChainSpecExtension)]
#[serde(rename_all = "camelCase")]
pub struct Extensions {
    /// Blocks that are known to be good.
    pub fork_blocks: sc_client_api::ForkBlocks<virtengine_runtime_common::OpaqueBlock>,
    /// Blocks that are known to be bad.
    pub bad_blocks: sc_client_api::BadBlocks<virtengine_runtime_common::OpaqueBlock>,
    /// Where light clients may start from.
    pub light_sync_state: sc_sync_state_rpc::LightSyncStateExtension,
}

/// A chain spec of this node.
pub type ChainSpec = GenericChainSpec<Extensions>;

/// What wallets show.
fn properties() -> Properties {
    let mut properties = Properties::new();
    properties.insert("ss58Format".into(), 42.into());
    properties.insert("tokenSymbol".into(), "VE".into());
    properties.insert("tokenDecimals".into(), 12.into());
    properties
}

fn from_preset(
    name: &str,
    id: &str,
    chain_type: ChainType,
    preset: &str,
) -> Result<ChainSpec, String> {
    let wasm = virtengine_runtime::WASM_BINARY.ok_or(
        "this node was built without a runtime (SKIP_WASM_BUILD); build it again without that variable, or name a \
         chain spec file with --chain",
    )?;
    Ok(ChainSpec::builder(wasm, Extensions::default())
        .with_name(name)
        .with_id(id)
        .with_protocol_id(id)
        .with_chain_type(chain_type)
        .with_genesis_config_preset_name(preset)
        .with_properties(properties())
        .build())
}

/// One authority, one block a second, on this machine only.
pub fn development() -> Result<ChainSpec, String> {
    from_preset(
        "VirtEngine Development",
        "virtengine_dev",
        ChainType::Development,
        DEV_RUNTIME_PRESET,
    )
}

/// Four authorities with well-known keys.
pub fn local_testnet() -> Result<ChainSpec, String> {
    from_preset(
        "VirtEngine Local Testnet",
        "virtengine_local",
        ChainType::Local,
        LOCAL_TESTNET_RUNTIME_PRESET,
    )
}
