//! The local scheduler with real processes.

mod bed;
mod conforms;
mod disk;
mod entry;
mod killed;
mod limits;
mod queue;
