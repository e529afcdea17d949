//! Several real nodes: finality, the loss of a validator, a fresh node that syncs.

use anyhow::{ensure, Context, Result};
use serde_json::{json, Value};
use virtengine_e2e::{eventually, Node, TestDir, PATIENCE};

async fn validator(dir: &TestDir, name: &str, bootnode: Option<&str>) -> Result<Node> {
    let flag = format!("--{name}");
    let mut arguments = vec![
        "--chain",
        "local",
        "--validator",
        "--unsafe-force-node-key-generation",
        &flag,
    ];
    if let Some(address) = bootnode {
        arguments.extend(["--bootnodes", address]);
    }
    Node::start(&dir.path().join(name), &arguments).await
}

fn address(node: &Node) -> Result<String> {
    let peer = node.rpc("system_localPeerId", Value::Array(vec![]))?;
    Ok(format!(
        "/ip4/127.0.0.1/tcp/{}/p2p/{}",
        node.p2p,
        peer.as_str().context("a peer id is a string")?
    ))
}

#[tokio::test]
async fn four_validators_should_go_on_finalising_when_one_is_lost_and_a_fresh_node_should_sync(
) -> Result<()> {
    let dir = TestDir::new("network")?;
    let alice = validator(&dir, "alice", None).await?;
    let boot = address(&alice)?;
    let bob = validator(&dir, "bob", Some(&boot)).await?;
    let charlie = validator(&dir, "charlie", Some(&boot)).await?;
    let mut dave = validator(&dir, "dave", Some(&boot)).await?;
    for node in [&alice, &bob, &charlie, &dave] {
        node.finalise_more(3).await?;
    }

    dave.kill();
    let height = alice.finalise_more(5).await?;
    bob.finalise_more(2).await?;

    let fresh = Node::start(
        &dir.path().join("fresh"),
        &["--chain", "local", "--bootnodes", &boot],
    )
    .await?;
    eventually(
        "the fresh node to finalise what the others had",
        PATIENCE,
        async || {
            let now = fresh.finalized()?;
            ensure!(now >= height, "it finalised {now}, the others {height}");
            Ok(())
        },
    )
    .await?;
    let hash = |node: &Node| node.rpc("chain_getBlockHash", json!([height]));
    ensure!(
        hash(&fresh)? == hash(&alice)?,
        "the fresh node follows another chain"
    );
    Ok(())
}

#[tokio::test]
async fn a_node_should_go_on_where_it_was_when_it_is_killed_and_started_again() -> Result<()> {
    let dir = TestDir::new("restart")?;
    let mut node = Node::start(&dir.path().join("node"), &["--dev"]).await?;
    let height = node.finalise_more(3).await?;
    let hash = node.rpc("chain_getBlockHash", json!([height]))?;
    node.kill();
    node.restart().await?;
    ensure!(
        node.rpc("chain_getBlockHash", json!([height]))? == hash,
        "the finalised block changed"
    );
    node.finalise_more(3).await?;
    Ok(())
}
