//! Transfers against null calls: the same accounts, the same node, the same way in, one after the other.

use crate::{report::Row, Bench};
use anyhow::{ensure, Context, Result};
use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};
use subxt::{
    dynamic::{tx, Value},
    rpcs::RpcClient,
    OnlineClient, SubstrateConfig,
};
use tokio::task::JoinSet;
use ve_chain::{Chain, Signer};
use virtengine_e2e::{load, Node};

const SENDERS: [&str; 4] = ["//Charlie", "//Dave", "//Eve", "//Ferdie"];
/// Longest time that the transactions of one kind may take.
const LIMIT: Duration = Duration::from_secs(20);
/// How long those that are left may take after that.
const DRAIN: Duration = Duration::from_secs(60);

#[derive(Clone, Copy)]
enum Kind {
    Remark,
    Transfer,
}

struct Burst {
    per_second: f64,
    /// Time the node spent making blocks, per transaction in them.
    authoring_us: f64,
    included: u64,
    sent: u64,
}

/// Transactions per second, and what one costs to put into a block.
pub async fn rows(bench: &Bench, per_account: usize) -> Result<Vec<Row>> {
    let remark = burst(bench, Kind::Remark, per_account)
        .await
        .context("remarks")?;
    let transfer = burst(bench, Kind::Transfer, per_account)
        .await
        .context("transfers")?;
    let cut = [&remark, &transfer].iter().any(|b| b.included < b.sent);
    let note = format!(
        "{} and {} transactions of four accounts, signed before; a few blocks long, one a second, so coarse{}",
        transfer.included,
        remark.included,
        if cut {
            "; the clock ended before all were included"
        } else {
            ""
        }
    );
    Ok(vec![
        Row::ratio(
            "transactions/s, transfer ÷ System.remark",
            transfer.per_second / remark.per_second,
            (transfer.per_second, "/s"),
            (remark.per_second, "/s"),
        )
        .note(note),
        Row::ratio(
            "authoring time per transaction, transfer ÷ System.remark",
            transfer.authoring_us / remark.authoring_us,
            (transfer.authoring_us, "µs"),
            (remark.authoring_us, "µs"),
        )
        .note("the node's own clock for making blocks; reads and writes of storage are part of it"),
    ])
}

async fn burst(bench: &Bench, kind: Kind, per_account: usize) -> Result<Burst> {
    let url = bench.market.node.url();
    let rpc = RpcClient::from_insecure_url(&url).await?;
    let signers: Vec<Signer> = SENDERS
        .iter()
        .map(|uri| Signer::from_uri(&uri.to_string().into()))
        .collect::<Result<_, _>>()?;
    let client = OnlineClient::<SubstrateConfig>::from_insecure_url(&url).await?;
    let call = match kind {
        // As long as the arguments of a transfer.
        Kind::Remark => tx("System", "remark", vec![Value::from_bytes([7u8; 36])]),
        Kind::Transfer => {
            let to: &[u8; 32] = bench.alice.account().as_ref();
            let to = Value::unnamed_variant("Id", [Value::from_bytes(to)]);
            tx(
                "Balances",
                "transfer_keep_alive",
                vec![to, Value::u128(1_000_000_000)],
            )
        }
    };
    let mut batches = Vec::new();
    for signer in &signers {
        let first = bench.chain.at_best().await?.nonce(signer.account()).await?;
        batches.push(load::signed(&client, signer, &call, first.into(), per_account).await?);
    }

    let before = nonces(&bench.chain, &signers).await?;
    let spent = authoring(&bench.market.node)?;
    let sent = (per_account * signers.len()) as u64;
    let from = Instant::now();
    let end = from + LIMIT;
    let mut senders = JoinSet::new();
    for batch in batches {
        senders.spawn(load::send(rpc.clone(), batch, Some(end)));
    }
    let included = loop {
        let included = nonces(&bench.chain, &signers).await? - before;
        if included >= sent || Instant::now() >= end {
            break included;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let seconds = from.elapsed().as_secs_f64();
    let spent = authoring(&bench.market.node)? - spent;
    ensure!(
        included > 0,
        "the node included none of {sent} transactions in {seconds:.0} s"
    );
    bench
        .progress
        .note(&format!("{included} of {sent} included in {seconds:.1} s"));
    // The next kind must not be measured with the rest of this one.
    let mut offered = 0;
    while let Some(sender) = senders.join_next().await {
        offered += sender??;
    }
    virtengine_e2e::eventually("the rest of the transactions", DRAIN, async || {
        let included = nonces(&bench.chain, &signers).await? - before;
        ensure!(included >= offered, "{included} of {offered} are included");
        Ok(())
    })
    .await?;
    Ok(Burst {
        per_second: included as f64 / seconds,
        authoring_us: spent * 1e6 / included as f64,
        included,
        sent,
    })
}

/// Transactions that these accounts ever had included.
async fn nonces(chain: &Chain, signers: &[Signer]) -> Result<u64> {
    let at = chain.at_best().await?;
    let mut sum = 0;
    for signer in signers {
        sum += u64::from(at.nonce(signer.account()).await?);
    }
    Ok(sum)
}

/// Seconds that the node has spent making blocks so far.
pub fn authoring(node: &Node) -> Result<f64> {
    metric(node, "substrate_proposer_block_constructed_sum")
}

/// Blocks that the node has made so far.
pub fn authored(node: &Node) -> Result<f64> {
    metric(node, "substrate_proposer_block_constructed_count")
}

fn metric(node: &Node, name: &str) -> Result<f64> {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", node.metrics))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let line = text.lines().find(|l| {
        l.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(['{', ' ']))
    });
    let line = line.with_context(|| format!("the node has no metric {name}"))?;
    line.rsplit(' ')
        .next()
        .and_then(|v| v.trim().parse().ok())
        .with_context(|| format!("{name}: {line}"))
}
