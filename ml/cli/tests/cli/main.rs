//! The truth tables through the whole pipeline, and the program as its users see it.

mod faces;
mod folders;
mod program;
mod truth;
