//! Tests of the zone's reader.

mod known;
mod pictures;
mod properties;
