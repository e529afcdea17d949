//! One file per group of commands.

pub mod cluster;
pub mod clusters;
pub mod dispute;
pub mod doctor;
mod inputs;
pub mod invoice;
pub mod jobs;
pub mod key;
pub mod money;
mod offers;
pub mod output;
pub mod plan;
pub mod provider;
pub mod quote;
mod readers;
pub mod role;
pub mod run;
pub mod template;
