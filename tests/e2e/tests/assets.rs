//! A job that is bought, paid, invoiced and verified in an asset of the assets pallet, and fees paid in one.

use anyhow::{ensure, Context, Result};
use codec::Compact;
use serde_json::Value;
use std::fs;
use ve_chain::{AccountId32, Call, Chain, ConnectOptions, Signer, Submitter};
use virtengine_e2e::{
    described, ensure_exit, eventually, repository, units, Market, MarketOptions, PATIENCE,
};
use virtengine_primitives::AssetKind;

const GOLD: u32 = 7;
/// The asset of development chains that fees can be paid in.
const USDX: u32 = 1;
const FERDIE: &str = "5CiPPseXPECbkjWCa6MnjNokrgYjMqmKndv2rSnekmSK2DjL";

fn account(uri: &str) -> Result<AccountId32> {
    Ok(Signer::from_uri(&uri.to_string().into())?.account().clone())
}

/// `MultiAddress::Id`.
fn address(who: &AccountId32) -> (u8, AccountId32) {
    (0, who.clone())
}

/// Makes an asset that Dave issues, with four decimals, and gives Alice a thousand.
async fn issue(chain: &Chain) -> Result<()> {
    let dave = Signer::from_uri(&"//Dave".to_string().into())?;
    let issuer = address(dave.account());
    let dave = Submitter::new(chain.clone(), dave);
    let call = |name: &str| Call::new("Assets", name).with(Compact(GOLD));
    dave.submit_all(vec![
        call("create").with(issuer).with(1u128),
        call("set_metadata")
            .with(b"Gold".to_vec())
            .with(b"GOLD".to_vec())
            .with(4u8),
        call("mint")
            .with(address(&account("//Alice")?))
            .with(Compact(10_000_000u128)),
    ])
    .await?;
    Ok(())
}

async fn gold(chain: &Chain, uri: &str) -> Result<u128> {
    let at = chain.at_finalized().await?;
    Ok(at
        .asset_balance(AssetKind::Asset(GOLD), &account(uri)?)
        .await?)
}

fn ve(market: &Market, who: &str, arguments: &[&str]) -> Result<Value> {
    let mut all = vec!["--json", "--included"];
    all.extend(arguments);
    let output = market.ve_as(who, &all)?;
    ensure!(output.status.success(), "{}", described(&output));
    serde_json::from_slice(&output.stdout).with_context(|| described(&output))
}

/// Bob prices his cluster in gold.
fn price_in_gold(market: &Market) -> Result<()> {
    let plan = market.path("gold.toml");
    let plan_text = plan.to_string_lossy();
    let wrong = "asset = \"asset:7\"\n[per_hour]\ncpu = \"1VE\"\n";
    fs::write(&plan, wrong)?;
    let refused = market.ve_as("bob", &["plan", "publish", &plan_text])?;
    ensure_exit(
        &refused,
        2,
        "per_hour.cpu: \"1VE\" is not an amount of what this is paid in",
    )?;
    fs::write(
        &plan,
        wrong
            .replace("1VE", "100GOLD")
            .replace("asset:7", "asset:8"),
    )?;
    let refused = market.ve_as("bob", &["plan", "publish", &plan_text])?;
    ensure_exit(&refused, 3, "there is no asset 8")?;
    let good =
        "asset = \"asset:7\"\nminimum_charge = \"0.01GOLD\"\n[per_hour]\ncpu = \"100GOLD\"\n";
    fs::write(&plan, good)?;
    let plan = ve(market, "bob", &["plan", "publish", &plan_text])?["plan"].clone();
    let cluster = market.path("cluster.toml");
    let text = fs::read_to_string(&cluster)?;
    let (before, _) = text.rsplit_once("plan = ").context("a plan")?;
    fs::write(&cluster, format!("{before}plan = {plan}\n"))?;
    ve(
        market,
        "bob",
        &["cluster", "update", "1", &cluster.to_string_lossy()],
    )?;
    Ok(())
}

#[tokio::test]
async fn a_job_should_be_paid_in_an_asset_to_the_last_unit_and_its_invoice_hold() -> Result<()> {
    let market = Market::open("assets", MarketOptions::default()).await?;
    let chain = Chain::connect(&market.node.url(), ConnectOptions::default()).await?;
    issue(&chain).await?;
    price_in_gold(&market)?;

    // Prices in gold, for whoever pays in gold.
    let quote = eventually("a quote in gold", PATIENCE, async || {
        market.ve(&[
            "quote",
            "heat",
            "-p",
            "steps=2000",
            "-n",
            "2",
            "--time",
            "5m",
            "--asset",
            "7",
        ])
    })
    .await?;
    let most = &quote["offers"][0]["at_most"];
    ensure!(
        most["text"]
            .as_str()
            .is_some_and(|t| t.ends_with(" GOLD (asset 7)")),
        "{quote}"
    );
    let mesh = repository().join("slurm-templates/heat/example/mesh.dat");
    let mesh = mesh.to_string_lossy();
    let run = |asset: &'static str, max: &'static str| {
        vec![
            "run",
            "heat",
            "-p",
            "steps=2000",
            "-n",
            "2",
            "--time",
            "5m",
            "--in",
            &mesh,
            "--asset",
            asset,
            "--max",
            max,
        ]
    };
    let wrong = market.ve_as("alice", &run("7", "50VE"))?;
    ensure_exit(
        &wrong,
        2,
        "--max: \"50VE\" is not an amount of what this is paid in",
    )?;
    let wrong = market.ve_as("alice", &run("1", "50USDX"))?;
    ensure_exit(&wrong, 4, "is paid in asset:7")?;
    let wrong = market.ve_as("alice", &run("9", "50units"))?;
    ensure_exit(&wrong, 3, "--asset: there is no asset 9")?;
    let wrong = market.ve_as("alice", &run("7", "5000GOLD"))?;
    ensure_exit(&wrong, 4, "the account has 1000 GOLD (asset 7)")?;
    let paying = run("7", "50GOLD");
    let job = market.submit(&paying[1..])?;
    let id = job.to_string();
    let money = market.ve(&["money", &id])?;
    ensure!(units(&money, "deposited")? == 500_000, "{money}");
    let end = market
        .wait_for(job, &["completed", "failed", "expired"])
        .await?;
    ensure!(end["state"] == "completed", "{end}");

    // Every unit of gold is where the ledger says, and no VE moved for it.
    let money = eventually("the money to be final", PATIENCE, async || {
        let money = market.ve(&["money", &id])?;
        ensure!(
            units(&money, "pending")? == 0 && units(&money, "held")? == 0,
            "{money}"
        );
        Ok(money)
    })
    .await?;
    let (paid, refunded) = (units(&money, "paid")?, units(&money, "refunded")?);
    ensure!(paid > 0 && paid + refunded == 500_000, "{money}");
    eventually("the gold to have arrived", PATIENCE, async || {
        let (alice, bob) = (gold(&chain, "//Alice").await?, gold(&chain, "//Bob").await?);
        let chains_share = paid * 25 / 1000;
        ensure!(alice == 10_000_000 - paid, "Alice has {alice}, paid {paid}");
        ensure!(bob == paid - chains_share, "Bob has {bob} of {paid}");
        Ok(())
    })
    .await?;

    // The invoice in gold, proven; there is none in VE.
    let list = market.ve(&["invoice", "list"])?;
    ensure!(
        list[0]["asset"] == "asset:7" && units(&list[0], "total")? == paid,
        "{list}"
    );
    let month = list[0]["month"].as_str().context("a month")?;
    let verify = |extra: &[&'static str]| {
        let all = [&["invoice", "verify", month][..], extra].concat();
        market.ve_as("alice", &all)
    };
    ensure_exit(
        &verify(&["--asset", "7"])?,
        0,
        "GOLD (asset 7)\n✓ the invoice holds",
    )?;
    ensure_exit(&verify(&["--asset", "native"])?, 3, "there is none")?;
    let file = market.path("invoice.json");
    let file_text = file.to_string_lossy();
    ve(
        &market,
        "alice",
        &["invoice", "show", month, "-o", &file_text],
    )?;
    let text = fs::read_to_string(&file)?;
    fs::write(&file, text.replace("asset:7", "native"))?;
    let forged = market.ve_as("alice", &["invoice", "verify", month, "--file", &file_text])?;
    ensure_exit(
        &forged,
        6,
        "the chain has no invoice of this payer, provider, asset and month",
    )?;
    fs::write(
        &file,
        text.replace(&format!("\"{paid}\""), &format!("\"{}\"", paid + 1)),
    )?;
    let forged = market.ve_as("alice", &["invoice", "verify", month, "--file", &file_text])?;
    ensure_exit(&forged, 6, "line 1, amount")?;
    Ok(())
}

#[tokio::test]
async fn a_fee_should_be_paid_in_an_asset_when_the_chain_takes_it() -> Result<()> {
    let options = MarketOptions::without_worker();
    let market = Market::open("fees", options).await?;
    let chain = Chain::connect(&market.node.url(), ConnectOptions::default()).await?;
    issue(&chain).await?;
    let charlie = account("//Charlie")?;
    let made = market.ve_as(
        "charlie",
        &["key", "new", "charlie", "--from-uri", "//Charlie"],
    )?;
    ensure!(made.status.success(), "{}", described(&made));
    let holdings = async || -> Result<(u128, u128)> {
        let at = chain.at_finalized().await?;
        let usdx = at.asset_balance(AssetKind::Asset(USDX), &charlie).await?;
        Ok((at.balances(&charlie).await?.free, usdx))
    };
    let (ve_before, usdx_before) = holdings().await?;
    let sent = market.ve_as("charlie", &["--fee-asset", "1", "send", FERDIE, "1VE"])?;
    ensure!(sent.status.success(), "{}", described(&sent));
    let (ve_after, usdx_after) = holdings().await?;
    ensure!(
        ve_before - ve_after == 1_000_000_000_000,
        "{ve_before} -> {ve_after}"
    );
    ensure!(usdx_after < usdx_before, "the fee was paid in USDX");
    // One without a rate, and one that there is not.
    for asset in ["7", "9"] {
        let refused = market.ve_as("charlie", &["--fee-asset", asset, "send", FERDIE, "1VE"])?;
        ensure_exit(&refused, 4, "--fee-asset")?;
    }
    ensure!(holdings().await? == (ve_after, usdx_after));
    Ok(())
}
