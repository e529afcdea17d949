//! `ve`: buy, watch and prove compute on VirtEngine from a terminal.
//!
//! Every command reads the chain itself and trusts nobody's word for it; what it prints for programs (`--json`) and
//! its exit codes ([`failure::code`]) stay the same between versions.

mod amounts;
mod cli;
mod commands;
mod config;
mod context;
mod failure;
mod keystore;
mod library;
mod names;
mod preview;
mod ui;
mod units;
mod untar;

use clap::{CommandFactory, Parser};
use cli::{Cli, Command};
use context::Context;
use failure::{Failure, Result};
use std::process::ExitCode;
use ve_chain::{calls, money};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.global.json;
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::local(format!("starting: {e}"), "try again"))
        .and_then(|runtime| runtime.block_on(run(cli)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if json {
                let value = serde_json::json!({ "error": failure.what, "remedy": failure.remedy, "code": failure.code });
                eprintln!("{value}");
            } else {
                // A node or a file may have a part in the words.
                let shown = |text: &str| -> Vec<String> {
                    text.lines()
                        .map(|line| ui::clean(line.as_bytes()))
                        .collect()
                };
                eprintln!("error: {}", shown(&failure.what).join("\n"));
                if !failure.remedy.is_empty() {
                    eprintln!("  {}", shown(&failure.remedy).join("\n"));
                }
            }
            ExitCode::from(failure.code)
        }
    }
}

async fn run(cli: Cli) -> Result {
    if let Command::Completions { shell } = cli.command {
        clap_complete::generate(shell, &mut Cli::command(), "ve", &mut std::io::stdout());
        return Ok(());
    }
    let context = Context::new(&cli.global)?;
    match cli.command {
        Command::Doctor => commands::doctor::run(&context).await,
        Command::Key(command) => commands::key::run(&context, command).await,
        Command::Send { to, amount } => send(&context, &to, amount).await,
        Command::Role(command) => commands::role::run(&context, command).await,
        Command::Provider(command) => commands::provider::run(&context, command).await,
        Command::Plan(command) => commands::plan::run(&context, command).await,
        Command::Cluster(command) => commands::cluster::run(&context, command).await,
        Command::Clusters(wanted) => commands::clusters::find(&context, wanted).await,
        Command::Template(command) => commands::template::run(&context, command),
        Command::Quote(work) => commands::quote::run(&context, work).await,
        Command::Run(run) => commands::run::run(&context, run).await,
        Command::Jobs { state, limit } => commands::jobs::list(&context, state, limit).await,
        Command::Job { job } => commands::jobs::show(&context, job).await,
        Command::Wait { job, timeout } => commands::jobs::wait(&context, job, timeout).await,
        Command::Logs { job, follow } => commands::output::logs(&context, job, follow).await,
        Command::Get {
            job,
            output,
            preview,
            force,
        } => commands::output::get(&context, job, output, preview, force).await,
        Command::Cancel { job } => commands::jobs::cancel(&context, job).await,
        Command::Money { job } => commands::money::run(&context, job).await,
        Command::Invoice(command) => commands::invoice::run(&context, command).await,
        Command::Dispute {
            job,
            amount,
            grounds,
        } => commands::dispute::open(&context, job, amount, &grounds).await,
        Command::Disputes { all } => commands::dispute::list(&context, all).await,
        Command::Evidence { job, output, force } => {
            commands::dispute::evidence(&context, job, output, force).await
        }
        Command::Decide {
            job,
            to_provider,
            yes,
        } => commands::dispute::decide(&context, job, to_provider, yes).await,
        Command::Settle { job } => commands::jobs::settle(&context, job).await,
        Command::Completions { .. } => Ok(()),
    }
}

async fn send(context: &Context, to: &str, amount: u128) -> Result {
    let account = context.account_of(to)?;
    let done = context
        .submit(calls::balances::transfer_keep_alive(&account, amount))
        .await?;
    if context.json {
        ui::json(
            &serde_json::json!({ "to": keystore::account_text(&account), "amount": amounts::native_json(amount), "block": done.block }),
        );
    } else {
        ui::note(format!(
            "{} sent to {to} (block {})",
            money::format(amount),
            done.block.number
        ));
    }
    Ok(())
}
