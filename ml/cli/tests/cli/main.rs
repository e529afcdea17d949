//! The truth tables through the whole pipeline, and the program as its users see it.

mod faces;
mod folders;
mod outlines;
mod program;
mod truth;
