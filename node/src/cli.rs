//! Command line.

/// The VirtEngine node.
#[derive(Debug, clap::Parser)]
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
