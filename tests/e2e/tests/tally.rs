//! Jobs that count their runs on this machine, and what must hold for them however often somebody was killed.

use anyhow::{ensure, Context, Result};
use std::{fs, path::PathBuf};
use virtengine_e2e::Market;
use virtengine_primitives::billing::AgreementState;

/// A job that was bought, and the file in which it counts its runs.
pub struct Tally {
    /// Its number.
    pub job: u64,
    /// Seconds that it runs for.
    pub seconds: u64,
    file: PathBuf,
}

impl Tally {
    /// Buys a job that runs for so many seconds, with an input file.
    pub fn buy(market: &Market, name: &str, seconds: u64) -> Result<Self> {
        let file = market.path(&format!("tally-{name}"));
        let note = market.path(&format!("note-{name}.txt"));
        fs::write(&note, "a note")?;
        let job = market.submit(&[
            "misbehave",
            "-p",
            "how=tally",
            "-p",
            &format!("seconds={seconds}"),
            "-p",
            &format!("tally={}", file.display()),
            "--time",
            "5m",
            "--in",
            &note.to_string_lossy(),
        ])?;
        Ok(Self { job, seconds, file })
    }

    /// Lines that say `what`: one for each run.
    pub fn count(&self, what: &str) -> usize {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        text.lines().filter(|line| *line == what).count()
    }

    /// Waits until it has completed and its money is final; then everything must have happened exactly once. `disputed`:
    /// how much of it was.
    pub async fn check(&self, market: &Market, disputed: u128) -> Result<u128> {
        let job = self.job;
        market.wait_for(job, &["completed"]).await?;
        market.settled(job).await?;
        let runs = (self.count("begin"), self.count("end"));
        ensure!(runs == (1, 1), "job {job} began and ended {runs:?} times");

        let at = market.chain().await?.at_best().await?;
        let agreement = at.agreement(job).await?.context("it is kept a while")?;
        let ledger = at.ledger(job).await?.context("it is kept a while")?;
        let (_, plan) = at.plan(agreement.plan).await?.context("it is in use")?;
        let metered = agreement.metered_ms;
        ensure!(
            matches!(agreement.state, AgreementState::Settled { .. }),
            "job {job}: {agreement:?}"
        );
        ensure!(
            metered >= self.seconds * 1000 && metered <= 300_000,
            "job {job} ran for {} s, and {metered} ms are metered",
            self.seconds
        );
        let price = plan.price(&agreement.cumulative).context("it has one")?;
        let charged = price.max(plan.minimum_charge).min(agreement.ceiling);
        // A dispute that nobody decided is split; one whose evidence came too late is the payer's.
        let left = [disputed / 2, disputed].map(|lost| charged.saturating_sub(lost));
        ensure!(
            left.contains(&agreement.charged),
            "job {job}: {charged} by its usage, {disputed} disputed, {} charged",
            agreement.charged
        );
        ensure!(
            ledger.paid == agreement.charged,
            "job {job}: {} charged, {} paid",
            agreement.charged,
            ledger.paid
        );
        ensure!(
            ledger.available == 0
                && ledger.pending == 0
                && ledger.credited == 0
                && ledger.paid.checked_add(ledger.refunded) == Some(ledger.deposited),
            "job {job}: {ledger:?}"
        );
        Ok(ledger.paid)
    }
}
