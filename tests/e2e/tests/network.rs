//! Several real nodes: finality, the loss of a validator, a fresh node that syncs, a validator that equivocates.

use anyhow::{ensure, Context, Result};
use serde_json::{json, Value};
use std::{fs, process::Command};
use ve_chain::{Chain, ChainEvent, ConnectOptions};
use virtengine_e2e::{binary, described, eventually, Node, TestDir, PATIENCE};

async fn validator(dir: &TestDir, chain: &str, name: &str, bootnode: Option<&str>) -> Result<Node> {
    let flag = format!("--{name}");
    let mut arguments = vec![
        "--chain",
        chain,
        "--validator",
        "--unsafe-force-node-key-generation",
        &flag,
    ];
    if let Some(address) = bootnode {
        arguments.extend(["--bootnodes", address]);
    }
    Node::start(&dir.path().join(name), &arguments).await
}

#[tokio::test]
async fn four_validators_should_go_on_finalising_when_one_is_lost_and_a_fresh_node_should_sync(
) -> Result<()> {
    let dir = TestDir::new("network")?;
    let alice = validator(&dir, "local", "alice", None).await?;
    let boot = alice.address()?;
    let bob = validator(&dir, "local", "bob", Some(&boot)).await?;
    let charlie = validator(&dir, "local", "charlie", Some(&boot)).await?;
    let mut dave = validator(&dir, "local", "dave", Some(&boot)).await?;
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

/// The local testnet with shorter slots and epochs.
fn quick_spec(dir: &TestDir) -> Result<String> {
    let output = Command::new(binary("virtengine-node"))
        .args(["export-chain-spec", "--chain", "local"])
        .output()?;
    ensure!(output.status.success(), "{}", described(&output));
    let mut spec: Value = serde_json::from_slice(&output.stdout)?;
    let parameters = spec
        .pointer_mut("/genesis/runtimeGenesis/patch/parameters")
        .context("a spec carries the preset of its genesis")?;
    parameters["slotDuration"] = json!(1_000);
    parameters["epochLength"] = json!(15);
    let path = dir.path().join("spec.json");
    fs::write(&path, spec.to_string())?;
    Ok(path.to_str().context("paths of tests are UTF-8")?.into())
}

/// Events of the final blocks after `seen`, which is moved on.
async fn events(chain: &Chain, seen: &mut u32) -> Result<Vec<ChainEvent>> {
    let mut events = Vec::new();
    let last = chain.finalized_head().await?.number;
    while *seen < last {
        let hash = chain.hash_of(*seen + 1).await?.context("a final block")?;
        events.extend(chain.at(hash).await?.events().await?);
        *seen += 1;
    }
    Ok(events)
}

#[tokio::test]
async fn chain_should_remove_a_validator_and_go_on_when_it_runs_twice() -> Result<()> {
    let dir = TestDir::new("equivocation")?;
    let spec = quick_spec(&dir)?;
    let alice = validator(&dir, &spec, "alice", None).await?;
    let boot = alice.address()?;
    let _bob = validator(&dir, &spec, "bob", Some(&boot)).await?;
    let _charlie = validator(&dir, &spec, "charlie", Some(&boot)).await?;
    let dave = validator(&dir, &spec, "dave", Some(&boot)).await?;
    alice.finalise_more(2).await?;
    // The mistake that operators make: a spare machine with a copy of the keys, and both are up.
    let spare = [
        "--chain",
        &spec,
        "--validator",
        "--dave",
        "--bootnodes",
        &boot,
    ];
    let spare = [&spare[..], &["--unsafe-force-node-key-generation"]].concat();
    let _spare = Node::start(&dir.path().join("spare"), &spare).await?;

    // Anybody's node reports, in a block of its own; the proof is checked by the chain.
    let chain = Chain::connect(&alice.url(), ConnectOptions::default()).await?;
    let account = "5DAAnrj7VHTznn2AWBemMuyBwZWs6FNFjdyVXUeYum3PTXFy";
    let mut seen = 0;
    let mut found = Vec::new();
    eventually(
        "the proof, and what follows from it",
        2 * PATIENCE,
        async || {
            found.extend(events(&chain, &mut seen).await?);
            let has = |pallet, name| found.iter().any(|event| event.is(pallet, name));
            ensure!(has("Offences", "Offence"), "no offence is on the chain");
            ensure!(has("Session", "ValidatorDisabled"), "it is not disabled");
            ensure!(has("Validators", "OffenderRemoved"), "it is on the list");
            Ok(())
        },
    )
    .await
    .with_context(|| format!("see {}", alice.dir.display()))?;
    let offenders: Vec<_> = found
        .iter()
        .filter(|event| event.is("Validators", "OffenderRemoved"))
        .map(|event| event.fields["validator"].clone())
        .collect();
    ensure!(offenders == [account], "{offenders:?} were removed");

    // The session after the next is without it, and needs no vote of it.
    eventually("a session of three", PATIENCE, async || {
        let at = chain.at_finalized().await?;
        let session: Vec<[u8; 32]> = at
            .storage_value("Session", "Validators")
            .await?
            .unwrap_or_default();
        ensure!(session.len() == 3, "{} validate", session.len());
        Ok(())
    })
    .await?;
    drop(dave);
    alice.finalise_more(5).await?;
    Ok(())
}
