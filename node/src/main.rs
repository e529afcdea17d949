//! The VirtEngine node: networking, consensus, storage and RPC around the runtime. It knows no business logic.

mod chain_spec;
mod cli;
mod command;
mod rpc;
mod service;

fn main() -> sc_cli::Result<()> {
    command::run()
}
