//! A quadrilateral of a picture, and where a point of its flat original lies in it: integers only, no dependency.
#![no_std]

/// Units of a pixel in a [`Corner`].
pub const UNIT: i64 = 16;

/// A corner of a [`Quad`], in 1/16 of a pixel; the middle of the first pixel is 0, 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corner {
    /// To the right.
    pub x: i64,
    /// Downwards.
    pub y: i64,
}

/// Corners: above left, above right, below right, below left, as one reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quad(pub [Corner; 4]);

/// Largest magnitude of a coordinate: a side of 2^15 pixels on either side.
const LARGEST: i64 = UNIT << 15;

impl Quad {
    /// Mean lengths of the sides that one reads along, and of the others, in 1/16 of a pixel.
    pub fn sides(&self) -> (i64, i64) {
        let length = |i: usize, j: usize| {
            let (dx, dy) = (self.0[i].x - self.0[j].x, self.0[i].y - self.0[j].y);
            (dx * dx + dy * dy).isqrt()
        };
        (
            (length(0, 1) + length(3, 2)) / 2,
            (length(0, 3) + length(1, 2)) / 2,
        )
    }

    /// The projective map from a rectangle of `width` x `height` to this quadrilateral; nothing when the corners are out of
    /// bounds or do not go round.
    pub fn projection(&self, width: i64, height: i64) -> Option<Projection> {
        let [p0, p1, p2, p3] = self.0;
        let bounded = |p: &Corner| p.x.abs() <= LARGEST && p.y.abs() <= LARGEST;
        let side = 1..=1 << 16;
        if !self.0.iter().all(bounded) || !side.contains(&width) || !side.contains(&height) {
            return None;
        }
        // Convex and clockwise: every corner turns the same way.
        let corners = [[p0, p1, p2], [p1, p2, p3], [p2, p3, p0], [p3, p0, p1]];
        let turns =
            |[a, b, c]: [Corner; 3]| (b.x - a.x) * (c.y - b.y) - (b.y - a.y) * (c.x - b.x) > 0;
        if !corners.into_iter().all(turns) {
            return None;
        }
        // Heckbert, "Fundamentals of Texture Mapping and Image Warping" (1989), section 2.2.3, multiplied by its
        // denominator. Coordinates below 2^20, so g, h and d below 2^43 and the others below 2^65.
        let (x1, x2, y1, y2) = (p1.x - p2.x, p3.x - p2.x, p1.y - p2.y, p3.y - p2.y);
        let (sx, sy) = (p0.x - p1.x + p2.x - p3.x, p0.y - p1.y + p2.y - p3.y);
        let wide = |v: i64| i128::from(v);
        let d = wide(x1 * y2 - x2 * y1);
        let (g, h) = (wide(sx * y2 - x2 * sy), wide(x1 * sy - sx * y1));
        let (w, v) = (wide(width), wide(height));
        let row = |c0: i64, c1: i64, c3: i64| {
            [
                (wide(c1 - c0) * d + wide(c1) * g) * v,
                (wide(c3 - c0) * d + wide(c3) * h) * w,
                wide(c0) * d * w * v,
            ]
        };
        Some(Projection {
            x: row(p0.x, p1.x, p3.x),
            y: row(p0.y, p1.y, p3.y),
            below: [g * v, h * w, d * w * v],
        })
    }
}

/// A projective map with integer coefficients.
pub struct Projection {
    x: [i128; 3],
    y: [i128; 3],
    below: [i128; 3],
}

impl Projection {
    /// Where a point of the rectangle lies, in 1/256 of a pixel; nothing when it lies behind the horizon, or so far that no
    /// picture reaches there.
    pub fn at(&self, u: i64, v: i64) -> Option<(i64, i64)> {
        let apply = |[a, b, c]: [i128; 3]| a * i128::from(u) + b * i128::from(v) + c;
        let below = apply(self.below);
        let far = 1i128 << 32;
        let coordinate = |above: i128| {
            let value = (above * (256 / i128::from(UNIT))).checked_div(below)?;
            (value.abs() < far).then_some(value as i64)
        };
        (below.signum() == self.below[2].signum())
            .then(|| Some((coordinate(apply(self.x))?, coordinate(apply(self.y))?)))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SKEWED: [(i64, i64); 4] = [(100, 200), (4100, 320), (3900, 1600), (40, 1210)];

    fn quad(corners: [(i64, i64); 4]) -> Quad {
        Quad(corners.map(|(x, y)| Corner { x, y }))
    }

    #[test]
    fn corners_should_map_to_corners_when_a_quadrilateral_is_skewed() {
        let projection = quad(SKEWED).projection(500, 90).expect("a quadrilateral");
        for ((u, v), (x, y)) in [(0, 0), (500, 0), (500, 90), (0, 90)]
            .into_iter()
            .zip(SKEWED)
        {
            assert_eq!(projection.at(u, v), Some((x * 16, y * 16)));
        }
    }

    #[test]
    fn projection_should_be_refused_when_corners_do_not_go_round() {
        let [a, b, c, d] = SKEWED;
        assert!(quad([a, d, c, b]).projection(500, 90).is_none());
        assert!(quad([a, c, b, d]).projection(500, 90).is_none());
        assert!(quad([a; 4]).projection(500, 90).is_none());
        assert!(quad([a, (1 << 40, 0), c, d]).projection(500, 90).is_none());
        assert!(quad(SKEWED).projection(0, 90).is_none());
        assert_eq!(quad([(0, 0), (48, 0), (48, 64), (0, 64)]).sides(), (48, 64));
    }
}
