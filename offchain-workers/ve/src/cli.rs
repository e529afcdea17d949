//! The command line.

use crate::{commands::dispute::Share, units};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{path::PathBuf, time::Duration};
use ve_chain::{invoice, money::Amount};
use virtengine_primitives::{billing::Month, AssetKind, Balance, Role};

/// Buy, watch and prove compute on VirtEngine.
#[derive(Debug, Parser)]
#[command(
    name = "ve",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done · 1 this machine failed · 2 wrong command line, configuration or file · 3 no such \
                  thing · 4 the chain refused · 5 the node did not answer · 6 verification failed · 7 the job did not \
                  complete"
)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What holds for every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The node (ws:// or wss://)
    #[arg(long, global = true, env = "VE_URL", value_name = "URL")]
    pub url: Option<String>,
    /// Name of the key to use
    #[arg(long, global = true, env = "VE_KEY", value_name = "NAME")]
    pub key: Option<String>,
    /// The artifact store that provider and customer share
    #[arg(long, global = true, env = "VE_ARTIFACTS", value_name = "URL")]
    pub artifacts: Option<String>,
    /// Folder of the template library
    #[arg(long, global = true, env = "VE_TEMPLATES", value_name = "DIR")]
    pub templates: Option<PathBuf>,
    /// Configuration file [default: ve.toml in ~/.config/virtengine]
    #[arg(long, global = true, env = "VE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// File whose first line is the keystore's passphrase [default: VE_PASSPHRASE, or ask]
    #[arg(long, global = true, env = "VE_PASSPHRASE_FILE", value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Pay fees in this asset of the assets pallet instead of VE
    #[arg(long, global = true, env = "VE_FEE_ASSET", value_name = "N")]
    pub fee_asset: Option<u32>,
    /// Print JSON instead of tables
    #[arg(long, global = true)]
    pub json: bool,
    /// Return when a call is in a block instead of when that block is final: sooner, but it may still be undone
    #[arg(long, global = true, env = "VE_INCLUDED", value_parser = clap::builder::FalseyValueParser::new())]
    pub included: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check everything that a job needs, and say what is missing
    Doctor,
    /// Keys: make, list, register, export
    #[command(subcommand)]
    Key(Key),
    /// Send VE to an account
    Send {
        /// The account (SS58), or the name of a key
        to: String,
        /// How much
        #[arg(value_parser = ve_chain::money::parse)]
        amount: Balance,
    },
    /// Give and take roles
    #[command(subcommand)]
    Role(RoleCommand),
    /// Your provider organisation
    #[command(subcommand)]
    Provider(Provider),
    /// Price plans
    #[command(subcommand)]
    Plan(Plan),
    /// Your clusters
    #[command(subcommand)]
    Cluster(Cluster),
    /// Find clusters
    Clusters(Clusters),
    /// The template library
    #[command(subcommand)]
    Template(Template),
    /// What a job would cost, cluster by cluster
    Quote(Work),
    /// Buy a job
    Run(Run),
    /// Your jobs
    Jobs {
        /// Only jobs in this state (a state, or `open` or `ended`)
        #[arg(long)]
        state: Option<String>,
        /// At most this many, the newest first
        #[arg(long, short, default_value_t = 50)]
        limit: usize,
    },
    /// Everything about one job
    Job {
        /// Number of the job
        job: u64,
    },
    /// Wait until a job has ended
    Wait {
        /// Number of the job
        job: u64,
        /// Give up after this time
        #[arg(long, value_parser = units::parse_duration)]
        timeout: Option<Duration>,
    },
    /// What a job writes
    Logs {
        /// Number of the job
        job: u64,
        /// Go on until the job has ended
        #[arg(long, short)]
        follow: bool,
    },
    /// Fetch, open and unpack a job's result; after an interruption it goes on where it was
    Get {
        /// Number of the job
        job: u64,
        /// Folder to write to [default: job-N]
        #[arg(long, short, value_name = "DIR")]
        output: Option<PathBuf>,
        /// Show pictures in the terminal (done by itself in a terminal with colours)
        #[arg(long)]
        preview: bool,
        /// Write over files that are there
        #[arg(long)]
        force: bool,
    },
    /// Ask for a job's end
    Cancel {
        /// Number of the job
        job: u64,
    },
    /// Where the money of a job, or all of yours, is
    Money {
        /// Number of the job; all jobs if left out
        job: Option<u64>,
    },
    /// Invoices: list, show, verify
    #[command(subcommand)]
    Invoice(Invoice),
    /// Dispute what a job was charged
    Dispute {
        /// Number of the job
        job: u64,
        /// How much to freeze, in what the job is paid in
        #[arg(long)]
        amount: Amount,
        /// File with the grounds: sealed to the provider and the arbiters, only a hash goes to the chain
        #[arg(long, value_name = "FILE")]
        grounds: PathBuf,
    },
    /// Open disputes: yours, and for an arbiter all that wait for a decision
    Disputes {
        /// Everybody's
        #[arg(long)]
        all: bool,
    },
    /// Open what the parties to a dispute show each other, and check it against the chain
    Evidence {
        /// Number of the job
        job: u64,
        /// Folder to write to [default: evidence-N]
        #[arg(long, short, value_name = "DIR")]
        output: Option<PathBuf>,
        /// Write over files that are there
        #[arg(long)]
        force: bool,
    },
    /// Decide a dispute, as an arbiter
    Decide {
        /// Number of the job
        job: u64,
        /// What the provider gets of the disputed amount: an amount, or a share such as 40%
        #[arg(long, value_name = "AMOUNT|PERCENT")]
        to_provider: Share,
        /// Do not ask whether it is meant
        #[arg(long)]
        yes: bool,
    },
    /// Move what is due of a job (anyone may)
    Settle {
        /// Number of the job
        job: u64,
    },
    /// Shell completions on standard output
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Keys.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Make a key: a signing key and an encryption key in one encrypted file
    New {
        /// What to call it
        name: String,
        /// Register its encryption key on the chain at once
        #[arg(long)]
        register: bool,
        /// Take the signing key from this secret (//Alice on development chains; - reads it from standard input)
        #[arg(long, value_name = "URI", allow_hyphen_values = true)]
        from_uri: Option<String>,
    },
    /// All keys of the keystore
    List,
    /// One key: account, encryption key, balance, what is registered
    Show {
        /// Name [default: the chosen key]
        name: Option<String>,
    },
    /// Register a key's encryption key on the chain
    Register {
        /// Name [default: the chosen key]
        name: Option<String>,
        /// What the chain calls it [default: the name]
        #[arg(long)]
        label: Option<String>,
    },
    /// Write a key's secrets in the clear, for a worker
    Export {
        /// Name [default: the chosen key]
        name: Option<String>,
        /// Which secret; both as JSON if left out
        #[arg(long)]
        secret: Option<Secret>,
        /// File to write, mode 0600 [default: standard output]
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// One of a key's secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Secret {
    /// The sr25519 seed (or development URI)
    Signing,
    /// The X25519 secret
    Encryption,
}

/// Roles.
#[derive(Debug, Subcommand)]
pub enum RoleCommand {
    /// Give an account a role
    Give {
        /// The account (SS58), or the name of a key
        account: String,
        /// Such as provider or arbiter
        #[arg(value_parser = crate::commands::role::parse)]
        role: Role,
    },
    /// Take a role from an account
    Take {
        /// The account (SS58), or the name of a key
        account: String,
        /// Such as provider or arbiter
        #[arg(value_parser = crate::commands::role::parse)]
        role: Role,
    },
}

/// Provider organisation.
#[derive(Debug, Subcommand)]
pub enum Provider {
    /// Register an organisation that the chosen key owns
    Register {
        /// What people call it
        name: String,
        /// Account that is paid [default: the owner]
        #[arg(long, value_name = "ACCOUNT")]
        payout: Option<String>,
        /// Add this to the bond at once
        #[arg(long, value_parser = ve_chain::money::parse)]
        bond: Option<Balance>,
    },
    /// The worker's keys
    #[command(subcommand)]
    HotKey(HotKey),
    /// Add to the bond
    Bond {
        /// How much
        #[arg(value_parser = ve_chain::money::parse)]
        amount: Balance,
    },
    /// An organisation
    Show {
        /// Its number [default: that of the chosen key]
        provider: Option<u32>,
    },
}

/// The worker's keys.
#[derive(Debug, Subcommand)]
pub enum HotKey {
    /// Let an account act as the organisation's worker
    Add {
        /// The account (SS58), or the name of a key
        account: String,
    },
    /// End that
    Remove {
        /// The account (SS58), or the name of a key
        account: String,
    },
}

/// Price plans.
#[derive(Debug, Subcommand)]
pub enum Plan {
    /// Publish a plan; it can never be changed
    Publish {
        /// TOML: asset, minimum_charge, and a table `rates` of component = price
        file: PathBuf,
    },
    /// One plan
    Show {
        /// Its number
        plan: u32,
    },
    /// The plans in force on your clusters
    List {
        /// Of this provider [default: that of the chosen key]
        #[arg(long)]
        provider: Option<u32>,
    },
}

/// Clusters of one's own.
#[derive(Debug, Subcommand)]
pub enum Cluster {
    /// Register a cluster
    Register {
        /// TOML: name, max_open_jobs, and a list of `partitions`
        file: PathBuf,
    },
    /// Replace a cluster's description
    Update {
        /// Its number
        cluster: u32,
        /// TOML, as for `register`
        file: PathBuf,
    },
    /// Take no new jobs
    Drain {
        /// Its number
        cluster: u32,
    },
    /// Take new jobs again
    Open {
        /// Its number
        cluster: u32,
    },
    /// Let a cluster run templates of the library
    AllowTemplate {
        /// Its number
        cluster: u32,
        /// Names of templates
        #[arg(required = true)]
        templates: Vec<String>,
    },
    /// Your clusters
    List,
    /// One cluster
    Show {
        /// Its number
        cluster: u32,
    },
}

/// What is looked for.
#[derive(Clone, Debug, Args)]
pub struct Clusters {
    /// At least this many processors
    #[arg(long, short = 'n', default_value_t = 1)]
    pub cores: u32,
    /// At least this much memory
    #[arg(long, value_parser = units::parse_mib, value_name = "SIZE")]
    pub mem: Option<u64>,
    /// At least this many accelerators
    #[arg(long, default_value_t = 0)]
    pub gpus: u32,
    /// For this time
    #[arg(long, value_parser = units::parse_duration, default_value = "1h")]
    pub time: Duration,
    /// That run this template
    #[arg(long)]
    pub template: Option<String>,
}

/// The template library.
#[derive(Debug, Subcommand)]
pub enum Template {
    /// All templates
    List,
    /// One template: parameters, resources, files
    Show {
        /// Its name
        name: String,
    },
    /// Check a template's folder
    Check {
        /// The folder
        folder: PathBuf,
    },
}

/// A job's shape.
#[derive(Clone, Debug, Args)]
pub struct Work {
    /// Name of the template
    pub template: String,
    /// A parameter, NAME=VALUE
    #[arg(long = "param", short = 'p', value_name = "NAME=VALUE")]
    pub parameters: Vec<String>,
    /// Processors (per array task) [default: the template's]
    #[arg(long, short = 'n', value_name = "N")]
    pub cpus: Option<u32>,
    /// Nodes [default: 1]
    #[arg(long, value_name = "N")]
    pub nodes: Option<u32>,
    /// Memory (per array task) [default: the template's]
    #[arg(long, value_parser = units::parse_mib, value_name = "SIZE")]
    pub mem: Option<u64>,
    /// Accelerators
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub gpus: u32,
    /// The provider's number for the kind of accelerator
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub gpu_type: u8,
    /// Longest run [default: the template's]
    #[arg(long, value_parser = units::parse_duration)]
    pub time: Option<Duration>,
    /// Tasks of an array
    #[arg(long, value_name = "N")]
    pub array: Option<u32>,
    /// Only this cluster
    #[arg(long, value_name = "N")]
    pub cluster: Option<u32>,
    /// Pay with this asset of the assets pallet instead of VE
    #[arg(long, value_name = "N")]
    pub asset: Option<u32>,
}

/// A job to buy.
#[derive(Clone, Debug, Args)]
pub struct Run {
    /// Its shape.
    #[command(flatten)]
    pub work: Work,
    /// An input: FILE, or NAME=FILE where the template has several. An interrupted upload begins again: the key that
    /// it is sealed with is kept nowhere
    #[arg(long = "in", short = 'i', value_name = "[NAME=]FILE")]
    pub inputs: Vec<String>,
    /// The most that it may cost [default: the highest quote]
    #[arg(long, value_name = "AMOUNT")]
    pub max: Option<Amount>,
    /// It must be running this long after a cluster took it
    #[arg(long, value_parser = units::parse_duration, default_value = "30m")]
    pub start_within: Duration,
    /// Wait for the end and show progress
    #[arg(long)]
    pub wait: bool,
}

/// Invoices.
#[derive(Debug, Subcommand)]
pub enum Invoice {
    /// Your invoices of the last months
    List {
        /// How many months back
        #[arg(long, default_value_t = 12)]
        months: u32,
    },
    /// One invoice
    Show {
        /// Month, such as 2026-11
        #[arg(value_parser = invoice::parse_month)]
        month: Month,
        /// Of this provider, if there are several
        #[arg(long)]
        provider: Option<u32>,
        /// In this asset (native, or its number), if there are several
        #[arg(long, value_parser = parse_asset, value_name = "ASSET")]
        asset: Option<AssetKind>,
        /// Write the canonical JSON to this file
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Check an invoice against the chain, line by line
    Verify {
        /// Month, such as 2026-11
        #[arg(value_parser = invoice::parse_month)]
        month: Month,
        /// Only this line, from 1 (may be repeated)
        #[arg(long)]
        line: Vec<u32>,
        /// The JSON invoice to check [default: what the chain renders now]
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Of this provider, if there are several
        #[arg(long)]
        provider: Option<u32>,
        /// In this asset (native, or its number), if there are several
        #[arg(long, value_parser = parse_asset, value_name = "ASSET")]
        asset: Option<AssetKind>,
    },
}

/// `native`, `asset:7`, or `7` as `ve run --asset` takes it.
fn parse_asset(text: &str) -> Result<AssetKind, String> {
    match text.parse() {
        Ok(id) => Ok(AssetKind::Asset(id)),
        Err(_) => ve_chain::money::parse_asset(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn command_line_should_be_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn examples_of_the_readme_should_parse() {
        for line in [
            "ve doctor",
            "ve key new alice --register",
            "ve clusters --cores 8 --time 2h",
            "ve template show heat",
            "ve quote heat -p steps=5000 -n 4 --time 10m --mem 512MiB",
            "ve run heat -p steps=5000 --in mesh.dat --max 2VE --wait",
            "ve jobs --state running --json",
            "ve job 42",
            "ve logs 42 -f",
            "ve get 42 -o out/",
            "ve cancel 42",
            "ve money",
            "ve invoice verify 2026-11 --line 3 --file invoice.json",
            "ve dispute 42 --amount 1VE --grounds why.txt",
            "ve run sweep --array 4 --wait",
            "ve --json --key bob provider show",
        ] {
            Cli::try_parse_from(line.split(' ')).unwrap_or_else(|e| panic!("{line}: {e}"));
        }
    }

    #[test]
    fn value_should_be_refused_when_it_is_malformed() {
        for line in [
            "ve run heat --max two",
            "ve quote heat --time 10",
            "ve quote heat --mem 512",
            "ve invoice show 2026-13",
            "ve job fourtytwo",
        ] {
            let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
