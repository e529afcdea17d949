//! From pixels to the cells of a zone, with integers only.

mod grey;
mod ink;
mod locate;
mod quad;
mod strip;

pub use grey::Grey;
pub use locate::{locate, Block};
pub use quad::{Point, Projection, Quad, UNIT};
pub use strip::{Grid, Strip, CELL, MARGIN_CELLS, PITCH};
