//! The local scheduler's shim as an executable of its own, for programs that have no subcommand for it.
//!
//! `LocalConfig::shim` then has its path and no arguments. See `ve_slurm::shim`.

fn main() {
    std::process::exit(ve_slurm::shim::main(std::env::args_os().skip(1)));
}
