//! The outline of a document: its four corners, and the document laid flat.
//!
//! The picture is shrunk, its edges vote for straight lines, and of all pairs of lying lines with all pairs of standing
//! ones those are looked at that enclose something of a document's shape. Each side counts by how much of it is an edge
//! less how much is not; the quadrilateral with the highest sum is the outline.
//!
//! Where a portrait or a machine-readable zone was found, a side may be a border of the picture instead of an edge, which
//! counts for nothing. One such side is a document that is cut off, or just fits. With more of them, up to the whole
//! picture, the document was scanned or cropped to its edges, and its shape must be that of a document seen from straight
//! above. No camera takes pictures of such proportions (they are 4:3, 3:2 and 16:9), so a photograph of a person that
//! nobody cropped is not a document. What was found must lie inside the outline and be as large as it is on documents: a
//! printed frame, the portrait's own, or an open booklet instead of its data page is not the outline.
//!
//! Where nothing was found four edges are needed, and anything of a document's shape and size will do: a card's back, but
//! also a sheet of paper or a screen. That a document was found says little about it.

mod edges;
mod lines;

use crate::{
    align::sample,
    fixed::round_div,
    picture::{Picture, Point, UNIT},
};
use edges::Edges;
use lines::{Line, View, PLACE};
use ve_ml_geometry::Quad;

/// Longer side of the picture in which lines are looked for.
const SIDE: usize = 384;
/// Least part of the picture that a document fills: one of so many.
const SMALLEST: i64 = 8;
/// Width over height of documents, in 1/1000, the longer side first: ID-1 (85.6 x 53.98 mm), and ID-2 and ID-3, which have
/// the same (ISO/IEC 7810).
const SHAPES: [i64; 2] = [1586, 1421];
/// How far the shape may be from these: seen from straight above (a twenty-fifth), and from anywhere (a quarter).
const STRAIGHT: i64 = 25;
const ASLANT: i64 = 4;
/// Least part of a side that is an edge, of one side and of all together, in 1/100.
const SIDE_EDGES: i64 = 40;
const ALL_EDGES: i64 = 60;
/// A document is at least so many times as large as a face on it; a portrait is three times as large as its face.
const FACES: i64 = 6;
/// Area of a document over the square of its zone's length, in 1/100: 77 (visas) to 93 (TD2), seen from straight above. An
/// open booklet has 178.
const ZONES: std::ops::RangeInclusive<i64> = 40..=135;
/// How far outside of the picture a corner may be: one of so many of the picture's longer side.
const MARGIN: i64 = 50;
/// The same for a corner that is not missing, and for what is printed on the document and may seem to be outside of it.
const SLACK: i64 = 100;
/// Most samples for a pixel of the document laid flat, one way.
const MAX_SAMPLES: i64 = 8;

/// What was found on the document, in the coordinates of the picture in which the outline is looked for.
#[derive(Clone, Debug, Default)]
pub struct Printed {
    /// The portrait's face, corners of its frame.
    pub face: Option<[Point; 4]>,
    /// The machine-readable zone, corners as one reads.
    pub zone: Option<[Point; 4]>,
}

/// The outline of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Corners in the picture, above left first, clockwise.
    pub corners: [Point; 4],
    /// Sides that are edges; the others are borders of the picture.
    pub edges: usize,
    /// Part of the document seems to be outside of the picture.
    pub is_cut: bool,
}

impl Outline {
    /// Finds the outline of the document that a picture shows. The same bits on every machine, in bounded time, for any
    /// picture.
    pub fn find(picture: &Picture, printed: &Printed) -> Option<Self> {
        let small = picture.shrunk(SIDE);
        let edges = Edges::of(&small);
        let [lying, standing] = [false, true].map(|way| View::new(&edges, way).lines());
        let frame = Frame::new(picture, &small, printed);
        let pairs = |lines: &[Line]| -> Vec<(usize, usize)> {
            (0..lines.len())
                .flat_map(|i| (i + 1..lines.len()).map(move |j| (i, j)))
                .collect()
        };
        let (across, down) = (pairs(&lying), pairs(&standing));
        let mut best: Option<(i64, Self)> = None;
        for (a, b) in across {
            for (c, d) in &down {
                let found = frame.judge([&lying[a], &lying[b]], [&standing[*c], &standing[*d]]);
                // Of equal ones the first.
                best = match (best, found) {
                    (Some(best), Some(found)) if found.0 <= best.0 => Some(best),
                    (best, found) => found.or(best),
                };
            }
        }
        best.map(|(_, outline)| outline)
    }

    /// Length of the upper edge, in pixels, rounded.
    pub fn width(&self) -> i64 {
        let [a, b, ..] = self.corners;
        round_div(length(a, b), UNIT)
    }

    /// The document laid flat, as large as its sides are in the mean, but not longer than `side` pixels. A pixel is the
    /// mean of `k x k` samples of the picture, `k` as many as pixels become one, at most 8. Nothing if the corners do not
    /// go round, or one is farther than 32,768 pixels away.
    pub fn rectified(&self, picture: &Picture, side: usize) -> Option<Picture> {
        let coarser = UNIT / ve_ml_geometry::UNIT;
        let quad = Quad(self.corners.map(|p| ve_ml_geometry::Corner {
            x: round_div(p.x, coarser),
            y: round_div(p.y, coarser),
        }));
        // Corners that go round have sides.
        quad.projection(1, 1)?;
        let (along, across) = quad.sides();
        let longer = along.max(across);
        let most = longer.min(side.clamp(1, 1 << 13) as i64 * ve_ml_geometry::UNIT);
        let size = |s: i64| (s * most / longer / ve_ml_geometry::UNIT).max(1);
        let (width, height) = (size(along), size(across));
        let k = ((longer + most - 1) / most).clamp(1, MAX_SAMPLES);
        let projection = quad.projection(2 * k * width, 2 * k * height)?;
        let mut rgb = Vec::with_capacity((width * height * 3) as usize);
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let mut sums = [0; 3];
            for (j, i) in (0..k).flat_map(|j| (0..k).map(move |i| (j, i))) {
                let place = projection.at(2 * (k * x + i) + 1, 2 * (k * y + j) + 1);
                let (x, y) = place.unwrap_or((-UNIT, -UNIT));
                let values = sample(picture, Point { x, y });
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += value;
                }
            }
            rgb.extend(sums.map(|sum| round_div(sum, k * k * UNIT * UNIT) as u8));
        }
        Some(Picture::new(width as usize, height as usize, rgb))
    }
}

/// The small picture, and what must be in an outline. Points here are in 1/256 of half a pixel of the small picture, from
/// its middle.
struct Frame {
    /// Sides of the picture, and of the small one.
    old: (i64, i64),
    new: (i64, i64),
    face: Option<[Point; 4]>,
    zone: Option<[Point; 4]>,
}

impl Frame {
    fn new(picture: &Picture, small: &Picture, printed: &Printed) -> Self {
        let (old, new) = [picture, small]
            .map(|p| (p.width() as i64, p.height() as i64))
            .into();
        let scaled = |corners: Option<[Point; 4]>| {
            let place = |v: i64, old: i64, new: i64| (2 * v + UNIT - UNIT * old) * new / old;
            corners.map(|corners| {
                corners.map(|p| Point {
                    x: place(p.x, old.0, new.0),
                    y: place(p.y, old.1, new.1),
                })
            })
        };
        Self {
            old,
            new,
            face: scaled(printed.face),
            zone: scaled(printed.zone),
        }
    }

    /// The quadrilateral of two lying and two standing lines, and how much speaks for it; nothing when it cannot be a
    /// document's outline.
    fn judge(&self, mut lying: [&Line; 2], mut standing: [&Line; 2]) -> Option<(i64, Outline)> {
        let meet = |lying: &Line, standing: &Line| {
            let (x, y) = lying.meets(standing)?;
            Some(Point { x, y })
        };
        let mut corners = [
            meet(lying[0], standing[0])?,
            meet(lying[0], standing[1])?,
            meet(lying[1], standing[1])?,
            meet(lying[1], standing[0])?,
        ];
        if corners[0].y + corners[1].y > corners[2].y + corners[3].y {
            corners.reverse();
            lying.reverse();
        }
        if corners[0].x + corners[3].x > corners[1].x + corners[2].x {
            let [a, b, c, d] = corners;
            corners = [b, a, d, c];
            standing.reverse();
        }
        let sides = [lying[0], standing[1], lying[1], standing[0]];
        let edges = sides.iter().filter(|side| !side.is_border()).count();
        let shape = self.shape(&corners)?;
        let is_printed = self.face.is_some() || self.zone.is_some();
        let is_enough = match edges {
            4 => true,
            3 => is_printed,
            _ => is_printed && shape.is_straight,
        };
        if !is_enough || !self.holds(&corners, shape.area) {
            return None;
        }
        let score = self.edges(&corners, &shape.lengths, &sides)?;
        let outline = Outline {
            corners: corners.map(|p| self.place(p)),
            edges,
            is_cut: edges == 3 && !shape.is_straight || !self.surrounds(&corners, SLACK),
        };
        Some((score, outline))
    }

    /// A point in the whole picture.
    fn place(&self, point: Point) -> Point {
        let place = |v: i64, old: i64, new: i64| {
            // 256 units are half a pixel of the small picture.
            ((old - 1) * UNIT + round_div(v * old, new)) / 2
        };
        Point {
            x: place(point.x, self.old.0, self.new.0),
            y: place(point.y, self.old.1, self.new.1),
        }
    }

    /// Whether corners are in the picture, with one of `part` of its longer side around it.
    fn surrounds(&self, corners: &[Point; 4], part: i64) -> bool {
        let (w, h) = self.new;
        let margin = 2 * (w.max(h) << PLACE) / part;
        let inside =
            |p: &Point| p.x.abs() <= (w << PLACE) + margin && p.y.abs() <= (h << PLACE) + margin;
        corners.iter().all(inside)
    }

    fn shape(&self, corners: &[Point; 4]) -> Option<Shape> {
        if !self.surrounds(corners, MARGIN) {
            return None;
        }
        let [a, b, c, d] = *corners;
        if [[a, b, c], [b, c, d], [c, d, a], [d, a, b]]
            .into_iter()
            .any(|[a, b, c]| cross(a, b, c) <= 0)
        {
            return None;
        }
        let area = (cross(a, b, c) + cross(a, c, d)) / 2;
        if area * SMALLEST < (self.new.0 * self.new.1) << (2 * PLACE + 2) {
            return None;
        }
        let lengths = [length(a, b), length(b, c), length(c, d), length(d, a)];
        // Opposite sides differ by a half at most.
        let opposite = |i: usize| {
            let (longer, shorter) = (
                lengths[i].max(lengths[i + 2]),
                lengths[i].min(lengths[i + 2]),
            );
            2 * longer <= 3 * shorter
        };
        if !opposite(0) || !opposite(1) {
            return None;
        }
        let (along, across) = (lengths[0] + lengths[2], lengths[1] + lengths[3]);
        let ratio = 1000 * along.max(across) / along.min(across);
        let near = |part: i64| SHAPES.iter().any(|s| (ratio - s).abs() * part <= *s);
        near(ASLANT).then(|| Shape {
            area,
            lengths,
            is_straight: near(STRAIGHT),
        })
    }

    /// Whether what is printed on the document lies within corners, and is neither too large nor too small for it.
    fn holds(&self, corners: &[Point; 4], area: i64) -> bool {
        let margin = 2 * (self.new.0.max(self.new.1) << PLACE) / SLACK;
        let inside = |p: &Point| {
            (0..4).all(|i| {
                let (a, b) = (corners[i], corners[(i + 1) % 4]);
                cross(a, b, *p) >= -margin * length(a, b)
            })
        };
        let face = self.face.is_none_or(|face| {
            let [a, b, c, _] = face;
            face.iter().all(inside) && FACES * length(a, b) * length(b, c) <= area
        });
        let zone = self.zone.is_none_or(|zone| {
            let [a, b, ..] = zone;
            zone.iter().all(inside) && ZONES.contains(&(100 * area / length(a, b).pow(2).max(1)))
        });
        face && zone
    }

    /// Length of the sides that are edges, less the length that is not; nothing when too little is.
    fn edges(&self, corners: &[Point; 4], lengths: &[i64; 4], sides: &[&Line; 4]) -> Option<i64> {
        let (mut edge, mut whole) = (0, 0);
        for (i, side) in sides.iter().enumerate() {
            let (a, b) = (corners[i], corners[(i + 1) % 4]);
            let (from, to) = if i % 2 == 0 { (a.x, b.x) } else { (a.y, b.y) };
            let Some((edges, all)) = side.edges(from, to) else {
                continue;
            };
            if all == 0 || edges * 100 < all * SIDE_EDGES {
                return None;
            }
            edge += lengths[i] * edges / all;
            whole += lengths[i];
        }
        (edge * 100 >= whole * ALL_EDGES).then_some(2 * edge - whole)
    }
}

struct Shape {
    area: i64,
    lengths: [i64; 4],
    /// As a document seen from straight above.
    is_straight: bool,
}

/// Twice the area of a triangle, positive when it goes round clockwise.
fn cross(a: Point, b: Point, c: Point) -> i64 {
    (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)
}

fn length(a: Point, b: Point) -> i64 {
    ((a.x - b.x).pow(2) + (a.y - b.y).pow(2)).isqrt()
}
