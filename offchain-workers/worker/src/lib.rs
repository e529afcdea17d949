//! The worker that runs beside a provider's clusters: one binary, its roles chosen by its configuration.
//!
//! [`main`] is all of it. It is a library so that tests can run the very same worker with an observer that kills it.

mod check;
mod config;
mod exit;
mod keys;
mod pool;
mod schedulers;
mod serve;
mod slurm_check;
mod start;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use config::Config;
use sp_core::crypto::Ss58Codec;
use std::{ffi::OsString, path::PathBuf};
use ve_chain::{Chain, ConnectOptions, Submitter};
use ve_provider::failpoints::Observer;
pub use ve_provider::failpoints::{dying_at, unobserved};

/// Runs the roles of a provider: takes jobs from the chain, runs them, reports what they used.
#[derive(Parser)]
#[command(
    name = "virtengine-worker",
    version,
    about = "Runs the roles of a provider: takes jobs from the chain, runs them, reports what they used",
    max_term_width = 110
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Work until told to stop. Exit code 1: a failure, start again; 2: wrong configuration.
    Run {
        /// Configuration file.
        #[arg(long, default_value = "worker.toml")]
        config: PathBuf,
        /// Roles to run; all that are configured if left out.
        #[arg(long, value_enum)]
        role: Vec<Role>,
    },
    /// Check configuration, keys, library, scheduler and standing on chain. Exit code 3 if something is wrong.
    Check {
        /// Configuration file.
        #[arg(long, default_value = "worker.toml")]
        config: PathBuf,
        /// Do not ask the chain.
        #[arg(long)]
        offline: bool,
    },
    /// Write a commented example configuration.
    Init {
        /// File to write; it must not exist.
        #[arg(long, default_value = "worker.toml")]
        out: PathBuf,
    },
    /// The worker's keys.
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Print the script that makes a SLURM cluster's identity pool, to be run as root there; run again, it changes nothing.
    Pool {
        /// Configuration file.
        #[arg(long, default_value = "worker.toml")]
        config: PathBuf,
        /// Which cluster, by its number on chain; the only SLURM cluster if left out.
        #[arg(long)]
        cluster: Option<u32>,
        /// Unix user that the worker runs as on that machine.
        #[arg(long, default_value = "virtengine")]
        worker_user: String,
        /// Run it here and now instead, as root.
        #[arg(long)]
        apply: bool,
    },
    /// For members of an identity pool only: touches a job's files as its user.
    #[command(hide = true, disable_help_flag = true)]
    Agent {
        /// The provider role's business.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// For the local scheduler only: stands between it and one job.
    #[command(hide = true, disable_help_flag = true)]
    Shim {
        /// The scheduler's business.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Make a key file and print what the provider's owner registers.
    New {
        /// File to write; it must not exist.
        #[arg(long)]
        out: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print what the provider's owner registers.
    Show {
        /// Configuration file.
        #[arg(long, default_value = "worker.toml")]
        config: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Register the encryption key on chain, signed by the hot key, which needs a little money for the fee.
    Register {
        /// Configuration file.
        #[arg(long, default_value = "worker.toml")]
        config: PathBuf,
        /// What the key is called.
        #[arg(long, default_value = "worker")]
        label: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Role {
    /// Looks after a provider's clusters.
    Provider,
}

/// Runs a command line, the program's name first, and returns the exit status. `observer` is told of every named step
/// of the provider role.
pub fn main(arguments: impl IntoIterator<Item = OsString>, observer: Observer) -> i32 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    // Before anything else, without threads: the shim changes session, mask and limits of its process.
    if arguments.get(1).is_some_and(|first| first == "shim") {
        return ve_slurm::shim::main(arguments.into_iter().skip(2));
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors.
            let _ = error.print();
            return if error.use_stderr() {
                exit::CONFIG
            } else {
                exit::OK
            };
        }
    };
    match dispatch(cli.command, observer) {
        Ok(code) => code,
        Err(Failure { code, error }) => {
            eprintln!("virtengine-worker: {error:#}");
            code
        }
    }
}

/// An error and what it means for whoever started the worker.
pub(crate) struct Failure {
    code: i32,
    error: anyhow::Error,
}

pub(crate) fn config_error(error: impl Into<anyhow::Error>) -> Failure {
    Failure {
        code: exit::CONFIG,
        error: error.into(),
    }
}

pub(crate) fn runtime_error(error: impl Into<anyhow::Error>) -> Failure {
    Failure {
        code: exit::RUNTIME,
        error: error.into(),
    }
}

fn telemetry(config: &Config) {
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| config.log_filter.clone());
    let filter = tracing_subscriber::EnvFilter::try_new(filter).unwrap_or_default();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if config.log_json {
        lines.json().init();
    } else {
        lines
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .init();
    }
}

/// Most threads that run steps, beside those that wait for disks.
const MOST_THREADS: usize = 4;

fn block_on<T>(work: impl std::future::Future<Output = T>) -> Result<T, Failure> {
    // Most of the work is waiting; on a large machine a thread for each processor would only cost memory.
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(MOST_THREADS));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(runtime_error)?;
    Ok(runtime.block_on(work))
}

fn dispatch(command: Command, observer: Observer) -> Result<i32, Failure> {
    match command {
        Command::Run { config, role: _ } => {
            let config = Config::load(&config).map_err(config_error)?;
            let keys = keys::load(&config.keys).map_err(config_error)?;
            telemetry(&config);
            let opened = start::open(&config).map_err(config_error)?;
            block_on(start::run(config, keys, opened, observer))??;
            Ok(exit::OK)
        }
        Command::Check { config, offline } => {
            let config = Config::load(&config).map_err(config_error)?;
            let good = block_on(check::check(&config, offline))?;
            Ok(if good { exit::OK } else { exit::PROBLEM })
        }
        Command::Init { out } => {
            use std::io::Write;
            let file = std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&out);
            let mut file = file
                .with_context(|| {
                    format!("{}: choose a file that does not exist yet", out.display())
                })
                .map_err(config_error)?;
            file.write_all(config::EXAMPLE.as_bytes())
                .map_err(runtime_error)?;
            println!(
                "{} is written; next: virtengine-worker key new --out worker.key",
                out.display()
            );
            Ok(exit::OK)
        }
        Command::Key { command } => key(command),
        Command::Pool {
            config,
            cluster,
            worker_user,
            apply,
        } => {
            let config = Config::load(&config).map_err(config_error)?;
            pool::pool(&config, cluster, &worker_user, apply)?;
            Ok(exit::OK)
        }
        Command::Agent { arguments } => Ok(ve_provider::files::agent::main(arguments)),
        Command::Shim { arguments } => Ok(ve_slurm::shim::main(arguments)),
    }
}

fn print_keys(keys: &keys::WorkerKeys, json: bool) {
    let account = keys.signer.account().to_ss58check();
    let public = keys.secret.public().to_string();
    if json {
        println!(
            "{}",
            serde_json::json!({ "account": account, "encryptionKey": public })
        );
    } else {
        println!("account         {account}");
        println!("encryption key  {public}");
        println!("next: the provider's owner adds the account as a hot key and sends it a little money for fees;");
        println!("then: virtengine-worker key register");
    }
}

fn key(command: KeyCommand) -> Result<i32, Failure> {
    match command {
        KeyCommand::New { out, json } => {
            let keys = keys::create(&out).map_err(config_error)?;
            print_keys(&keys, json);
        }
        KeyCommand::Show { config, json } => {
            let config = Config::load(&config).map_err(config_error)?;
            print_keys(&keys::load(&config.keys).map_err(config_error)?, json);
        }
        KeyCommand::Register { config, label } => {
            let config = Config::load(&config).map_err(config_error)?;
            let keys = keys::load(&config.keys).map_err(config_error)?;
            let label = virtengine_primitives::Name::try_from(label.into_bytes())
                .map_err(|_| config_error(anyhow::anyhow!("--label: at most 64 bytes")))?;
            let done = block_on(register(config, keys, label))?.map_err(runtime_error)?;
            println!("{done}");
        }
    }
    Ok(exit::OK)
}

async fn register(
    config: Config,
    keys: keys::WorkerKeys,
    label: virtengine_primitives::Name,
) -> Result<String> {
    let options = ConnectOptions {
        expected_genesis: config.genesis,
        ..ConnectOptions::default()
    };
    let chain = Chain::connect(&config.chain_url, options).await?;
    let public = keys.secret.public();
    let owner = chain
        .at_finalized()
        .await?
        .key_owner(&public.key_id())
        .await?;
    if owner.as_ref() == Some(keys.signer.account()) {
        return Ok(format!("encryption key {public} was registered before"));
    }
    let call = ve_chain::calls::keyring::register_key(public.to_bytes(), &label);
    let done = Submitter::new(chain, keys.signer).submit(call).await?;
    Ok(format!(
        "encryption key {public} is registered, final in block {}",
        done.block.number
    ))
}
