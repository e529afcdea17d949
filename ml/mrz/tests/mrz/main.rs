//! Tests of the zone's reader.

mod known;
mod pictures;
mod places;
mod properties;
mod repair;
