//! Moves a face to where the embedding network expects it: 112 x 112 pixels, eyes, nose and mouth at fixed places.
//!
//! The transformation is the similarity (turn, scale, shift) that maps the landmarks onto the template with the least
//! squared error: S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns", IEEE
//! PAMI 13(4), 1991, which in the plane and without reflection has a closed form. With landmarks `l` and template `t`, both
//! less their means, `p = sum l . t`, `q = sum t x l` and `n = sum l . l`, the map from the picture to the template is
//! `[p q; -q p] / n`, and the one back, which the warp needs, `n / (p^2 + q^2) * [p -q; q p]`.
//!
//! Sums are exact integers; the two numbers of the map back are rounded to 1/65536. The warp samples bilinearly, with 8
//! bits after the point of a coordinate. Where a pixel of the result covers more than one of the picture it is the mean of
//! `k x k` samples, `k` the scale rounded up, at most 8.

use crate::{
    fixed::round_div,
    picture::{Picture, Point, UNIT},
};

/// Side of an aligned face.
pub const SIDE: usize = 112;
/// Where the landmarks belong, in 1/10,000 pixels: the template of ArcFace, which SFace uses too.
const TEMPLATE: [(i64, i64); 5] = [
    (382_946, 516_963),
    (735_318, 515_014),
    (560_252, 717_366),
    (415_493, 923_655),
    (707_299, 922_041),
];
/// Bits after the point of the two numbers of the map.
const BITS: u32 = 16;
/// Most pixels of the picture, one way, for a pixel of the face.
const MAX_SCALE: i64 = 1024;
/// No landmark is farther from the corner than this, in units of a [`Point`].
const FARTHEST: i64 = 1 << 26;
/// Most samples for a pixel, one way.
const MAX_SAMPLES: i64 = 8;

/// An aligned face.
#[derive(Clone, PartialEq, Eq)]
pub struct Aligned(Picture);

/// From a place of the aligned face to one of the picture: `[a -b; b a] * (place - from) + to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Similarity {
    a: i64,
    b: i64,
    /// Five times the mean of the template.
    from: Point,
    /// Five times the mean of the landmarks.
    to: Point,
}

fn template() -> [Point; 5] {
    TEMPLATE.map(|(x, y)| Point {
        x: round_div(x * UNIT, 10_000),
        y: round_div(y * UNIT, 10_000),
    })
}

fn sum(points: &[Point; 5]) -> Point {
    Point {
        x: points.iter().map(|p| p.x).sum(),
        y: points.iter().map(|p| p.y).sum(),
    }
}

impl Similarity {
    /// `None` when the landmarks are no face: all in one place, or the face larger than any picture.
    fn onto(landmarks: &[Point; 5]) -> Option<Self> {
        if landmarks
            .iter()
            .any(|p| p.x.abs().max(p.y.abs()) >= FARTHEST)
        {
            return None;
        }
        let template = template();
        let (from, to) = (sum(&template), sum(landmarks));
        let (mut p, mut q, mut n) = (0i128, 0i128, 0i128);
        for (t, l) in template.iter().zip(landmarks) {
            // Five times the distance from the mean, so that no division is needed.
            let (tx, ty) = (i128::from(5 * t.x - from.x), i128::from(5 * t.y - from.y));
            let (lx, ly) = (i128::from(5 * l.x - to.x), i128::from(5 * l.y - to.y));
            p += lx * tx + ly * ty;
            q += tx * ly - ty * lx;
            n += lx * lx + ly * ly;
        }
        // |l| < 2^30 and |t| < 2^18: n < 2^63, p and q < 2^52, and no product reaches 2^(63 + 52 + 1).
        let squared = p * p + q * q;
        if squared == 0 {
            return None;
        }
        // Divided before it is shifted, rounded half up.
        let scaled = |v: i128| {
            let (whole, rest) = ((n * v).div_euclid(squared), (n * v).rem_euclid(squared));
            (whole << BITS) + ((rest << BITS) + squared / 2) / squared
        };
        let (a, b) = (scaled(p), scaled(q));
        let most = i128::from(MAX_SCALE) << BITS;
        (a.abs() < most && b.abs() < most).then_some(Self {
            a: a as i64,
            b: b as i64,
            from,
            to,
        })
    }

    /// The place in the picture, rounded half up. `x` and `y` are in `1/parts` of the unit of a [`Point`].
    fn apply(&self, x: i64, y: i64, parts: i64) -> Point {
        let (x, y) = (5 * x - self.from.x * parts, 5 * y - self.from.y * parts);
        let place =
            |turned: i64, to: i64| round_div(turned + ((to * parts) << BITS), (5 * parts) << BITS);
        Point {
            x: place(self.a * x - self.b * y, self.to.x),
            y: place(self.b * x + self.a * y, self.to.y),
        }
    }

    /// Samples for a pixel, one way: the scale rounded up.
    fn samples(&self) -> i64 {
        let squared = self.a.pow(2) + self.b.pow(2);
        let scale = squared.isqrt() + i64::from(squared.isqrt().pow(2) < squared);
        ((scale + (1 << BITS) - 1) >> BITS).clamp(1, MAX_SAMPLES)
    }
}

impl Aligned {
    /// The face with these landmarks; outside of the picture there is black. `None` when the landmarks are no face.
    pub fn of(picture: &Picture, landmarks: &[Point; 5]) -> Option<Self> {
        let map = Similarity::onto(landmarks)?;
        let k = map.samples();
        let mut rgb = Vec::with_capacity(SIDE * SIDE * 3);
        for y in 0..SIDE as i64 {
            for x in 0..SIDE as i64 {
                let mut sums = [0; 3];
                for (i, j) in (0..k).flat_map(|j| (0..k).map(move |i| (i, j))) {
                    // The middles of k x k equal parts of the pixel, in 1/(2k) of a unit.
                    let part = |pixel: i64, i: i64| (2 * k * pixel + 2 * i + 1 - k) * UNIT;
                    let place = map.apply(part(x, i), part(y, j), 2 * k);
                    for (sum, value) in sums.iter_mut().zip(sample(picture, place)) {
                        *sum += value;
                    }
                }
                rgb.extend(sums.map(|sum| round_div(sum, k * k * UNIT * UNIT) as u8));
            }
        }
        Some(Self(Picture::new(SIDE, SIDE, rgb)))
    }

    /// The face as a picture.
    pub fn picture(&self) -> &Picture {
        &self.0
    }

    /// 112 x 112 pixels of three bytes.
    pub fn rgb(&self) -> &[u8] {
        self.0.rgb()
    }
}

/// The colour at a place, between its four pixels, in 1/65536.
pub(crate) fn sample(picture: &Picture, at: Point) -> [i64; 3] {
    let (x, y) = (at.x.div_euclid(UNIT), at.y.div_euclid(UNIT));
    let (right, below) = (at.x.rem_euclid(UNIT), at.y.rem_euclid(UNIT));
    let mut sum = [0; 3];
    for (dx, dy, weight) in [
        (0, 0, (UNIT - right) * (UNIT - below)),
        (1, 0, right * (UNIT - below)),
        (0, 1, (UNIT - right) * below),
        (1, 1, right * below),
    ] {
        for (sum, value) in sum.iter_mut().zip(picture.pixel(x + dx, y + dy)) {
            *sum += weight * i64::from(value);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Landmarks of a face that was turned, scaled and shifted, in whole units.
    fn moved(a: f64, b: f64, x: f64, y: f64) -> [Point; 5] {
        template().map(|t| {
            let (tx, ty) = (t.x as f64, t.y as f64);
            Point {
                x: (a * tx - b * ty + x).round() as i64,
                y: (b * tx + a * ty + y).round() as i64,
            }
        })
    }

    #[test]
    fn similarity_should_be_nothing_but_a_shift_when_the_landmarks_are_the_template() {
        let map = Similarity::onto(&moved(1.0, 0.0, 512.0, -256.0)).unwrap();
        assert_eq!((map.a, map.b, map.samples()), (1 << BITS, 0, 1));
        assert_eq!(
            map.apply(10 * UNIT, 20 * UNIT, 1),
            Point {
                x: 12 * UNIT,
                y: 19 * UNIT
            }
        );
    }

    #[test]
    fn similarity_should_be_refused_when_the_landmarks_are_no_face() {
        assert_eq!(Similarity::onto(&[Point { x: 5, y: 7 }; 5]), None);
        assert_eq!(Similarity::onto(&moved(1100.0, 0.0, 0.0, 0.0)), None);
    }

    #[test]
    fn face_should_be_copied_when_it_is_aligned_already() {
        let rgb = (0..150 * 130 * 3u32).map(|i| (i * i / 7) as u8).collect();
        let picture = Picture::new(150, 130, rgb);
        let face = Aligned::of(&picture, &moved(1.0, 0.0, 20.0 * 256.0, 10.0 * 256.0)).unwrap();
        for (x, y) in [(0, 0), (111, 111), (40, 77)] {
            assert_eq!(face.picture().pixel(x, y), picture.pixel(x + 20, y + 10));
        }
    }

    #[test]
    fn face_should_keep_its_brightness_when_many_pixels_become_one() {
        // A board of single pixels is grey from afar.
        let board = (0..400 * 400)
            .flat_map(|i| [255 * ((i + i / 400) % 2) as u8; 3])
            .collect();
        let picture = Picture::new(400, 400, board);
        let face = Aligned::of(&picture, &moved(3.0, 0.5, 80.0 * 256.0, 10.0 * 256.0)).unwrap();
        let [v, ..] = face.picture().pixel(60, 60);
        assert!((100..156).contains(&v), "{v}");
    }

    proptest! {
        #[test]
        fn similarity_should_be_least_squares_when_landmarks_are_noisy(
            a in -30.0..30.0f64, b in -30.0..30.0f64, x in 0.0..1e6f64, y in 0.0..1e6f64,
            noise in prop::array::uniform10(-500..500i64),
        ) {
            prop_assume!(a.hypot(b) > 0.3);
            let mut landmarks = moved(a, b, x, y);
            for (l, n) in landmarks.iter_mut().zip(noise.as_chunks::<2>().0) {
                (l.x, l.y) = (l.x + n[0], l.y + n[1]);
            }
            let Some(map) = Similarity::onto(&landmarks) else { return Ok(()) };
            // Umeyama's formula in floating point.
            let (from, to) = (sum(&template()), sum(&landmarks));
            let (mut p, mut q, mut n) = (0.0, 0.0, 0.0);
            for (t, l) in template().iter().zip(&landmarks) {
                let (tx, ty) = (t.x as f64 - from.x as f64 / 5.0, t.y as f64 - from.y as f64 / 5.0);
                let (lx, ly) = (l.x as f64 - to.x as f64 / 5.0, l.y as f64 - to.y as f64 / 5.0);
                (p, q, n) = (p + lx * tx + ly * ty, q + tx * ly - ty * lx, n + lx * lx + ly * ly);
            }
            let (fa, fb) = (n * p / (p * p + q * q), n * q / (p * p + q * q));
            prop_assert!((map.a as f64 / 65536.0 - fa).abs() < 1e-4 + fa.abs() * 1e-9);
            prop_assert!((map.b as f64 / 65536.0 - fb).abs() < 1e-4 + fb.abs() * 1e-9);
            let place = map.apply(30 * UNIT, 90 * UNIT, 1);
            let (tx, ty) = (30.0 * 256.0 - from.x as f64 / 5.0, 90.0 * 256.0 - from.y as f64 / 5.0);
            let (px, py) = (fa * tx - fb * ty + to.x as f64 / 5.0, fb * tx + fa * ty + to.y as f64 / 5.0);
            prop_assert!((place.x as f64 - px).abs() < 2.0 && (place.y as f64 - py).abs() < 2.0);
        }
    }
}
