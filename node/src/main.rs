//! The VirtEngine node: networking, consensus, storage and RPC around the runtime. It knows no business logic.

// The error type of the service is large, and it is not ours.
#![allow(clippy::result_large_err)]

mod chain_spec;
mod cli;
mod command;
mod rpc;
mod service;

use std::process::ExitCode;

fn main() -> ExitCode {
    match command::run() {
        Ok(()) => ExitCode::SUCCESS,
        // For people: their remedies are in the text, which `Debug` does not show.
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
