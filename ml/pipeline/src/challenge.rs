//! The head-turn challenge: the head turns to the left or to the right side of the picture, and back, a few times, in an
//! order that nobody knew before the request.
//!
//! The yaw of a frame is measured from the landmarks ([`crate::detect::Face::yaw`]): when a head turns, the nose, which is nearer to
//! the camera, moves against the eyes. A flat picture that is moved, tilted or turned keeps the proportions of its
//! landmarks, so its yaw stays where it was.
//!
//! What this does not catch: a video of the person that happens to show the same order (one of [`ORDERS`] is right), a
//! film made to measure while the challenge is open, a mask, a picture that is bent like a face, and synthetic faces that
//! turn on demand. It is one feature among others, not a proof of life.

use crate::{detect::Face, picture::Point, reasons::Reason};

/// Most frames.
pub const MAX_FRAMES: usize = 64;
/// Least frames in which one face was found.
pub const MIN_FRAMES: usize = 12;
/// Turns that are asked for.
pub const TURNS: usize = 4;
/// Orders that can be asked for.
pub const ORDERS: usize = 1 << TURNS;
/// A yaw up to this looks into the camera, one from [`TURNED`] on is a turned head; in 1/1000 of the eyes' distance.
pub const CENTRED: i64 = 120;
/// See [`CENTRED`].
pub const TURNED: i64 = 220;
/// From one frame to the next: most change of the yaw, most way of the nose in distances between the eyes, and most change
/// of that distance as a ratio. More is a cut.
const MAX_YAW_STEP: i64 = 400;
const MAX_WAY: i64 = 1;
const MAX_GROWTH: (i64, i64) = (3, 2);

/// A side of the picture, as somebody sees who looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Smaller x.
    Left,
    /// Larger x.
    Right,
}

/// The turns that a challenge value asks for: bit `i` of its first byte says the side of turn `i`, 0 is left.
pub fn order(challenge: &[u8; 32]) -> [Side; TURNS] {
    core::array::from_fn(|i| match challenge[0] >> i & 1 {
        0 => Side::Left,
        _ => Side::Right,
    })
}

/// What the frames show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turned {
    /// From the smallest to the largest yaw.
    pub range: i64,
    /// Frames that look into the camera: the first, and the first after each turn. Only these are worth comparing
    /// with a selfie.
    pub centred: Vec<usize>,
    /// Whether the head turned as asked.
    pub verdict: Result<(), Reason>,
}

/// Judges the frames of a challenge, each the only face of its frame, in the order of time.
pub fn judge(faces: &[Face], order: &[Side]) -> Turned {
    let yaws = faces.iter().map(Face::yaw);
    let range = yaws.clone().max().unwrap_or(0) - yaws.min().unwrap_or(0);
    let mut turned = Turned {
        range,
        centred: Vec::new(),
        verdict: Ok(()),
    };
    turned.verdict = follow(faces, order, &mut turned.centred);
    // Who did not move at all should be told that, not that a turn is missing.
    if turned.verdict == Err(Reason::ChallengeWrongOrder) && range < TURNED {
        turned.verdict = Err(Reason::ChallengeStill);
    }
    turned
}

fn follow(faces: &[Face], order: &[Side], centred: &mut Vec<usize>) -> Result<(), Reason> {
    if faces.len() < MIN_FRAMES {
        return Err(Reason::ChallengeTooFewFrames);
    }
    if faces.len() > MAX_FRAMES {
        return Err(Reason::ChallengeTooManyFrames);
    }
    if faces.windows(2).any(|pair| jumps(&pair[0], &pair[1])) {
        return Err(Reason::ChallengeJump);
    }
    let mut left = order.iter();
    // The side to which the head is turned now.
    let mut side = None;
    for (i, face) in faces.iter().enumerate() {
        let yaw = face.yaw();
        if yaw.abs() <= CENTRED {
            if side.take().is_some() || centred.is_empty() {
                centred.push(i);
            }
            continue;
        }
        if yaw.abs() < TURNED {
            continue;
        }
        let now = if yaw < 0 { Side::Left } else { Side::Right };
        if side == Some(now) {
            continue;
        }
        // It begins in the middle, and the way from side to side leads through it.
        if centred.is_empty() || side.is_some() || left.next() != Some(&now) {
            return Err(Reason::ChallengeWrongOrder);
        }
        side = Some(now);
    }
    if left.next().is_some() || side.is_some() {
        return Err(Reason::ChallengeWrongOrder);
    }
    Ok(())
}

/// Whether no head moves like that from one frame to the next.
fn jumps(a: &Face, b: &Face) -> bool {
    let (eyes_a, eyes_b) = (a.eyes_squared().isqrt(), b.eyes_squared().isqrt());
    let (least, most) = (eyes_a.min(eyes_b), eyes_a.max(eyes_b));
    let way = |f: fn(Point) -> i64| (f(a.landmarks[2]) - f(b.landmarks[2])).abs();
    (a.yaw() - b.yaw()).abs() > MAX_YAW_STEP
        || way(|p| p.x).max(way(|p| p.y)) > MAX_WAY * most
        || most * MAX_GROWTH.1 > least * MAX_GROWTH.0
}
