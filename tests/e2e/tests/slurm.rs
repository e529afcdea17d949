//! Jobs on a real SLURM cluster: bought on the chain, run as a member of the provider's pool, billed to the second of
//! SLURM's accounting.

use anyhow::{ensure, Context, Result};
use serde_json::Value;
use std::fs;
use virtengine_e2e::{
    described, ensure_exit, eventually,
    slurm::{By, Slurm},
    units, Market, MarketOptions, PATIENCE,
};

async fn with_slurm(
    name: &str,
    by: By,
    users: &str,
    act: impl AsyncFnOnce(&mut Market, &Slurm) -> Result<()>,
) -> Result<()> {
    let options = MarketOptions {
        without_worker: true,
        ..MarketOptions::default()
    };
    Market::with(name, options, async |market: &mut Market| {
        let slurm = Slurm::beside(market, by, users)?;
        act(market, &slurm).await
    })
    .await
}

/// The name of a job in SLURM.
async fn handle(market: &Market, job: u64) -> Result<String> {
    let genesis = market.chain().await?.genesis();
    Ok(format!(
        "ve-{}-{job}",
        hex::encode(&genesis.as_bytes()[..4])
    ))
}

/// `cpu=2,mem=512M,node=1` as numbers: processors, MiB, nodes.
fn allocated(tres: &str) -> Result<(u128, u128, u128)> {
    let (mut cpus, mut mib, mut nodes) = (0, 0, 0);
    for part in tres.split(',') {
        match part.split_once('=') {
            Some(("cpu", n)) => cpus = n.parse()?,
            Some(("node", n)) => nodes = n.parse()?,
            Some(("mem", n)) => {
                let (digits, unit) = n.split_at(n.len() - 1);
                let factor = match unit {
                    "M" => 1.0,
                    "G" => 1024.0,
                    _ => anyhow::bail!("memory in {unit}: {tres}"),
                };
                mib = (digits.parse::<f64>()? * factor) as u128;
            }
            _ => {}
        }
    }
    Ok((cpus, mib, nodes))
}

/// What the invoice of the only month says of a job, by component.
fn billed(market: &Market, job: u64, component: &str) -> Result<u128> {
    let list = market.ve(&["invoice", "list"])?;
    let month = list[0]["month"].as_str().context("an invoice")?.to_owned();
    let invoice = market.ve(&["invoice", "show", &month])?;
    let lines = invoice["lines"].as_array().context("lines")?;
    let text = job.to_string();
    let of_job = |line: &&Value| line["agreement"] == job || line["agreement"] == text;
    let mut sum = 0;
    for line in lines.iter().filter(of_job) {
        for quantity in line["quantities"].as_array().context("quantities")? {
            if quantity["component"] == component {
                let text = quantity["quantity"].as_str().context("digits")?;
                sum += text.parse::<u128>()?;
            }
        }
    }
    Ok(sum)
}

/// Whether a job's bill is what SLURM's accounting says, and its money adds up to the unit.
async fn check_bill(market: &Market, slurm: &Slurm, job: u64) -> Result<()> {
    let money = market.settled(job).await?;
    let rows = slurm.accounting(
        &handle(market, job).await?,
        "ElapsedRaw,AllocTRES,User,Account,State",
    )?;
    ensure!(rows.len() == 1, "one job, one attempt: {rows:?}");
    let row = &rows[0];
    let elapsed: u128 = row[0].parse()?;
    let (cpus, mib, nodes) = allocated(&row[1])?;
    ensure!(elapsed > 0 && cpus > 0 && mib > 0, "{row:?}");
    ensure!(
        row[2].starts_with("ve-") && row[3] == row[2],
        "it ran as a member: {row:?}"
    );
    for (component, expected) in [
        ("cpu-seconds", cpus * elapsed),
        ("memory-mib-seconds", mib * elapsed),
        ("node-seconds", nodes * elapsed),
    ] {
        let found = billed(market, job, component)?;
        ensure!(
            found == expected,
            "{component}: billed {found}, accounted {expected}: {row:?}"
        );
    }
    // 0.5 VE for a core and hour, 0.1 VE for a GiB and hour, each rounded down to units per million.
    let paid = units(&money, "paid")?;
    let refunded = units(&money, "refunded")?;
    ensure!(
        paid > 0 && paid + refunded == units(&money, "deposited")?,
        "{money}"
    );
    let verified = market.ve_as("alice", &["invoice", "verify", &month(market)?])?;
    ensure!(verified.status.success(), "{}", described(&verified));
    Ok(())
}

fn month(market: &Market) -> Result<String> {
    let list = market.ve(&["invoice", "list"])?;
    Ok(list[0]["month"].as_str().context("an invoice")?.to_owned())
}

/// A job from the workload library, from the order to the final money.
async fn bought_and_billed(market: &mut Market, slurm: &Slurm) -> Result<()> {
    let again = slurm.make_pool(market, &market.path("bin/virtengine-worker"))?;
    ensure_exit(&again, 0, "nothing to do")?;
    market.start_worker()?;
    let job = market.submit_heat()?;
    market.wait_for(job, &["completed"]).await?;
    let out = market.path("out");
    let out_dir = out.to_string_lossy();
    let got = market.ve_as("alice", &["get", &job.to_string(), "-o", &out_dir])?;
    ensure!(got.status.success(), "{}", described(&got));
    let picture = fs::read(out.join("heat.png"))?;
    ensure!(
        picture.starts_with(b"\x89PNG\r\n\x1a\n"),
        "the result is a picture"
    );
    check_bill(market, slurm, job).await?;
    // The money is final and the retention is over: nothing of the customer is left with the member.
    eventually("the member's directory to be empty", PATIENCE, async || {
        for member in fs::read_dir(&slurm.pool)? {
            let left = fs::read_dir(member?.path())?.count();
            ensure!(left == 0, "{left} entries are left");
        }
        Ok(())
    })
    .await
}

/// Killed between the submission and its record, a worker submits nothing twice.
async fn killed_after_submission(market: &mut Market, slurm: &Slurm) -> Result<()> {
    market.start_worker_dying_at("submitted", 1)?;
    let job = market.submit_heat()?;
    eventually("the worker to die", PATIENCE, async || {
        let worker = market.worker.as_mut().context("it was started")?;
        ensure!(worker.ended().is_some(), "it still runs");
        Ok(())
    })
    .await?;
    market.start_worker()?;
    market.wait_for(job, &["completed"]).await?;
    check_bill(market, slurm, job).await
}

async fn bought_billed_and_killed(market: &mut Market, slurm: &Slurm) -> Result<()> {
    bought_and_billed(market, slurm).await?;
    killed_after_submission(market, slurm).await
}

#[tokio::test]
async fn a_job_should_be_billed_to_the_second_of_accounting_when_slurm_is_spoken_to_by_rest(
) -> Result<()> {
    with_slurm("slurm-rest", By::Rest, "ve-rest", bought_billed_and_killed).await
}

#[tokio::test]
async fn a_job_should_be_billed_to_the_second_of_accounting_when_slurm_is_spoken_to_by_commands(
) -> Result<()> {
    with_slurm(
        "slurm-cli",
        By::Commands,
        "ve-cli",
        bought_billed_and_killed,
    )
    .await
}

#[tokio::test]
async fn customers_should_not_reach_each_other_when_they_share_a_cluster() -> Result<()> {
    with_slurm("slurm-pry", By::Rest, "ve-pry", customers_apart).await
}

async fn customers_apart(market: &mut Market, _slurm: &Slurm) -> Result<()> {
    let dave = market.ve_as(
        "dave",
        &["--json", "key", "new", "dave", "--from-uri", "//Dave"],
    )?;
    ensure!(dave.status.success(), "{}", described(&dave));
    let registered = market.ve_as("dave", &["key", "register"])?;
    ensure!(registered.status.success(), "{}", described(&registered));
    market.start_worker()?;
    let terms = ["--time", "5m", "--max", "1VE"];
    let keep = ["pry", "-p", "how=keep", "-p", "seconds=60"];
    let kept = market.submit(&[&keep[..], &terms].concat())?;
    market.wait_for(kept, &["running"]).await?;

    let pry = ["--json", "run", "pry", "-p", "how=pry"];
    let bought = market.ve_as("dave", &[&pry[..], &terms].concat())?;
    ensure!(bought.status.success(), "{}", described(&bought));
    let answer: Value = serde_json::from_slice(&bought.stdout)?;
    let job = answer["job"].as_u64().context("a job")?;
    market.wait_for(job, &["completed"]).await?;
    let out = market.path("out");
    let out_dir = out.to_string_lossy();
    let got = market.ve_as("dave", &["get", &job.to_string(), "-o", &out_dir])?;
    ensure!(got.status.success(), "{}", described(&got));
    let report = fs::read_to_string(out.join("report.txt"))?;
    ensure!(report.contains("\ndone"), "it tried everything: {report}");
    ensure!(
        !report.contains("FOUND") && !report.contains("CANARY"),
        "{report}"
    );

    // What he tried did the other job no harm.
    let end = market.wait_for(kept, &["completed"]).await?;
    ensure!(end["ended"] == true, "{end}");
    Ok(())
}
