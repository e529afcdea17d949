//! Disks that are full: what cannot be written now is written later, and nothing is lost or done twice.

#[path = "../../support/small_disk.rs"]
mod small_disk;

use crate::tally::Tally;
use anyhow::{ensure, Context, Result};
use small_disk::SmallDisk;
use std::{fs, path::Path};
use virtengine_e2e::{eventually, Market, MarketOptions, PATIENCE};

/// Waits until the worker says that it could not go on because of `whom`.
async fn complaint(log: &Path, whom: &str) -> Result<()> {
    let words = format!("the {whom} gave no usable answer");
    eventually(&format!("{words:?}"), PATIENCE, async || {
        let said = fs::read_to_string(log)?;
        ensure!(said.contains(&words), "it says:\n{said}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_result_should_be_kept_until_it_can_be_stored_when_the_artifact_store_is_full(
) -> Result<()> {
    let act = async |market: &mut Market| -> Result<()> {
        let Some(disk) = SmallDisk::mount(&market.path("artifacts"), 16) else {
            return Ok(());
        };
        let job = market.submit(&["sweep", "--array", "2", "--time", "1m"])?;
        disk.fill();
        market.start_worker()?;
        complaint(&market.path("worker.log"), "artifacts").await?;
        let state = market.job(job)?;
        ensure!(
            state["ended"] == false,
            "there was no room for its result: {state}"
        );
        disk.make_room();
        market.wait_for(job, &["completed"]).await?;
        market.fetch("alice", job, "out")?;
        market.kill_worker();
        Ok(())
    };
    Market::with("artifacts-full", MarketOptions::without_worker(), act).await
}

#[tokio::test]
async fn a_job_should_run_once_and_be_paid_exactly_when_the_disk_of_the_records_is_full(
) -> Result<()> {
    let act = async |market: &mut Market| -> Result<()> {
        let Some(disk) = SmallDisk::mount(&market.path("small"), 16) else {
            return Ok(());
        };
        let config = market.path("worker.toml");
        let text = fs::read_to_string(&config)?;
        fs::write(&config, text.replace("/worker.db", "/small/worker.db"))?;
        market.start_worker()?;
        let tally = Tally::buy(market, "full", 8)?;
        market.wait_for(tally.job, &["running"]).await?;
        ensure!(
            disk.path().join("worker.db").exists(),
            "the records are elsewhere"
        );
        disk.fill();
        complaint(&market.path("worker.log"), "store").await?;
        eventually("the job to end", PATIENCE, async || {
            ensure!(tally.count("end") == 1, "it has not");
            Ok(())
        })
        .await?;
        // Killed as well: what was not recorded is found out again.
        market.kill_worker();
        disk.make_room();
        market.start_worker()?;
        tally.check(market, 0).await?;
        let worker = market.worker.as_mut().context("it was started")?;
        ensure!(worker.is_running(), "the worker gave up");
        market.kill_worker();
        Ok(())
    };
    Market::with("records-full", MarketOptions::without_worker(), act).await
}
