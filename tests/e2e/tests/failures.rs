//! Jobs that end badly and workers that never come back: told as what it was, and paid as it should.

use anyhow::{ensure, Context, Result};
use std::fs;
use virtengine_e2e::{described, units, Market, MarketOptions};

#[tokio::test]
async fn every_bad_end_should_be_told_as_what_it_was() -> Result<()> {
    Market::with("bad-ends", MarketOptions::default(), bad_ends).await
}

async fn bad_ends(market: &mut Market) -> Result<()> {
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
        market.wait_for(job, &[state]).await?;
        ensure!(
            units(&market.settled(job).await?, "paid")? > 0,
            "{how}: this end is paid"
        );
        let out = market
            .fetch("alice", job, &format!("out-{how}"))
            .with_context(|| format!("{how}: outputs are collected on every end"))?;
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
    Market::with("silence", MarketOptions::default(), silence).await
}

async fn silence(market: &mut Market) -> Result<()> {
    let running = market.submit(&["misbehave", "-p", "how=forever", "--time", "5m"])?;
    market.wait_for(running, &["running"]).await?;
    market.kill_worker();
    // Nobody hears that its customer wants it to end, and nobody takes the next one.
    let cancel = market.ve_as("alice", &["cancel", &running.to_string()])?;
    ensure!(cancel.status.success(), "{}", described(&cancel));
    let waiting = market.submit(&["misbehave", "-p", "how=exit", "--time", "1m"])?;
    for (job, state) in [(running, "cancelled"), (waiting, "expired")] {
        market.wait_for(job, &[state]).await?;
        market.settled(job).await?;
    }
    let waited = market.ve(&["money", &waiting.to_string()])?;
    ensure!(
        units(&waited, "refunded")? == units(&waited, "deposited")?,
        "all of it came back: {waited}"
    );
    Ok(())
}
