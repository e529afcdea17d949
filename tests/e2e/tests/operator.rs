//! What an operator does with the node beside running it: keys, chain specs, and a database that is looked at, copied,
//! taken back and deleted.

use anyhow::{ensure, Context, Result};
use serde_json::{json, Value};
use std::{fs, path::Path, process::Command, sync::OnceLock};
use virtengine_e2e::{binary, described, eventually, Node, TestDir, PATIENCE};

/// Runs the node as a tool and returns what it printed: the answer, and the log.
fn tool(arguments: &[&str]) -> Result<(String, String)> {
    let output = Command::new(binary("virtengine-node"))
        .args(arguments)
        .output()?;
    ensure!(
        output.status.success(),
        "{arguments:?}: {}",
        described(&output)
    );
    Ok((
        String::from_utf8(output.stdout)?,
        String::from_utf8(output.stderr)?,
    ))
}

/// Runs the node as a tool that must refuse, and returns why.
fn refusal(arguments: &[&str]) -> Result<String> {
    let output = Command::new(binary("virtengine-node"))
        .args(arguments)
        .output()?;
    ensure!(
        !output.status.success(),
        "{arguments:?} was accepted: {}",
        described(&output)
    );
    Ok(String::from_utf8(output.stderr)?)
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("paths of tests are UTF-8")
}

/// The raw spec of the development chain. Whatever opens a chain by its name builds the genesis first, which takes longer
/// than most of what is tried here, so it is done once.
fn raw_spec() -> Result<&'static Value> {
    static SPEC: OnceLock<Value> = OnceLock::new();
    if let Some(spec) = SPEC.get() {
        return Ok(spec);
    }
    let (answer, _) = tool(&["export-chain-spec", "--chain", "dev", "--raw"])?;
    let spec = serde_json::from_str(&answer)?;
    Ok(SPEC.get_or_init(|| spec))
}

fn write_spec(dir: &TestDir, spec: &Value) -> Result<String> {
    let file = dir.path().join("spec.json");
    fs::write(&file, spec.to_string())?;
    Ok(path(&file)?.into())
}

/// What makes a node the one authority of the development chain.
const ALICE: [&str; 4] = [
    "--alice",
    "--validator",
    "--force-authoring",
    "--unsafe-force-node-key-generation",
];

fn number(info: &Value, field: &str) -> Result<u64> {
    info[field]
        .as_u64()
        .with_context(|| format!("{field} in {info}"))
}

#[tokio::test]
async fn chain_should_be_the_same_when_it_is_copied_and_go_on_when_it_is_reverted() -> Result<()> {
    let dir = TestDir::new("database")?;
    let spec = write_spec(&dir, raw_spec()?)?;
    let mut node = Node::start(
        &dir.path().join("node"),
        &[&["--chain", &spec][..], &ALICE].concat(),
    )
    .await?;
    node.finalise_more(2).await?;
    node.kill();

    let (base, copy) = (node.dir.join("chain"), dir.path().join("copy"));
    let (base, copy) = (path(&base)?, path(&copy)?);
    let on = |base: &str, command: &str, more: &[&str]| {
        tool(&[&[command, "--chain", &spec, "--base-path", base][..], more].concat())
    };
    let info = |base: &str| -> Result<Value> {
        let (answer, _) = on(base, "chain-info", &[])?;
        serde_json::from_str(&answer).with_context(|| answer.clone())
    };
    let before = info(base)?;
    let last = number(&before, "finalized_number")?;
    ensure!(
        last >= 2 && number(&before, "best_number")? > last,
        "{before}"
    );

    // The same blocks in a file, and from there in an empty directory.
    let (answer, _) = on(base, "check-block", &["2"])?;
    ensure!(answer.contains("Completed in"), "{answer}");
    let file = dir.path().join("blocks");
    let file = path(&file)?;
    on(base, "export-blocks", &["--binary", file])?;
    on(copy, "import-blocks", &["--binary", file])?;
    let imported = info(copy)?;
    for field in ["genesis_hash", "best_hash", "best_number"] {
        ensure!(
            imported[field] == before[field],
            "{field}: {before} but {imported}"
        );
    }
    on(copy, "purge-chain", &["-y"])?;
    ensure!(
        number(&info(copy)?, "best_number")? == 0,
        "blocks are left after purge-chain"
    );

    // Far more than can be taken back: what is final stays, and the chain goes on from there.
    on(base, "revert", &["1000"])?;
    let reverted = info(base)?;
    for field in ["best_hash", "finalized_hash"] {
        ensure!(
            reverted[field] == before["finalized_hash"],
            "{field}: {before} but {reverted}"
        );
    }
    node.restart().await?;
    node.finalise_more(2).await?;
    ensure!(
        node.rpc("chain_getBlockHash", json!([last]))? == before["finalized_hash"],
        "a final block changed"
    );
    Ok(())
}

#[tokio::test]
async fn validator_should_author_when_its_keys_were_inserted_and_the_spec_is_raw() -> Result<()> {
    let dir = TestDir::new("keys")?;
    let spec = &write_spec(&dir, raw_spec()?)?;

    // A generated key is read back as the same.
    let (generated, _) = tool(&["key", "generate", "--output-type", "json"])?;
    let generated: Value = serde_json::from_str(&generated)?;
    let phrase = generated["secretPhrase"].as_str().context("a phrase")?;
    let (inspected, _) = tool(&["key", "inspect", "--output-type", "json", phrase])?;
    let inspected: Value = serde_json::from_str(&inspected)?;
    for field in ["publicKey", "ss58Address", "accountId"] {
        ensure!(generated[field].is_string(), "{generated}");
        ensure!(
            generated[field] == inspected[field],
            "{generated} but {inspected}"
        );
    }

    // The only authority of that chain is Alice; this node knows her by its keystore alone.
    let home = dir.path().join("node");
    let base = home.join("chain");
    for (kind, scheme) in [("babe", "sr25519"), ("gran", "ed25519")] {
        tool(&[
            "key",
            "insert",
            "--chain",
            spec,
            "--base-path",
            path(&base)?,
            "--key-type",
            kind,
            "--scheme",
            scheme,
            "--suri",
            "//Alice",
        ])?;
    }
    tool(&[
        "key",
        "generate-node-key",
        "--chain",
        spec,
        "--base-path",
        path(&base)?,
    ])?;
    let node = Node::start(
        &home,
        &["--chain", spec, "--validator", "--force-authoring"],
    )
    .await?;
    node.finalise_more(2).await?;
    ensure!(
        !node.output().contains("no session keys"),
        "it says that it has no keys, although it has"
    );
    ensure!(
        node.rpc("system_properties", json!([]))?
            == json!({ "ss58Format": 42, "tokenDecimals": 12, "tokenSymbol": "VE" }),
        "the raw chain spec lost the properties"
    );
    Ok(())
}

#[tokio::test]
async fn operator_should_be_told_the_remedy_when_something_is_missing_or_wrong() -> Result<()> {
    let dir = TestDir::new("wrong")?;
    let home = dir.path().join("stranger");
    let base = home.join("chain");
    let base = path(&base)?;

    ensure!(refusal(&["--base-path", base])?.contains("name a chain: --dev, --chain local, or"));
    ensure!(refusal(&["--chain", "nosuch", "--base-path", base])?
        .contains("no chain is called \"nosuch\", and as a file it is no chain spec"));
    let broken = dir.path().join("broken.json");
    fs::write(&broken, "{ \"name\": ")?;
    ensure!(
        refusal(&["--chain", path(&broken)?, "--base-path", base])?.contains("is no chain spec")
    );
    // A validator whose network identity changes with every start would not be found by the others.
    ensure!(
        refusal(&["--chain", "local", "--validator", "--base-path", base])?
            .contains("key generate-node-key")
    );

    // A validator without session keys runs, because its keys may be made on it; but it says so.
    let spec = write_spec(&dir, raw_spec()?)?;
    tool(&[
        "key",
        "generate-node-key",
        "--chain",
        &spec,
        "--base-path",
        base,
    ])?;
    let keyless = Node::start(&home, &["--chain", &spec, "--validator"]).await?;
    eventually("a word about session keys", PATIENCE, async || {
        let log = keyless.output();
        ensure!(log.contains("no session keys") && log.contains("author_rotateKeys"));
        Ok(())
    })
    .await
}
