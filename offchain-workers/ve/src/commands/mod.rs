//! One file per group of commands.

pub mod clusters;
pub mod doctor;
pub mod invoice;
pub mod jobs;
pub mod key;
pub mod money;
pub mod output;
pub mod provider;
pub mod role;
pub mod run;
pub mod template;
