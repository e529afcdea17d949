//! One file per subject. Every test runs through [`crate::mock::run`], which checks all invariants and all money
//! at its end.

mod attacks;
mod clusters;
mod deadlines;
mod ends;
mod random;
mod reads;
mod states;
mod submit;
