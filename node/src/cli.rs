//! Command line.

/// How many transactions wait, and how many KiB of them, unless the operator says otherwise: ten times what the SDK takes.
///
/// The pool keeps a view of what waits for each block. What arrives while the view of a new block is being made is
/// missing in it until the block after, and what follows from the same accounts counts as *future* there. Of those the
/// pool keeps a tenth of its limit and drops the oldest without a word, although the RPC had taken it; from then on the
/// account's later transactions wait for ever. With the SDK's 8,192 (819 in the future) that happened at 1,500
/// transactions a second and blocks of one second. `tests/e2e/tests/load.rs` sends such a load.
const POOL_LIMIT: &str = "81920";

/// The VirtEngine node.
#[derive(Debug, clap::Parser)]
#[command(
    mut_arg("pool_limit", |arg| arg.default_value(POOL_LIMIT)),
    mut_arg("pool_kbytes", |arg| arg.default_value(POOL_LIMIT))
)]
pub struct Cli {
    /// A tool instead of the node itself.
    #[command(subcommand)]
    pub subcommand: Option<Subcommand>,

    /// Options of the node.
    #[clap(flatten)]
    pub run: sc_cli::RunCmd,

    /// Do not measure the machine (processor, memory, disk; some seconds) when a validator starts. Development chains
    /// never do.
    #[arg(long)]
    pub no_hardware_benchmarks: bool,

    /// Keep compiled runtimes in this folder, so that the next start need not compile them. For development and tests:
    /// whoever can write there decides what this node computes.
    #[arg(long, value_name = "PATH")]
    pub wasm_cache: Option<std::path::PathBuf>,
}

/// Tools around the node.
#[derive(Debug, clap::Subcommand)]
#[allow(clippy::large_enum_variant)]
pub enum Subcommand {
    /// Make, inspect, insert and use keys.
    #[command(subcommand)]
    Key(sc_cli::KeySubcommand),

    /// Write a chain spec: readable, or `--raw` for nodes and light clients.
    ExportChainSpec(sc_cli::ExportChainSpecCmd),

    /// Execute blocks again and compare.
    CheckBlock(sc_cli::CheckBlockCmd),

    /// Write blocks to a file.
    ExportBlocks(sc_cli::ExportBlocksCmd),

    /// Write the state of a block as a chain spec.
    ExportState(sc_cli::ExportStateCmd),

    /// Read blocks from a file.
    ImportBlocks(sc_cli::ImportBlocksCmd),

    /// Delete the database of a chain.
    PurgeChain(sc_cli::PurgeChainCmd),

    /// Take back blocks that are not final.
    Revert(sc_cli::RevertCmd),

    /// Show what the database holds.
    ChainInfo(sc_cli::ChainInfoCmd),
}
