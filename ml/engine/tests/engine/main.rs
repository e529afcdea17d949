//! Tests of the engine as its users see it.

mod artefact;
mod kernels;
mod known_answers;
mod oracle;
mod pinned;
mod random;
