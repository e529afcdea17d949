//! The VirtEngine node: networking, consensus, storage and RPC around the runtime. It knows no business logic.

// The error type of the service is large, and it is not ours.
#![allow(clippy::result_large_err)]

mod chain_spec;
mod cli;
mod command;
mod rpc;
mod service;

fn main() -> sc_cli::Result<()> {
    command::run()
}
