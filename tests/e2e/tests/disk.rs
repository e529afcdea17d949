//! Disks that are full: what cannot be written now is written later, and nothing is lost or done twice.

use crate::tally::Tally;
use anyhow::{ensure, Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use virtengine_e2e::{described, eventually, Market, MarketOptions, PATIENCE};

fn without_worker() -> MarketOptions {
    MarketOptions {
        without_worker: true,
        ..MarketOptions::default()
    }
}

/// A file system of its own that can be filled.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts it; `None`, with a word about it, for users who may not.
    fn mount(path: PathBuf) -> Result<Option<Self>> {
        fs::create_dir_all(&path)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"])
            .arg(&path)
            .status()?;
        if !mounted.success() {
            println!("skipped: mounting a small file system needs root");
            return Ok(None);
        }
        Ok(Some(Self(path)))
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Writes until there is no room for another byte.
    fn fill(&self) -> Result<()> {
        use std::io::Write;
        let mut file = fs::File::create(self.ballast())?;
        let mut piece = vec![0u8; 1 << 20];
        while !piece.is_empty() {
            if file.write_all(&piece).is_err() {
                piece.truncate(piece.len() / 2);
            }
        }
        Ok(())
    }

    fn empty(&self) -> Result<()> {
        Ok(fs::remove_file(self.ballast())?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

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
        let Some(disk) = SmallDisk::mount(market.path("artifacts"))? else {
            return Ok(());
        };
        let job = market.submit(&["sweep", "--array", "2", "--time", "1m"])?;
        disk.fill()?;
        market.start_worker()?;
        complaint(&market.path("worker.log"), "artifacts").await?;
        let state = market.job(job)?;
        ensure!(
            state["ended"] == false,
            "there was no room for its result: {state}"
        );
        disk.empty()?;
        market.wait_for(job, &["completed"]).await?;
        let out = market.path("out");
        let out = out.to_string_lossy();
        let got = market.ve_as("alice", &["get", &job.to_string(), "-o", &out])?;
        ensure!(got.status.success(), "{}", described(&got));
        market.kill_worker();
        Ok(())
    };
    Market::with("artifacts-full", without_worker(), act).await
}

#[tokio::test]
async fn a_job_should_run_once_and_be_paid_exactly_when_the_disk_of_the_records_is_full(
) -> Result<()> {
    let act = async |market: &mut Market| -> Result<()> {
        let Some(disk) = SmallDisk::mount(market.path("small"))? else {
            return Ok(());
        };
        let config = market.path("worker.toml");
        let text = fs::read_to_string(&config)?;
        fs::write(&config, text.replace("/worker.db", "/small/worker.db"))?;
        market.start_worker()?;
        let tally = Tally::buy(market, "full", 8)?;
        market.wait_for(tally.job, &["running"]).await?;
        ensure!(
            disk.0.join("worker.db").exists(),
            "the records are elsewhere"
        );
        disk.fill()?;
        complaint(&market.path("worker.log"), "store").await?;
        eventually("the job to end", PATIENCE, async || {
            ensure!(tally.count("end") == 1, "it has not");
            Ok(())
        })
        .await?;
        // Killed as well: what was not recorded is found out again.
        market.kill_worker();
        disk.empty()?;
        market.start_worker()?;
        tally.check(market, 0).await?;
        let worker = market.worker.as_mut().context("it was started")?;
        ensure!(worker.is_running(), "the worker gave up");
        market.kill_worker();
        Ok(())
    };
    Market::with("records-full", without_worker(), act).await
}
