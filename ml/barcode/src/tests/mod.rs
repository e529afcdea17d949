//! Codes that are drawn, photographed badly, damaged and read again; and codes of another encoder.

mod draw;
mod pictures;
mod reading;
