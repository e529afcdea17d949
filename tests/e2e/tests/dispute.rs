//! A dispute from both sides and from the arbiter's, with real processes: what each may see and do, and where the money
//! goes.

use anyhow::{ensure, Context, Result};
use serde_json::Value;
use std::{fs, path::Path, process::Output};
use ve_chain::{Chain, ConnectOptions, Signer};
use virtengine_e2e::{described, ensure_exit, eventually, units, Market, MarketOptions, PATIENCE};

/// What the payer writes; nobody but payer, provider and arbiter may read it.
const GROUNDS: &str = "canary-71c0: the picture is upside down";

fn json(output: &Output) -> Result<Value> {
    ensure!(output.status.success(), "{}", described(output));
    serde_json::from_slice(&output.stdout).with_context(|| described(output))
}

/// Gives somebody a key of the development chain, registered.
fn register(market: &Market, who: &str, uri: &str) -> Result<()> {
    let made = market.ve_as(
        who,
        &[
            "--included",
            "key",
            "new",
            who,
            "--from-uri",
            uri,
            "--register",
        ],
    )?;
    ensure!(made.status.success(), "{}", described(&made));
    Ok(())
}

/// The one dispute that somebody sees.
fn dispute(market: &Market, who: &str) -> Result<Value> {
    let all = json(&market.ve_as(who, &["--json", "disputes"])?)?;
    let found = all["disputes"].as_array().context("a list")?;
    ensure!(found.len() == 1, "{all}");
    Ok(found[0].clone())
}

/// What Bob has, and what was paid to him of a job, the chain's share included; both at one block.
async fn provider_and_paid(chain: &Chain, job: u64) -> Result<(u128, u128)> {
    let bob = Signer::from_uri(&"//Bob".to_string().into())?;
    let at = chain.at_finalized().await?;
    let has = at.balances(bob.account()).await?.free;
    let ledger = at.ledger(job).await?.context("the job's ledger")?;
    Ok((has, ledger.paid))
}

fn read(dir: &Path, name: &str) -> Result<String> {
    fs::read_to_string(dir.join(name)).with_context(|| format!("{name} of {}", dir.display()))
}

#[tokio::test]
async fn disputed_money_should_go_where_the_arbiter_says_and_nobody_else_may_see_or_decide(
) -> Result<()> {
    let market = Market::open("dispute", MarketOptions::default()).await?;
    register(&market, "ferdie", "//Ferdie")?;
    register(&market, "charlie", "//Charlie")?;
    let bob = market.ve_as("bob", &["--included", "key", "register"])?;
    ensure!(bob.status.success(), "{}", described(&bob));
    let chain = Chain::connect(&market.node.url(), ConnectOptions::default()).await?;

    let grounds = market.path("grounds.txt");
    fs::write(&grounds, GROUNDS)?;
    let grounds = grounds.to_string_lossy();
    let job = market.submit_heat()?;
    let id = job.to_string();
    market.wait_for(job, &["running"]).await?;
    let early = ["dispute", &id, "--amount", "1units", "--grounds", &grounds];
    ensure_exit(&market.ve_as("alice", &early)?, 4, "has not ended")?;
    let end = market
        .wait_for(job, &["completed", "failed", "expired"])
        .await?;
    ensure!(end["state"] == "completed", "{end}");

    // All but one unit of what is pending is disputed, by its payer and nobody else.
    let pending = units(&market.ve(&["money", &id])?, "pending")?;
    let disputed = pending - 1;
    let amount = format!("{disputed}units");
    let open = [
        "--included",
        "dispute",
        &id,
        "--amount",
        &amount,
        "--grounds",
        &grounds,
    ];
    ensure_exit(&market.ve_as("bob", &open)?, 4, "who alone may dispute it")?;
    let opened = market.ve(&open)?;
    ensure!(units(&opened, "amount")? == disputed, "{opened}");
    ensure!(
        opened["sealed_to"]["arbiter_keys"] == 2,
        "Alice's and Ferdie's: {opened}"
    );
    ensure_exit(&market.ve_as("alice", &open)?, 4, "is disputed already")?;

    // The arbiters were found on the chain; the worker answers by itself.
    ensure!(dispute(&market, "alice")?["you_are"] == "payer");
    ensure!(dispute(&market, "bob")?["you_are"] == "provider");
    eventually("the provider's evidence", PATIENCE, async || {
        let dispute = dispute(&market, "ferdie")?;
        ensure!(dispute["you_are"] == "arbiter", "{dispute}");
        ensure!(dispute["waits_for"] == "decision", "{dispute}");
        Ok(())
    })
    .await?;

    // The arbiter reads what both sides show and decides; a program has to say that it means it.
    let desk = market.path("desk");
    let desk_text = desk.to_string_lossy();
    let evidence = ["--json", "evidence", &id, "-o", &desk_text, "--force"];
    // What is shown is what is final; the answer is so a few blocks after it is on the chain.
    eventually("the answer to be final", PATIENCE, async || {
        let seen = json(&market.ve_as("ferdie", &evidence)?)?;
        ensure!(seen["agrees"] == true, "{seen}");
        let checks = seen["checks"].as_array().context("a list")?;
        let answered = checks.iter().any(|c| {
            let what = c["what"].as_str().unwrap_or_default();
            what.contains("answered the dispute with")
        });
        ensure!(answered, "{seen}");
        Ok(())
    })
    .await?;
    let decide = ["--included", "decide", &id, "--to-provider", "40%"];
    let yes: Vec<&str> = decide.iter().copied().chain(["--yes"]).collect();
    ensure_exit(&market.ve_as("charlie", &yes)?, 4, "is no arbiter")?;
    ensure_exit(&market.ve_as("bob", &yes)?, 4, "is its provider")?;
    ensure_exit(&market.ve_as("alice", &yes)?, 4, "is its payer")?;
    ensure_exit(&market.ve_as("ferdie", &decide)?, 2, "--yes")?;
    ensure!(dispute(&market, "ferdie")?["waits_for"] == "decision");
    // What Bob's refused attempts cost him is final, and the unit that nobody disputes may have been paid already.
    let tip = chain.at_best().await?.number();
    eventually("the attempts to be final", PATIENCE, async || {
        ensure!(chain.at_finalized().await?.number() >= tip);
        Ok(())
    })
    .await?;
    let (before, paid_before) = provider_and_paid(&chain, job).await?;
    let json_yes: Vec<&str> = ["--json"].into_iter().chain(yes).collect();
    let decided = json(&market.ve_as("ferdie", &json_yes)?)?;
    let to_provider = disputed * 40 / 100;
    ensure!(units(&decided, "to_provider")? == to_provider, "{decided}");
    ensure!(
        units(&decided, "to_payer")? == disputed - to_provider,
        "{decided}"
    );

    // To the last unit: the ledger, and what really arrived.
    let money = market.settled(job).await?;
    let paid = to_provider + 1;
    ensure!(units(&money, "paid")? == paid, "{money}");
    ensure!(
        units(&money, "refunded")? == units(&money, "deposited")? - paid,
        "{money}"
    );
    eventually("the provider's money", PATIENCE, async || {
        let (has, so_far) = provider_and_paid(&chain, job).await?;
        ensure!(so_far == paid, "{so_far} of {paid} paid");
        // The chain's share is 2.5 % of all that is paid, rounded down.
        let his = |paid: u128| paid - paid * 25 / 1000;
        let gained = his(paid) - his(paid_before);
        ensure!(has == before + gained, "{has}, not {before} + {gained}");
        Ok(())
    })
    .await?;
    let none = json(&market.ve_as("ferdie", &["--json", "disputes", "--all"])?)?;
    ensure!(none["disputes"] == serde_json::json!([]), "{none}");
    ensure_exit(
        &market.ve_as("ferdie", &[&json_yes[..]].concat())?,
        3,
        "is not disputed",
    )?;

    // The invoice says the same, with its credit note.
    let list = eventually("the credit note to be final", PATIENCE, async || {
        let list = market.ve(&["invoice", "list"])?;
        ensure!(
            units(&list[0], "credited")? == disputed - to_provider,
            "{list}"
        );
        Ok(list)
    })
    .await?;
    let month = list[0]["month"].as_str().context("a month")?;
    let verified = market.ve_as("alice", &["invoice", "verify", month])?;
    ensure_exit(&verified, 0, "the invoice holds")?;

    // What the arbiter saw: the payer's own words, and every report with its rows.
    ensure!(read(&desk, "grounds")? == GROUNDS);
    let report: Value = serde_json::from_str(&read(&desk, "report-1.json")?)?;
    ensure!(
        report["agreement"] == job && report["rows"].is_array(),
        "{report}"
    );
    let checks: Value = serde_json::from_str(&read(&desk, "checks.json")?)?;
    ensure!(
        checks["checks"].as_array().is_some_and(|c| c.len() >= 5),
        "{checks}"
    );
    let in_clear: Vec<_> = market
        .files_containing(b"canary-71c0")?
        .into_iter()
        .filter(|path| !path.starts_with(&desk) && !path.ends_with("grounds.txt"))
        .collect();
    ensure!(in_clear.is_empty(), "grounds in the clear: {in_clear:?}");
    Ok(())
}

#[tokio::test]
async fn evidence_should_open_to_the_parties_only_and_show_what_was_changed() -> Result<()> {
    let market = Market::open("evidence", MarketOptions::default()).await?;
    register(&market, "ferdie", "//Ferdie")?;
    register(&market, "charlie", "//Charlie")?;
    let job = market.submit_heat()?;
    let id = job.to_string();
    market.wait_for(job, &["completed"]).await?;
    let desk = market.path("desk");
    let desk_text = desk.to_string_lossy();
    let evidence = ["evidence", &id, "-o", &desk_text, "--force"];

    // Payer and arbiter can always look; a stranger cannot, even with the artifact store in hand.
    ensure_exit(&market.ve_as("alice", &evidence)?, 0, "✓ together they are")?;
    ensure_exit(
        &market.ve_as("ferdie", &evidence)?,
        0,
        "✓ their quantities add up",
    )?;
    ensure_exit(&market.ve_as("charlie", &evidence)?, 4, "is none of them")?;
    let kept = ["evidence", &id, "-o", &desk_text];
    ensure_exit(&market.ve_as("alice", &kept)?, 2, "is there already")?;

    // An administrator makes the stranger an arbiter: one who came too late is told so.
    let made = market.ve_as(
        "alice",
        &["--included", "role", "give", "charlie", "arbiter"],
    )?;
    ensure!(made.status.success(), "{}", described(&made));
    eventually("the appointment to be final", PATIENCE, async || {
        ensure_exit(
            &market.ve_as("charlie", &evidence)?,
            4,
            "must have been one",
        )
    })
    .await?;

    // What was changed, and what is gone, is named.
    let folder = market.path("artifacts").join("evidence");
    let chain = fs::read_dir(&folder)?.next().context("one chain")??.path();
    let file = chain.join(&id).join("1");
    let genuine = fs::read(&file)?;
    let mut changed = genuine.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    fs::write(&file, changed)?;
    ensure_exit(
        &market.ve_as("ferdie", &evidence)?,
        6,
        "evidence of report 1",
    )?;
    fs::remove_file(&file)?;
    ensure_exit(
        &market.ve_as("ferdie", &evidence)?,
        6,
        "not in the artifact store",
    )?;
    fs::write(&file, genuine)?;
    ensure_exit(
        &market.ve_as("ferdie", &evidence)?,
        0,
        "✓ together they are",
    )?;
    Ok(())
}
