//! The worker killed, at every named step and at random instants: nothing lost, nothing twice, money to the unit.

use crate::tally::Tally;
use anyhow::{ensure, Context, Result};
use std::{
    os::unix::process::ExitStatusExt,
    time::{Duration, Instant},
};
use ve_chain::{calls, Signer, Submitter, Until, H256};
use ve_provider::failpoints;
use virtengine_e2e::{eventually, Market, MarketOptions, Seed, PATIENCE};
use virtengine_primitives::{billing::AgreementState, Balance};

/// What a customer disputes: the least that a job of this market costs.
const DISPUTED: Balance = 100_000_000;
/// A job that has not brought a worker to its step by then is not the one that will.
const ANOTHER: Duration = Duration::from_secs(45);

/// The steps in the order of a job's life, dealt out to this many markets.
const MARKETS: usize = 3;

async fn killed_at_every_step_of(part: usize) -> Result<()> {
    let act = async |market: &mut Market| -> Result<()> {
        let names = failpoints::NAMES.iter().skip(part).step_by(MARKETS);
        let mut jobs = Vec::new();
        for name in names.copied() {
            killed_at(market, name, &mut jobs).await?;
        }
        market.start_worker()?;
        for (tally, disputed) in &jobs {
            tally.check(market, *disputed).await?;
        }
        Ok(())
    };
    Market::with(
        &format!("steps-{part}"),
        MarketOptions::without_worker(),
        act,
    )
    .await
}

#[tokio::test]
async fn a_worker_should_lose_nothing_and_do_nothing_twice_when_killed_at_steps_1_4_7() -> Result<()>
{
    killed_at_every_step_of(0).await
}

#[tokio::test]
async fn a_worker_should_lose_nothing_and_do_nothing_twice_when_killed_at_steps_2_5_8() -> Result<()>
{
    killed_at_every_step_of(1).await
}

#[tokio::test]
async fn a_worker_should_lose_nothing_and_do_nothing_twice_when_killed_at_steps_3_6_9() -> Result<()>
{
    killed_at_every_step_of(2).await
}

/// Buys a job and has a worker work until it dies at the step, with this job or an earlier one: those go on meanwhile.
/// Should they all be past the step (a dispute that came too late), another one is bought.
async fn killed_at(
    market: &mut Market,
    name: &str,
    jobs: &mut Vec<(Tally, Balance)>,
) -> Result<()> {
    market.start_worker_dying_at(name, 1)?;
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        jobs.push((Tally::buy(market, &format!("{name}-{}", jobs.len()), 3)?, 0));
        let (tally, disputed) = jobs.last_mut().context("just pushed")?;
        let job = tally.job;
        let died = eventually("the worker to die", ANOTHER, async || {
            if name.starts_with("dispute") && *disputed == 0 && dispute(market, job).await? {
                *disputed = DISPUTED;
            }
            let worker = market.worker.as_mut().context("it was started")?;
            let status = worker.ended().context("it still runs")?;
            Ok(status)
        });
        if let Ok(status) = died.await {
            ensure!(
                status.signal() == Some(nix::libc::SIGABRT),
                "it was to die at {name}, and ended: {status}"
            );
            println!("killed at {name}");
            return Ok(());
        }
    }
    anyhow::bail!("no worker came to {name}")
}

/// Disputes a job that has just ended; `false` if it has not, or if it is too late.
async fn dispute(market: &Market, job: u64) -> Result<bool> {
    let chain = market.chain().await?;
    let agreement = chain.at_best().await?.agreement(job).await?;
    if !agreement.is_some_and(|a| matches!(a.state, AgreementState::Ended { .. })) {
        return Ok(false);
    }
    let alice = Submitter::new(
        chain.clone(),
        Signer::from_uri(&"//Alice".to_string().into())?,
    );
    let call = calls::billing::dispute(job, DISPUTED, H256::repeat_byte(1));
    let _too_late = alice.submit_until(call, Until::Included, |_| ()).await;
    Ok(chain.at_best().await?.dispute(job).await?.is_some())
}

#[tokio::test]
async fn a_batch_should_run_once_and_be_paid_exactly_when_the_worker_is_killed_at_random_instants(
) -> Result<()> {
    let name = "random-kills";
    Market::with(
        name,
        MarketOptions::without_worker(),
        async |market: &mut Market| {
            let mut seed = Seed::new(name);
            let before = provider_and_chain(market).await?;
            let mut jobs = Vec::new();
            for n in 0..6 {
                jobs.push(Tally::buy(market, &n.to_string(), seed.among(1..9))?);
            }
            let mut kills = 0;
            // Every life is long enough to do something, and mostly too short to do all of it.
            while kills < 12 || jobs.iter().any(|t| t.count("end") == 0) {
                market.start_worker()?;
                let life = seed.millis(400..8_000);
                tokio::time::sleep(life).await;
                kills += 1;
                println!("kill {kills}, after {life:?}");
                ensure!(kills < 100, "the batch does not come to its end");
            }
            market.start_worker()?;
            let mut paid = 0;
            for tally in &jobs {
                paid += tally.check(market, 0).await?;
            }
            let received = provider_and_chain(market).await? - before;
            ensure!(
                received == paid,
                "{paid} paid by the customer, {received} received"
            );
            Ok(())
        },
    )
    .await
}

/// What provider and take pot have together. The provider's owner pays no fees: its worker does.
async fn provider_and_chain(market: &Market) -> Result<Balance> {
    let at = market.chain().await?.at_best().await?;
    let bob = Signer::from_uri(&"//Bob".to_string().into())?;
    let mut sum = 0;
    for who in [bob.account().clone(), take_pot()] {
        let balances = at.balances(&who).await?;
        sum += balances.free + balances.held;
    }
    Ok(sum)
}

/// The account of `PalletId(*b"ve/take_")`, where the chain's share goes.
fn take_pot() -> ve_chain::AccountId32 {
    let mut account = [0u8; 32];
    account[..12].copy_from_slice(b"modlve/take_");
    account.into()
}
