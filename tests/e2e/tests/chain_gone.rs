//! The chain out of reach: for minutes, and killed while jobs are in every state. Unreachable is unknown, never gone.
//!
//! The longest test of all is here: tests begin in the order of their names, and this name is an early one.

use crate::tally::Tally;
use anyhow::{ensure, Context, Result};
use std::{collections::BTreeSet, time::Duration};
use virtengine_e2e::{Market, MarketOptions, Seed};

/// How long the chain accepts connections and never answers, and then how long nobody listens.
const SILENT: Duration = Duration::from_secs(76);

#[tokio::test]
async fn a_worker_should_destroy_nothing_when_the_chain_is_out_of_reach_for_minutes() -> Result<()>
{
    let act = async |market: &mut Market| -> Result<()> {
        // One ends while the chain is silent, one while it is gone, one after it has come back.
        let mut jobs = Vec::new();
        for seconds in [40, 120, 175] {
            jobs.push(Tally::buy(market, &seconds.to_string(), seconds)?);
        }
        for tally in &jobs {
            market.wait_for(tally.job, &["running"]).await?;
        }
        ensure!(
            jobs[0].count("end") == 0,
            "it ended before the chain fell silent"
        );
        market.node.freeze(true)?;
        tokio::time::sleep(SILENT).await;
        market.node.freeze(false)?;
        market.node.kill();
        tokio::time::sleep(SILENT).await;
        let worker = market.worker.as_mut().context("it was started")?;
        ensure!(worker.is_running(), "the worker gave up");
        let ended: Vec<usize> = jobs.iter().map(|t| t.count("end")).collect();
        ensure!(
            ended == [1, 1, 0],
            "jobs went on without a chain: {ended:?}"
        );
        market.node.restart().await?;
        for tally in &jobs {
            tally.check(market, 0).await?;
        }
        Ok(())
    };
    Market::with("outage", MarketOptions::default(), act).await
}

/// States in which the node was killed while a job was in them.
const STATES: [&str; 4] = ["assigned", "queued", "running", "completed"];

#[tokio::test]
async fn jobs_in_every_state_should_go_on_when_the_node_is_killed() -> Result<()> {
    let act = async |market: &mut Market| -> Result<()> {
        let mut seed = Seed::new("node-kills");
        // The cluster has four processors: the short one ends, four run, the last one waits in its queue.
        let mut jobs = Vec::new();
        for (n, seconds) in [1, 60, 60, 60, 60, 5].into_iter().enumerate() {
            jobs.push(Tally::buy(market, &n.to_string(), seconds)?);
        }
        for (tally, state) in [
            (&jobs[0], "completed"),
            (&jobs[4], "running"),
            (&jobs[5], "queued"),
        ] {
            market.wait_for(tally.job, &[state]).await?;
        }
        let mut seen = BTreeSet::new();
        for kill in 1..=5 {
            if kill == 2 {
                // Nobody takes this one until the node is back.
                market.kill_worker();
                jobs.push(Tally::buy(market, "late", 2)?);
            }
            tokio::time::sleep(seed.millis(500..5_000)).await;
            let now = states(market, &jobs)?;
            println!("kill {kill} of the node, jobs are {now:?}");
            seen.extend(now);
            market.node.kill();
            tokio::time::sleep(seed.millis(0..3_000)).await;
            market.node.restart().await?;
            if market.worker.is_none() {
                market.start_worker()?;
            }
        }
        let missing: Vec<_> = STATES.iter().filter(|s| !seen.contains(**s)).collect();
        ensure!(missing.is_empty(), "no job was ever {missing:?}: {seen:?}");
        for tally in &jobs {
            tally.check(market, 0).await?;
        }
        Ok(())
    };
    Market::with("node-kills", MarketOptions::default(), act).await
}

fn states(market: &Market, jobs: &[Tally]) -> Result<BTreeSet<String>> {
    jobs.iter()
        .map(|tally| {
            let job = market.job(tally.job)?;
            Ok(job["state"].as_str().context("a job has a state")?.into())
        })
        .collect()
}
