//! The steps: each does one thing, and doing it again after a crash at any point changes nothing.

mod admit;
mod collect;
mod dispute;
mod leave;
mod logs;
mod meter;
mod stage;
mod submit;
