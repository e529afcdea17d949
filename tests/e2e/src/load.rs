//! Many transactions at once: signed before, and sent as fast as a node takes them.

use anyhow::Result;
use serde_json::Value;
use std::time::Instant;
use subxt::{
    config::SubstrateExtrinsicParamsBuilder,
    rpcs::{rpc_params, RpcClient},
    tx::Payload,
    OnlineClient, SubstrateConfig,
};
use tokio::task::JoinSet;
use ve_chain::Signer;

/// Requests that one sender has under way.
const AT_ONCE: usize = 8;

/// The same call `count` times, with nonces from `first` on, as the node takes it.
pub async fn signed(
    client: &OnlineClient<SubstrateConfig>,
    signer: &Signer,
    call: &impl Payload,
    first: u64,
    count: usize,
) -> Result<Vec<String>> {
    let at = client.at_current_block().await?;
    (first..)
        .take(count)
        .map(|nonce| {
            let parameters = SubstrateExtrinsicParamsBuilder::<SubstrateConfig>::new()
                .nonce(nonce)
                .immortal()
                .build();
            let bytes = at
                .transactions()
                .create_signable_offline(call, parameters)?
                .sign(signer)?
                .into_encoded();
            Ok(format!("0x{}", hex::encode(bytes)))
        })
        .collect()
}

/// Sends them in order, some at once (the pool sorts what overtakes), until `end` if there is one. Returns how many were
/// sent and taken; the first refusal is an error.
pub async fn send(rpc: RpcClient, transactions: Vec<String>, end: Option<Instant>) -> Result<u64> {
    let mut under_way = JoinSet::new();
    let mut sent = 0;
    for transaction in transactions {
        if end.is_some_and(|end| Instant::now() >= end) {
            break;
        }
        if under_way.len() >= AT_ONCE {
            under_way.join_next().await.transpose()?.transpose()?;
        }
        let rpc = rpc.clone();
        under_way.spawn(async move {
            rpc.request::<Value>("author_submitExtrinsic", rpc_params![transaction])
                .await
                .map(|_| ())
        });
        sent += 1;
    }
    while let Some(answer) = under_way.join_next().await {
        answer??;
    }
    Ok(sent)
}
