//! Failures injected into real processes: nothing lost, nothing twice, nothing destroyed because something was
//! unreachable.

use anyhow::{ensure, Context, Result};
use serde_json::Value;
use std::{fs, path::PathBuf, time::Duration};
use virtengine_e2e::{described, eventually, repository, units, Market, MarketOptions, PATIENCE};

async fn settled(market: &Market, job: u64) -> Result<Value> {
    eventually("the money to be final", PATIENCE, async || {
        let money = market.ve(&["money", &job.to_string()])?;
        ensure!(
            units(&money, "pending")? == 0 && units(&money, "held")? == 0,
            "{money}"
        );
        ensure!(
            units(&money, "paid")? + units(&money, "refunded")? == units(&money, "deposited")?,
            "{money}"
        );
        Ok(money)
    })
    .await
}

/// Where a real chain makes a difference: around everything that is sent. The worker's own tests kill it at every
/// step, against a double of the chain; `VE_ALL_STEPS=1` does so here, against the real one (about ten minutes).
const AROUND_THE_CHAIN: [&str; 11] = [
    "accept-after-send",
    "staged",
    "submit-intended",
    "submitted",
    "update-after-send",
    "report-persisted",
    "report-after-send",
    "collect-stored",
    "complete-before-send",
    "complete-after-send",
    "dispute-after-send",
];

#[tokio::test]
async fn a_worker_killed_at_a_named_step_should_lose_nothing_and_do_nothing_twice() -> Result<()> {
    let mut market = Market::open(
        "failpoints",
        MarketOptions {
            without_worker: true,
            ..MarketOptions::default()
        },
    )
    .await?;
    let all = std::env::var_os("VE_ALL_STEPS").is_some();
    let names: Vec<&str> = if all {
        ve_provider::failpoints::NAMES.into()
    } else {
        AROUND_THE_CHAIN.into()
    };
    let note = market.path("note.txt");
    fs::write(&note, "a note")?;
    let grounds = market.path("grounds.txt");
    fs::write(&grounds, "it took longer than last time")?;
    let mut reached = Vec::new();
    for name in &names {
        let tally = market.path(&format!("tally-{name}"));
        let parameter = format!("tally={}", tally.display());
        let input = note.to_string_lossy();
        let job = market.submit(&[
            "misbehave",
            "-p",
            "how=tally",
            "-p",
            &parameter,
            "--time",
            "1m",
            "--in",
            &input,
        ])?;
        market.start_worker_dying_at(name, 1)?;
        let mut disputed = !name.starts_with("dispute");
        let died = eventually(
            &format!("the worker to die at {name}"),
            Duration::from_secs(60),
            async || {
                if !disputed && market.job(job)?["state"] == "completed" {
                    let grounds = grounds.to_string_lossy();
                    let id = job.to_string();
                    let arguments = [
                        "--included",
                        "dispute",
                        &id,
                        "--amount",
                        "0.0001VE",
                        "--grounds",
                        &grounds,
                    ];
                    let answer = market.ve_as("alice", &arguments)?;
                    ensure!(answer.status.success(), "{}", described(&answer));
                    disputed = true;
                }
                let worker = market.worker.as_mut().context("it was started")?;
                ensure!(!worker.is_running(), "it still runs");
                Ok(())
            },
        )
        .await
        .is_ok();
        if died {
            reached.push(*name);
        }
        market.start_worker()?;
        let end = market
            .wait_for(job, &["completed", "failed", "expired", "cancelled"])
            .await?;
        ensure!(end["state"] == "completed", "killed at {name}: {end}");
        let money = market.ve(&["money", &job.to_string()])?;
        ensure!(
            units(&money, "paid")? + units(&money, "pending")? > 0,
            "killed at {name}: nothing charged: {money}"
        );
        let runs = fs::read_to_string(&tally)?.lines().count();
        ensure!(runs == 1, "killed at {name}: the job ran {runs} times");
        market.kill_worker();
    }
    println!(
        "reached {} of {} named steps: {reached:?}",
        reached.len(),
        names.len()
    );
    ensure!(
        reached.len() + 3 >= names.len(),
        "only {reached:?} were reached"
    );
    Ok(())
}

#[tokio::test]
async fn a_worker_should_destroy_nothing_while_the_chain_is_unreachable() -> Result<()> {
    let mut market = Market::open("outage", MarketOptions::default()).await?;
    let mesh = repository().join("slurm-templates/heat/example/mesh.dat");
    let job = market.submit(&[
        "heat",
        "-p",
        "steps=3000",
        "--time",
        "5m",
        "--in",
        &mesh.to_string_lossy(),
        "--max",
        "2VE",
    ])?;
    market.wait_for(job, &["running"]).await?;
    // An RPC that accepts and never answers, then no RPC at all, while the job ends.
    market.node.freeze(true)?;
    tokio::time::sleep(Duration::from_secs(20)).await;
    market.node.freeze(false)?;
    market.node.kill();
    tokio::time::sleep(Duration::from_secs(20)).await;
    ensure!(
        market
            .worker
            .as_mut()
            .context("it was started")?
            .is_running(),
        "the worker gave up"
    );
    market.node.restart().await?;
    let end = market
        .wait_for(job, &["completed", "failed", "expired"])
        .await?;
    ensure!(end["state"] == "completed", "{end}");
    ensure!(
        units(&settled(&market, job).await?, "paid")? > 0,
        "usage is paid"
    );
    Ok(())
}

#[tokio::test]
async fn every_bad_end_should_be_told_as_what_it_was() -> Result<()> {
    let market = Market::open("bad-ends", MarketOptions::default()).await?;
    // (how, longest run, state, what the result holds)
    let cases = [
        ("exit", "1m", "failed"),
        ("memory", "1m", "out-of-memory"),
        ("forever", "8s", "timed-out"),
        ("stubborn", "8s", "timed-out"),
        ("link", "1m", "completed"),
    ];
    let mut jobs = Vec::new();
    for (how, time, _) in cases {
        jobs.push(market.submit(&["misbehave", "-p", &format!("how={how}"), "--time", time])?);
    }
    for (job, (how, _, state)) in jobs.into_iter().zip(cases) {
        let ends = [
            "completed",
            "failed",
            "out-of-memory",
            "timed-out",
            "expired",
            "provider-failure",
            "bad-input",
        ];
        let end = market.wait_for(job, &ends).await?;
        ensure!(end["state"] == state, "{how}: {end}");
        ensure!(
            units(&settled(&market, job).await?, "paid")? > 0,
            "{how}: this end is paid"
        );
        let out = market.path(&format!("out-{how}"));
        let got = market.ve_as(
            "alice",
            &["get", &job.to_string(), "-o", &out.to_string_lossy()],
        )?;
        ensure!(
            got.status.success(),
            "{how}: outputs are collected on every end: {}",
            described(&got)
        );
        let text = fs::read_to_string(out.join("out.txt")).unwrap_or_default();
        if how == "link" {
            ensure!(
                !text.contains("root:"),
                "a link was followed out of the job's directory"
            );
        } else {
            ensure!(text.starts_with("started"), "{how}: {text}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn money_should_return_when_every_worker_is_off_for_ever() -> Result<()> {
    let mut market = Market::open("silence", MarketOptions::default()).await?;
    let running = market.submit(&["misbehave", "-p", "how=forever", "--time", "5m"])?;
    market.wait_for(running, &["running"]).await?;
    market.kill_worker();
    // Nobody hears that its customer wants it to end, and nobody takes the next one.
    let cancel = market.ve_as("alice", &["cancel", &running.to_string()])?;
    ensure!(cancel.status.success(), "{}", described(&cancel));
    let waiting = market.submit(&["misbehave", "-p", "how=exit", "--time", "1m"])?;
    for (job, state) in [(running, "cancelled"), (waiting, "expired")] {
        let end = market.wait_for(job, &["cancelled", "expired"]).await?;
        ensure!(end["state"] == state, "{end}");
        settled(&market, job).await?;
    }
    let waited = market.ve(&["money", &waiting.to_string()])?;
    ensure!(
        units(&waited, "refunded")? == units(&waited, "deposited")?,
        "all of it came back: {waited}"
    );
    Ok(())
}

#[tokio::test]
async fn a_full_disk_should_stop_the_worker_from_going_on_and_lose_nothing() -> Result<()> {
    let mut market = Market::open(
        "disk-full",
        MarketOptions {
            without_worker: true,
            ..MarketOptions::default()
        },
    )
    .await?;
    // The artifact store on a file system of its own that can be filled.
    let store: PathBuf = market.path("artifacts");
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"])
        .arg(&store)
        .status()
        .is_ok_and(|s| s.success());
    if !mounted {
        println!("skipped: mounting a small file system needs root");
        return Ok(());
    }
    let result = full_disk(&mut market, &store).await;
    market.kill_worker();
    let _ = std::process::Command::new("umount")
        .arg("-l")
        .arg(&store)
        .status();
    result
}

async fn full_disk(market: &mut Market, store: &std::path::Path) -> Result<()> {
    let job = market.submit(&["sweep", "--array", "2", "--time", "1m"])?;
    let ballast = store.join("ballast");
    fs::write(&ballast, vec![0u8; 64 << 10])?;
    let mut bytes = 24 << 20;
    while bytes > 1024 {
        let mut grown = fs::read(&ballast)?;
        grown.resize(grown.len() + bytes, 0);
        if fs::write(&ballast, &grown).is_err() {
            bytes /= 2;
        }
    }
    market.start_worker()?;
    tokio::time::sleep(Duration::from_secs(25)).await;
    ensure!(
        market.job(job)?["state"] != "completed",
        "there was no room for its result"
    );
    fs::remove_file(&ballast)?;
    let end = market
        .wait_for(job, &["completed", "failed", "expired", "provider-failure"])
        .await?;
    ensure!(end["state"] == "completed", "{end}");
    let out = market.path("out");
    let got = market.ve_as(
        "alice",
        &["get", &job.to_string(), "-o", &out.to_string_lossy()],
    )?;
    ensure!(got.status.success(), "{}", described(&got));
    Ok(())
}
