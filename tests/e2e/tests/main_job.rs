//! The main job as its customer lives it, and what nobody else may see of it.

use anyhow::{ensure, Context, Result};
use std::{fs, time::Duration};
use virtengine_e2e::{described, units, Market, MarketOptions};

fn month(market: &Market) -> Result<String> {
    let list = market.ve(&["invoice", "list"])?;
    let month = list[0]["month"]
        .as_str()
        .with_context(|| format!("an invoice: {list}"))?;
    Ok(month.into())
}

#[tokio::test]
async fn a_job_should_run_be_paid_and_every_line_be_proven() -> Result<()> {
    Market::with("main-job", MarketOptions::default(), main_job).await
}

async fn main_job(market: &mut Market) -> Result<()> {
    let doctor = market.ve_as("alice", &["doctor"])?;
    ensure!(doctor.status.success(), "{}", described(&doctor));
    let job = market.submit_heat()?;
    market.wait_for(job, &["running"]).await?;
    let held = market.ve(&["money", &job.to_string()])?;
    ensure!(
        units(&held, "deposited")? == 2_000_000_000_000,
        "the ceiling is held: {held}"
    );

    market.kill_worker();
    tokio::time::sleep(Duration::from_secs(3)).await;
    market.start_worker()?;
    market.wait_for(job, &["completed"]).await?;

    let out = market.fetch("alice", job, "out")?;
    ensure!(
        fs::read(out.join("heat.png"))?.starts_with(b"\x89PNG\r\n\x1a\n"),
        "the result is a picture"
    );

    // One run, whatever happened to the worker: its pieces add up to one history.
    let history = fs::read_to_string(out.join("history.csv"))?;
    ensure!(
        history
            .lines()
            .last()
            .is_some_and(|l| l.starts_with("2000")),
        "the history ends at the last step"
    );

    // The money is final after the dispute window, to the last unit.
    let money = market.settled(job).await?;
    let (paid, refunded) = (units(&money, "paid")?, units(&money, "refunded")?);
    ensure!(
        paid > 0 && paid + refunded == units(&money, "deposited")?,
        "{money}"
    );

    // The invoice says the same and proves it; one digit changed, and verification names the line.
    let month = month(market)?;
    let file = market.path("invoice.json");
    let file = file.to_string_lossy();
    let written = market.ve_as("alice", &["invoice", "show", &month, "-o", &file])?;
    ensure!(written.status.success(), "{}", described(&written));
    let genuine = market.ve_as("alice", &["invoice", "verify", &month, "--file", &file])?;
    ensure!(genuine.status.success(), "{}", described(&genuine));
    let text = fs::read_to_string(&*file)?;
    ensure!(
        text.contains(&paid.to_string()),
        "the invoice shows what was paid: {text}"
    );
    let at = text
        .find(&format!("\"{paid}\""))
        .or_else(|| text.find(&paid.to_string()))
        .context("the amount")?
        + 1;
    let digit = text.as_bytes()[at];
    let mut forged = text.clone().into_bytes();
    forged[at] = if digit == b'9' { b'8' } else { digit + 1 };
    let forged_file = market.path("forged.json");
    fs::write(&forged_file, forged)?;
    let refused = market.ve_as(
        "alice",
        &[
            "invoice",
            "verify",
            &month,
            "--line",
            "1",
            "--file",
            &forged_file.to_string_lossy(),
        ],
    )?;
    ensure!(refused.status.code() == Some(6), "{}", described(&refused));
    ensure!(
        described(&refused).contains("line 1"),
        "it names the line: {}",
        described(&refused)
    );
    Ok(())
}
