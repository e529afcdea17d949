//! Finds faces with YuNet, in integers from the picture to the landmarks.
//!
//! The network looks at 320 x 320 pixels, divided into cells of 8, 16 and 32 pixels. For each cell it says how much the
//! cell looks like a face (`cls`), how much like any object (`obj`), where the face's frame is and where five landmarks
//! are, in multiples of the cell's side. The formulas are those of the network's authors (libfacedetection):
//!
//! * confidence `sqrt(cls * obj)`;
//! * middle of the frame `(column + x, row + y) * side`, its size `(exp(w), exp(h)) * side`;
//! * landmark `(column + x, row + y) * side`.
//!
//! Ties: candidates are ordered by confidence, then by the side of their cell, then by the cell's number, so that the
//! same one survives everywhere.

use crate::{
    fixed::{exp, round_div},
    models::Detector,
    picture::{Picture, Point, UNIT},
};
use ve_ml_engine::Execution;

/// Side of the square that the network looks at.
pub const SIDE: usize = 320;
/// Least confidence of a face, in 1/16384.
pub const CERTAIN: i64 = ONE * 7 / 10;
/// Confidence and the first two outputs: 1 in the network's units.
pub const ONE: i64 = 1 << 14;
/// Sides of the cells, and the bits after the binary point of their frames and landmarks. `ml/models/manifest.toml` says
/// the same, and a test compares.
pub const GRIDS: [(usize, u32, u32); 3] = [(8, 12, 11), (16, 13, 13), (32, 12, 12)];
/// Frames that have more than this part of their common area in common are one face.
const OVERLAP: (i64, i64) = (3, 10);
/// A frame is at most this many pixels wide or high; more is noise.
const LARGEST: i64 = 4 * SIDE as i64;
/// Most faces of a picture that are kept.
const MOST: usize = 255;

/// A face in a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Face {
    /// Confidence in 1/16384.
    pub confidence: i64,
    /// Upper left corner of the frame.
    pub corner: Point,
    /// Width and height of the frame.
    pub size: Point,
    /// The person's right eye, left eye, nose, right and left corner of the mouth.
    pub landmarks: [Point; 5],
}

/// The faces of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faces {
    /// Clockwise quarter turns after which the faces stand upright; coordinates are those of the picture as it is.
    pub turns: u8,
    /// All of them, the largest first.
    pub faces: Vec<Face>,
}

impl Face {
    /// Squared distance between the eyes, in squared units of a [`Point`].
    pub fn eyes_squared(&self) -> i64 {
        let [right, left, ..] = self.landmarks;
        (left.x - right.x).pow(2) + (left.y - right.y).pow(2)
    }

    /// Corners of the frame, upper left first, clockwise.
    pub fn frame(&self) -> [Point; 4] {
        let (left, top) = (self.corner.x, self.corner.y);
        let (right, bottom) = (left + self.size.x, top + self.size.y);
        [(left, top), (right, top), (right, bottom), (left, bottom)].map(|(x, y)| Point { x, y })
    }

    /// Distance between the eyes in whole pixels, rounded down.
    pub fn eyes(&self) -> i64 {
        self.eyes_squared().isqrt() / UNIT
    }

    /// How far the nose is from the middle between the eyes, along the line from the eye on the left of an upright picture
    /// to the eye on its right, in 1/1000 of the distance between the eyes, rounded towards zero. Zero for a face that
    /// looks into the camera, positive when it looks to the right side of the picture; does not depend on the size of the
    /// face or on how the head is tilted. Zero, too, when the eyes are in one place.
    pub fn yaw(&self) -> i64 {
        let [right, left, nose, ..] = self.landmarks;
        let along = |a: i64, b: i64| i128::from(a) * i128::from(b);
        let x = along(2 * nose.x - left.x - right.x, left.x - right.x);
        let y = along(2 * nose.y - left.y - right.y, left.y - right.y);
        let yaw = (500 * (x + y)).checked_div(self.eyes_squared().into());
        yaw.unwrap_or(0).clamp(-2000, 2000) as i64
    }

    /// Whether the mouth is below the eyes, more than beside them.
    fn is_upright(&self) -> bool {
        let [re, le, _, rm, lm] = self.landmarks;
        let (x, y) = (rm.x + lm.x - re.x - le.x, rm.y + lm.y - re.y - le.y);
        y > x.abs()
    }

    fn map(&self, f: impl Fn(Point) -> Point, size: Point) -> Self {
        let opposite = f(Point {
            x: self.corner.x + self.size.x,
            y: self.corner.y + self.size.y,
        });
        let corner = f(self.corner);
        Self {
            confidence: self.confidence,
            corner: Point {
                x: corner.x.min(opposite.x),
                y: corner.y.min(opposite.y),
            },
            size,
            landmarks: self.landmarks.map(f),
        }
    }
}

/// Finds the faces of a picture, however it was turned.
///
/// All four quarter turns are tried. The turn with the most certain upright face (mouth below the eyes) wins; of equal
/// ones, the one with fewer turns.
pub fn detect(detector: &Detector, picture: &Picture, how: Execution) -> Faces {
    let small = picture.shrunk(SIDE);
    let mut best = Faces {
        turns: 0,
        faces: Vec::new(),
    };
    let mut most = 0;
    for turns in 0..4 {
        let faces = candidates(detector, &small.turned(turns), how);
        // The first is the most certain.
        let upright = faces.iter().find(|face| face.is_upright());
        if let Some(face) = upright.filter(|face| face.confidence > most) {
            most = face.confidence;
            best = Faces { turns, faces };
        }
    }
    let back = (4 - best.turns) % 4;
    let turned = if best.turns % 2 == 1 {
        (small.height(), small.width())
    } else {
        (small.width(), small.height())
    };
    for face in &mut best.faces {
        *face = enlarge(&turn(face, back, turned), &small, picture);
    }
    // Stable: of equally large ones the more certain stays first.
    best.faces
        .sort_by_key(|face| std::cmp::Reverse(face.eyes_squared()));
    best
}

/// Faces of a picture that fits the network, most certain first, in its coordinates.
fn candidates(detector: &Detector, picture: &Picture, how: Execution) -> Vec<Face> {
    let outputs = detector.run(picture, how);
    let mut found = Vec::new();
    for (grid, (side, frame_bits, point_bits)) in GRIDS.into_iter().enumerate() {
        let [class, object, frames, points] =
            [0, 3, 6, 9].map(|part| outputs[part + grid].as_slice());
        let columns = SIDE / side;
        for cell in 0..columns * columns {
            let [class, object] = [class, object].map(|o| i64::from(o[cell]).clamp(0, ONE));
            let confidence = (class * object).isqrt();
            if confidence < CERTAIN {
                continue;
            }
            let origin = [cell % columns, cell / columns].map(|n| n as i64);
            // A multiple of the cell's side, after the binary point `bits` bits, in units of a point.
            let place = |axis: usize, value: i16, bits: u32| {
                let place = (origin[axis] << bits) + i64::from(value);
                round_div(place * side as i64 * UNIT, 1 << bits)
            };
            let [x, y, w, h] = core::array::from_fn(|i| frames[4 * cell + i]);
            let size = [w, h].map(|v| {
                // `exp` has 16 bits after the point.
                let size = exp(i64::from(v) << (16 - frame_bits)) * side as i64;
                round_div(size * UNIT, 1 << 16).min(LARGEST * UNIT)
            });
            found.push(Face {
                confidence,
                corner: Point {
                    x: place(0, x, frame_bits) - size[0] / 2,
                    y: place(1, y, frame_bits) - size[1] / 2,
                },
                size: Point {
                    x: size[0],
                    y: size[1],
                },
                landmarks: core::array::from_fn(|k| Point {
                    x: place(0, points[10 * cell + 2 * k], point_bits),
                    y: place(1, points[10 * cell + 2 * k + 1], point_bits),
                }),
            });
        }
    }
    // They were found in the order of the cells' sides and numbers, and the sort is stable.
    found.sort_by_key(|face| std::cmp::Reverse(face.confidence));
    let mut kept: Vec<Face> = Vec::new();
    for face in found {
        if kept.len() < MOST && !kept.iter().any(|other| overlap(other, &face)) {
            kept.push(face);
        }
    }
    kept
}

/// Whether two frames show one face: common area over united area above [`OVERLAP`].
fn overlap(a: &Face, b: &Face) -> bool {
    let common = |a0: i64, a1: i64, b0: i64, b1: i64| ((a0 + a1).min(b0 + b1) - a0.max(b0)).max(0);
    let common = common(a.corner.x, a.size.x, b.corner.x, b.size.x)
        * common(a.corner.y, a.size.y, b.corner.y, b.size.y);
    let united = a.size.x * a.size.y + b.size.x * b.size.y - common;
    common * OVERLAP.1 > united * OVERLAP.0
}

/// The face in the same picture after clockwise quarter turns; `size` is the picture's width and height before.
fn turn(face: &Face, turns: u8, size: (usize, usize)) -> Face {
    let (right, bottom) = ((size.0 as i64 - 1) * UNIT, (size.1 as i64 - 1) * UNIT);
    let flipped = Point {
        x: face.size.y,
        y: face.size.x,
    };
    match turns {
        0 => *face,
        1 => face.map(
            |p| Point {
                x: bottom - p.y,
                y: p.x,
            },
            flipped,
        ),
        2 => face.map(
            |p| Point {
                x: right - p.x,
                y: bottom - p.y,
            },
            face.size,
        ),
        _ => face.map(
            |p| Point {
                x: p.y,
                y: right - p.x,
            },
            flipped,
        ),
    }
}

/// From the shrunk picture to the picture.
fn enlarge(face: &Face, small: &Picture, picture: &Picture) -> Face {
    let scale = |p: Point| Point {
        x: round_div(p.x * picture.width() as i64, small.width() as i64),
        y: round_div(p.y * picture.height() as i64, small.height() as i64),
    };
    face.map(scale, scale(face.size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(points: [(i64, i64); 5]) -> Face {
        Face {
            confidence: ONE,
            corner: Point { x: 0, y: 0 },
            size: Point {
                x: 10 * UNIT,
                y: 20 * UNIT,
            },
            landmarks: points.map(|(x, y)| Point {
                x: x * UNIT,
                y: y * UNIT,
            }),
        }
    }

    #[test]
    fn yaw_should_follow_the_nose_when_the_head_turns() {
        let look = |nose| face([(10, 10), (50, 10), (nose, 30), (15, 50), (45, 50)]).yaw();
        assert_eq!((look(30), look(40), look(10)), (0, 250, -500));
        let tilted = face([(10, 10), (10, 50), (0, 40), (0, 0), (0, 0)]);
        assert_eq!(tilted.yaw(), 250);
        assert_eq!(face([(0, 0); 5]).yaw(), 0);
    }

    #[test]
    fn face_should_come_back_when_turned_round() {
        let f = face([(10, 10), (50, 10), (30, 30), (15, 50), (45, 55)]);
        assert!(f.is_upright());
        let once = turn(&f, 1, (100, 60));
        assert!(!once.is_upright());
        assert_eq!(turn(&once, 3, (60, 100)), f);
        assert_eq!(turn(&turn(&f, 2, (100, 60)), 2, (100, 60)), f);
        assert_eq!(
            once.landmarks[0],
            Point {
                x: (59 - 10) * UNIT,
                y: 10 * UNIT
            }
        );
    }

    #[test]
    fn overlap_should_be_strict_when_frames_share_three_tenths() {
        let at = |x: i64, width: i64| Face {
            corner: Point { x, y: 0 },
            size: Point { x: width, y: 10 },
            ..face([(0, 0); 5])
        };
        assert!(!overlap(&at(0, 10), &at(7, 3)));
        assert!(overlap(&at(0, 10), &at(6, 4)));
        assert!(!overlap(&at(0, 10), &at(10, 10)));
    }
}
