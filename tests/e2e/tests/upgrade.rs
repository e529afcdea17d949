//! The call that upgrades, on a running chain: from the last released runtime to this one, with transactions going on,
//! and with what the old runtime stored read by the new one.
//!
//! `fixtures/runtime-1000.wasm` is the released runtime, as its build wrote it. The next release replaces it.

use anyhow::{ensure, Context, Result};
use serde_json::{json, Value};
use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Duration};
use ve_chain::{
    calls, AccountId32, Call, Chain, ChainError, ConnectOptions, Signer, Submitter, Until,
};
use virtengine_e2e::{binary, eventually, Node, TestDir, PATIENCE};
use virtengine_primitives::{
    billing::{Component, PricePlan, Rate},
    hpc::{ClusterSpec, Partition},
    AccountState, AssetKind, Name, Role,
};

fn name(text: &str) -> Name {
    text.as_bytes().to_vec().try_into().expect("short")
}

fn spec_version(node: &Node) -> Result<u64> {
    node.rpc("state_getRuntimeVersion", json!([]))?["specVersion"]
        .as_u64()
        .context("a version is a number")
}

/// A development chain spec whose genesis is built by the released runtime.
fn old_spec(dir: &Path) -> Result<String> {
    let released =
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/runtime-1000.wasm"))?;
    let output = Command::new(binary("virtengine-node"))
        .args(["export-chain-spec", "--chain", "dev"])
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        virtengine_e2e::described(&output)
    );
    let mut spec: Value = serde_json::from_slice(&output.stdout)?;
    let code = spec
        .pointer_mut("/genesis/runtimeGenesis/code")
        .context("a spec carries its code")?;
    *code = Value::String(format!("0x{}", hex::encode(released)));
    let path = dir.join("old-spec.json");
    fs::write(&path, spec.to_string())?;
    Ok(path.to_string_lossy().into())
}

/// Key of a storage value.
fn item(pallet: &str, name: &str) -> String {
    let hash = |text: &str| hex::encode(sp_crypto_hashing::twox_128(text.as_bytes()));
    format!("0x{}{}", hash(pallet), hash(name))
}

/// Everything below the prefixes of our pallets.
fn storage(node: &Node) -> Result<BTreeMap<String, Value>> {
    let mut all = BTreeMap::new();
    for pallet in [
        "Accounts",
        "Keyring",
        "Providers",
        "Escrow",
        "Billing",
        "Hpc",
    ] {
        let prefix = format!(
            "0x{}",
            hex::encode(sp_crypto_hashing::twox_128(pallet.as_bytes()))
        );
        let keys = node.rpc("state_getKeysPaged", json!([prefix, 1000]))?;
        for key in keys.as_array().context("keys are a list")? {
            let value = node.rpc("state_getStorage", json!([key]))?;
            all.insert(key.as_str().unwrap_or_default().into(), value);
        }
    }
    Ok(all)
}

/// State and roles of accounts as the runtime answers, encoded.
fn roles(node: &Node, accounts: &[AccountId32]) -> Result<Vec<Value>> {
    let ask = |who: &AccountId32| {
        let who = format!("0x{}", hex::encode(who));
        node.rpc("state_call", json!(["AccountsApi_account", who]))
    };
    accounts.iter().map(ask).collect()
}

#[tokio::test]
async fn a_running_chain_should_upgrade_under_load_and_keep_what_it_stored() -> Result<()> {
    let dir = TestDir::new("upgrade")?;
    upgrade(dir.path()).await.inspect_err(|_| dir.keep())
}

async fn upgrade(dir: &Path) -> Result<()> {
    let spec = old_spec(dir)?;
    let node = Node::start(
        &dir.join("node"),
        &[
            "--chain",
            &spec,
            "--alice",
            "--force-authoring",
            "--validator",
            "--unsafe-force-node-key-generation",
        ],
    )
    .await?;
    let before = spec_version(&node)?;
    let chain = Chain::connect(&node.url(), ConnectOptions::default()).await?;
    let as_ = |uri: &str| -> Result<Submitter> {
        Ok(Submitter::new(
            chain.clone(),
            Signer::from_uri(&uri.to_string().into())?,
        ))
    };
    let (alice, bob) = (as_("//Alice")?, as_("//Bob")?);
    // A program that is newer than the chain says so.
    let asked = chain.at_best().await?.with_role(Role::Arbiter, None).await;
    ensure!(
        matches!(&asked, Err(ChainError::Incompatible(what)) if what.contains("upgrade the chain")),
        "{asked:?}"
    );

    // Something in every pallet, written by the old runtime. Bob is a provider by genesis.
    bob.submit(calls::keyring::register_key([5; 32], &name("laptop")))
        .await?;
    bob.submit(calls::providers::register(
        &name("Bob's computers"),
        bob.account(),
    ))
    .await?;
    let rate = Rate {
        component: Component::CpuSeconds,
        price_per_million: 1_000_000_000,
    };
    let plan = PricePlan {
        asset: AssetKind::Native,
        rates: vec![rate].try_into().expect("one rate"),
        minimum_charge: 1,
    };
    let published = bob.submit(calls::billing::publish_plan(&plan)).await?;
    let plan = published
        .expect("Billing", "PlanPublished")?
        .integer("plan")
        .context("a plan has a number")? as u32;
    let partition = Partition {
        name: name("main"),
        nodes: 1,
        cpus_per_node: 4,
        memory_mib_per_node: 4_000,
        gpus_per_node: 0,
        gpu_type: 0,
        max_walltime: 3_600,
        plan,
    };
    let cluster = ClusterSpec {
        name: name("old iron"),
        partitions: vec![partition].try_into().expect("one partition"),
        max_open_jobs: 10,
        min_score: 0,
        custom_scripts: true,
    };
    bob.submit(calls::hpc::register_cluster(&cluster)).await?;
    let accounts: Vec<AccountId32> = ["//Alice", "//Bob", "//Charlie", "//Eve", "//Ferdie"]
        .iter()
        .map(|uri| Ok(as_(uri)?.account().clone()))
        .collect::<Result<_>>()?;
    let roles_before = roles(&node, &accounts)?;
    let old = storage(&node)?;
    ensure!(
        old.len() > 10,
        "the old runtime stored only {} items",
        old.len()
    );

    // Load from another account for as long as the upgrade takes.
    let charlie = as_("//Charlie")?;
    let load = tokio::spawn(async move {
        let mut sent = 0u32;
        loop {
            let call = Call::new("System", "remark").with(vec![7u8; 64]);
            match charlie.submit_until(call, Until::Included, |_| ()).await {
                Ok(_) => sent += 1,
                // Signed for the runtime that was just replaced: the next one is signed for the new.
                Err(
                    ve_chain::ChainError::InvalidTransaction { .. }
                    | ve_chain::ChainError::NotIncluded { .. },
                ) => {}
                Err(e) => {
                    return Err(anyhow::Error::from(e).context(format!("after {sent} transactions")))
                }
            }
            if sent >= 25 {
                return Ok(sent);
            }
        }
    });
    let code = virtengine_runtime::WASM_BINARY.context("the runtime was built without its WASM")?;
    alice
        .submit(calls::sudo::sudo(
            Call::new("System", "set_code").with(code.to_vec()),
        ))
        .await?;
    eventually("the new runtime", PATIENCE, async || {
        let now = spec_version(&node)?;
        ensure!(now > before, "spec version is still {now}");
        Ok(())
    })
    .await?;
    let sent = tokio::time::timeout(Duration::from_secs(180), load).await???;
    ensure!(sent >= 25, "only {sent} transactions");
    node.finalise_more(3).await?;

    let new = storage(&node)?;
    // The cursors of the deadline buckets move with every block.
    let cursors: Vec<String> = [("Billing", "Cursor"), ("Hpc", "DeadlineCursor")]
        .map(|(p, i)| item(p, i))
        .into();
    // The migration of `Accounts` takes its roles to another place, and its version with them; see below.
    let moved = [
        item("Accounts", "Roles"),
        item("Accounts", ":__STORAGE_VERSION__:"),
    ];
    let is_moved = |key: &String| moved.iter().any(|prefix| key.starts_with(prefix));
    let changed: Vec<_> = old
        .iter()
        .filter(|(k, v)| new.get(*k) != Some(v) && !cursors.contains(k) && !is_moved(k))
        .map(|(k, _)| k)
        .collect();
    ensure!(
        changed.is_empty(),
        "changed or lost by the upgrade: {changed:?}"
    );
    let at = chain.at_finalized().await?;
    let left = new.keys().filter(|key| key.starts_with(&moved[0])).count();
    ensure!(left == 0, "{left} roles were left behind");
    ensure!(
        roles(&node, &accounts)? == roles_before,
        "the upgrade changed roles"
    );
    let (ferdie, active) = (as_("//Ferdie")?, AccountState::Active);
    let arbiters = at.with_role(Role::Arbiter, None).await?;
    ensure!(
        arbiters.len() == 2
            && [alice.account(), ferdie.account()]
                .iter()
                .all(|who| arbiters.contains(&((*who).clone(), active))),
        "arbiters are found by their role: {arbiters:?}"
    );
    let cluster_now = at.cluster(1).await?.context("the cluster is readable")?;
    ensure!(
        cluster_now.spec == cluster,
        "the cluster reads differently: {cluster_now:?}"
    );
    ensure!(
        at.plan(plan).await?.is_some() && !at.keys(bob.account()).await?.is_empty(),
        "plan and key are readable"
    );
    // And the new runtime works: another call of every kind that the old one took.
    bob.submit(calls::keyring::register_key([6; 32], &name("phone")))
        .await?;
    Ok(())
}
