//! From pixels to the cells of a zone, with integers only.

mod grey;
mod ink;
mod locate;
mod strip;

pub use grey::Grey;
pub use locate::{locate, Block};
pub use strip::{Grid, Strip, CELL, MARGIN_CELLS, PITCH};
pub use ve_ml_geometry::{Corner, Projection, Quad, UNIT};
