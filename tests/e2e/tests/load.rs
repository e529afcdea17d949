//! More transactions at once than a few blocks take.

use anyhow::{ensure, Result};
use subxt::{
    dynamic::{tx, Value},
    rpcs::RpcClient,
    OnlineClient, SubstrateConfig,
};
use tokio::task::JoinSet;
use ve_chain::{Chain, ConnectOptions, Signer};
use virtengine_e2e::{eventually, load, Node, TestDir, PATIENCE};

const SENDERS: [&str; 4] = ["//Charlie", "//Dave", "//Eve", "//Ferdie"];
const EACH: u32 = 2_500;

#[tokio::test]
async fn transactions_should_all_be_included_when_thousands_arrive_at_once() -> Result<()> {
    let dir = TestDir::new("load")?;
    let node = Node::start(&dir.path().join("node"), &["--dev"]).await?;
    let client = OnlineClient::<SubstrateConfig>::from_insecure_url(node.url()).await?;
    let rpc = RpcClient::from_insecure_url(node.url()).await?;
    let remark = tx("System", "remark", vec![Value::from_bytes([7u8; 36])]);
    let mut accounts = Vec::new();
    let mut batches = Vec::new();
    for uri in SENDERS {
        let signer = Signer::from_uri(&uri.to_string().into())?;
        batches.push(load::signed(&client, &signer, &remark, 0, EACH as usize).await?);
        accounts.push(signer.account().clone());
    }
    let mut senders = JoinSet::new();
    for batch in batches {
        senders.spawn(load::send(rpc.clone(), batch, None));
    }
    // What the node has taken, it must not lose: one that is lost holds up all that follow from the same account.
    while let Some(sender) = senders.join_next().await {
        ensure!(sender?? == u64::from(EACH));
    }
    let chain = Chain::connect(&node.url(), ConnectOptions::default()).await?;
    eventually("all of them in blocks", PATIENCE, async || {
        let at = chain.at_best().await?;
        for account in &accounts {
            let nonce = at.nonce(account).await?;
            ensure!(nonce == EACH, "{nonce} of {EACH} are included");
        }
        Ok(())
    })
    .await
}
