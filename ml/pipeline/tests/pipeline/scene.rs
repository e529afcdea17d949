//! Pictures of documents whose corners are known.
//!
//! Made of sums, products and quotients only, so that every machine draws the same pixels.

use ve_ml_pipeline::{Picture, Point, UNIT};

pub const WIDTH: usize = 960;
pub const HEIGHT: usize = 720;

/// xorshift64*.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut this = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..8).for_each(|_| _ = this.below(2));
        this
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % n
    }

    /// Between two numbers.
    pub fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.below(1 << 20) as f64 / (1 << 20) as f64
    }
}

/// How hard a picture is. Written down before anything was measured, and not changed since.
#[derive(Clone, Copy, Debug)]
pub struct Severity {
    pub name: &'static str,
    /// Most that the document is turned, in the picture and out of it, in degrees, roughly.
    turn: f64,
    tilt: f64,
    /// Least length of the document, of what fits.
    smallest: f64,
    /// Least difference of brightness between the document and what lies around it.
    step: f64,
    /// Most difference within what lies around it, and number of other things that lie there.
    texture: f64,
    clutter: u64,
    /// Radius of a mean over pixels, taken twice.
    blur: usize,
    /// Most noise of a pixel.
    noise: f64,
    /// What a shadow leaves of the light.
    shadow: f64,
}

#[rustfmt::skip]
pub const SEVERITIES: [Severity; 4] = [
    Severity { name: "clean", turn: 10.0, tilt: 10.0, smallest: 0.7, step: 60.0, texture: 0.0, clutter: 0, blur: 0, noise: 0.0, shadow: 1.0 },
    Severity { name: "mild", turn: 25.0, tilt: 20.0, smallest: 0.6, step: 40.0, texture: 15.0, clutter: 0, blur: 1, noise: 8.0, shadow: 0.8 },
    Severity { name: "medium", turn: 45.0, tilt: 30.0, smallest: 0.55, step: 25.0, texture: 25.0, clutter: 2, blur: 2, noise: 16.0, shadow: 0.65 },
    Severity { name: "hard", turn: 90.0, tilt: 40.0, smallest: 0.5, step: 12.0, texture: 35.0, clutter: 4, blur: 4, noise: 32.0, shadow: 0.5 },
];

pub struct Scene {
    pub picture: Picture,
    /// Corners of the document, above left first as one reads it.
    pub corners: [Point; 4],
}

/// Sine and cosine of roughly so many degrees: a point of the circle, of a rational parameter.
fn turned(degrees: f64) -> (f64, f64) {
    let t = degrees / 360.0 * std::f64::consts::PI;
    (2.0 * t / (1.0 + t * t), (1.0 - t * t) / (1.0 + t * t))
}

/// From the picture to the plane of the document, in lengths of it.
struct Plane([f64; 9]);

impl Plane {
    /// A camera with a focal length of its picture's width looks at a plane that was turned and tilted.
    fn new(turn: f64, tilt: (f64, f64), length: f64, middle: (f64, f64)) -> (Self, [f64; 9]) {
        let (s, c) = turned(turn);
        let ((sa, ca), (sb, cb)) = (turned(tilt.0), turned(tilt.1));
        // Axes of the document in space: turned, then tilted about x and y.
        let axis = |x: f64, y: f64| {
            let (y, z) = (ca * y, sa * y);
            [cb * x + sb * z, y, -sb * x + cb * z]
        };
        let (u, v) = (axis(c, s), axis(-s, c));
        let (focal, far) = (WIDTH as f64, 1.0 / length);
        let row = |i: usize, middle: f64| {
            [
                focal * u[i] + middle * u[2],
                focal * v[i] + middle * v[2],
                middle * far,
            ]
        };
        let (x, y) = (row(0, middle.0), row(1, middle.1));
        let there = [x[0], x[1], x[2], y[0], y[1], y[2], u[2], v[2], far];
        let [a, b, c, d, e, f, g, h, i] = there;
        #[rustfmt::skip]
        let back = [
            e * i - f * h, c * h - b * i, b * f - c * e,
            f * g - d * i, a * i - c * g, c * d - a * f,
            d * h - e * g, b * g - a * h, a * e - b * d,
        ];
        (Self(back), there)
    }
}

fn apply(m: &[f64; 9], x: f64, y: f64) -> (f64, f64) {
    let w = m[6] * x + m[7] * y + m[8];
    (
        (m[0] * x + m[1] * y + m[2]) / w,
        (m[3] * x + m[4] * y + m[5]) / w,
    )
}

/// Something between -1 and 1 that changes smoothly, about once in every unit.
fn waves(grid: &[f64; 256], x: f64, y: f64) -> f64 {
    let (left, top) = (x.floor(), y.floor());
    let at = |dx: f64, dy: f64| {
        let (i, j) = ((left + dx) as i64, (top + dy) as i64);
        grid[(i * 31 + j * 57).rem_euclid(256) as usize]
    };
    let (fx, fy) = (x - left, y - top);
    let ease = |f: f64| f * f * (3.0 - 2.0 * f);
    let (fx, fy) = (ease(fx), ease(fy));
    let row = |dy: f64| at(0.0, dy) * (1.0 - fx) + at(1.0, dy) * fx;
    row(0.0) * (1.0 - fy) + row(1.0) * fy
}

/// What is printed at a place of a document: a portrait, lines of text, a zone, fine waves. Added to its paper.
fn print(grid: &[f64; 256], u: f64, v: f64, height: f64) -> f64 {
    let fine = 6.0 * waves(grid, 40.0 * u, 40.0 * v);
    let text = |row: f64| {
        let inside = (v - row).abs() < 0.012;
        let ink = grid[((u * 60.0) as i64 * 7 + (row * 997.0) as i64).rem_euclid(256) as usize];
        inside && ink > -0.4
    };
    if (0.05..0.3).contains(&u) && (0.12..0.44).contains(&v) {
        return -70.0 + 40.0 * waves(grid, 9.0 * u, 9.0 * v);
    }
    let lines = (0..6).map(|i| 0.1 + 0.06 * f64::from(i));
    if (0.35..0.9).contains(&u) && lines.into_iter().any(text) {
        return -110.0;
    }
    if (0.04..0.96).contains(&u) && [height - 0.11, height - 0.05].into_iter().any(text) {
        return -120.0;
    }
    fine
}

/// Whether a place is on a document of length 1, whose corners are round.
fn covers(u: f64, v: f64, height: f64, round: f64) -> bool {
    if !(0.0..1.0).contains(&u) || !(0.0..height).contains(&v) {
        return false;
    }
    let (x, y) = (u.min(1.0 - u), v.min(height - v));
    x >= round || y >= round || (round - x).powi(2) + (round - y).powi(2) <= round * round
}

impl Scene {
    /// The picture with a number.
    pub fn new(severity: &Severity, number: u64) -> Self {
        Self::draw(severity, number, true)
    }

    /// The same without the document.
    pub fn empty(severity: &Severity, number: u64) -> Self {
        Self::draw(severity, number, false)
    }

    fn draw(severity: &Severity, number: u64, document: bool) -> Self {
        let s = severity;
        let mut random = Random::new(1000 * s.noise as u64 + number);
        let shape = [1.586, 1.421][random.below(2) as usize];
        let (height, round) = (1.0 / shape, if shape > 1.5 { 0.037 } else { 0.0 });
        let mut grid = [0.0; 256];
        grid.iter_mut().for_each(|v| *v = random.between(-1.0, 1.0));
        let (corners, plane) = loop {
            let turn = random.between(-s.turn, s.turn);
            let tilt = (
                random.between(-s.tilt, s.tilt),
                random.between(-s.tilt, s.tilt),
            );
            let length = random.between(s.smallest, 1.0);
            let middle = (random.between(-0.15, 0.15), random.between(-0.15, 0.15));
            let middle = (
                WIDTH as f64 * (0.5 + middle.0),
                HEIGHT as f64 * (0.5 + middle.1),
            );
            let (plane, there) = Plane::new(turn, tilt, length, middle);
            let corners = [(0.0, 0.0), (1.0, 0.0), (1.0, height), (0.0, height)]
                .map(|(u, v)| apply(&there, u - 0.5, v - height / 2.0));
            let inside = |(x, y): &(f64, f64)| {
                (12.0..WIDTH as f64 - 12.0).contains(x) && (12.0..HEIGHT as f64 - 12.0).contains(y)
            };
            if corners.iter().all(inside) {
                break (corners, plane);
            }
        };
        // Light enough to be printed on, and darker or brighter than what it lies on.
        let paper = random.between(140.0, 235.0);
        let brighter = random.below(4) == 0 && paper + s.step < 250.0;
        let ground = if brighter {
            random.between(paper + s.step, 250.0)
        } else {
            random.between(30.0, paper - s.step)
        };
        let tint = [0; 3].map(|_| random.between(0.9, 1.0));
        let (grain, coarse) = (random.below(2) == 0, random.between(8.0, 60.0));
        let mut things = Vec::new();
        for _ in 0..s.clutter {
            let x = random.between(-0.1, 1.0) * WIDTH as f64;
            let y = random.between(-0.1, 1.0) * HEIGHT as f64;
            let size = (random.between(60.0, 500.0), random.between(60.0, 300.0));
            let axis = turned(random.between(-60.0, 60.0));
            things.push((x, y, size, axis, random.between(20.0, 240.0)));
        }
        let (shade, at) = (
            turned(random.between(-90.0, 90.0)),
            random.between(-200.0, 200.0),
        );
        let colour = |x: f64, y: f64| {
            let (u, v) = apply(&plane.0, x, y);
            let (u, v) = (u + 0.5, v + height / 2.0);
            let mut value = if document && covers(u, v, height, round) {
                paper + print(&grid, u, v, height)
            } else {
                let thing = things.iter().rev().find(|(cx, cy, size, (s, c), _)| {
                    let (dx, dy) = (x - cx, y - cy);
                    let (a, b) = (c * dx + s * dy, c * dy - s * dx);
                    (0.0..size.0).contains(&a) && (0.0..size.1).contains(&b)
                });
                let along = if grain { 12.0 } else { 1.0 };
                let texture = 0.7 * waves(&grid, x / coarse / along, y / coarse)
                    + 0.3 * waves(&grid, x / 3.0 / along, y / 3.0);
                thing.map_or(ground, |thing| thing.4) + s.texture * texture
            };
            // A soft edge of 60 pixels.
            let beyond = shade.0 * (x - 480.0) + shade.1 * (y - 360.0) - at;
            value *= 1.0 - (1.0 - s.shadow) * ((beyond + 30.0) / 60.0).clamp(0.0, 1.0);
            value
        };
        let mut luma = Vec::with_capacity(WIDTH * HEIGHT);
        for (y, x) in (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (y, x))) {
            let parts = [(-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25)];
            let sum: f64 = parts
                .into_iter()
                .map(|(dx, dy)| colour(x as f64 + dx, y as f64 + dy))
                .sum();
            luma.push(sum / 4.0);
        }
        for _ in 0..2 {
            luma = blurred(&luma, s.blur);
        }
        let mut rgb = Vec::with_capacity(luma.len() * 3);
        for value in luma {
            for tint in tint {
                let noise = random.between(-s.noise, s.noise) + random.between(-s.noise, s.noise);
                rgb.push((tint * value + noise / 2.0).clamp(0.0, 255.0) as u8);
            }
        }
        let unit = UNIT as f64;
        Self {
            picture: Picture::new(WIDTH, HEIGHT, rgb),
            corners: corners.map(|(x, y)| Point {
                x: (x * unit) as i64,
                y: (y * unit) as i64,
            }),
        }
    }

    /// Largest distance of a corner from the one that was found, in 1/1000 of the upper edge; whichever way up.
    pub fn error(&self, found: &[Point; 4]) -> i64 {
        let apart = |a: Point, b: Point| ((a.x - b.x).pow(2) + (a.y - b.y).pow(2)).isqrt();
        let farthest = |first: usize| {
            let pairs = (0..4).map(|i| apart(self.corners[i], found[(first + i) % 4]));
            pairs.max().unwrap_or(0)
        };
        let least = (0..4).map(farthest).min().unwrap_or(0);
        1000 * least / apart(self.corners[0], self.corners[1])
    }
}

/// Means over squares, the border repeated.
fn blurred(luma: &[f64], radius: usize) -> Vec<f64> {
    if radius == 0 {
        return luma.to_vec();
    }
    let pass = |luma: &[f64], (dx, dy): (i64, i64)| -> Vec<f64> {
        let at = |x: i64, y: i64| {
            let (x, y) = (x.clamp(0, WIDTH as i64 - 1), y.clamp(0, HEIGHT as i64 - 1));
            luma[y as usize * WIDTH + x as usize]
        };
        let r = radius as i64;
        let places = (0..HEIGHT as i64).flat_map(|y| (0..WIDTH as i64).map(move |x| (x, y)));
        places
            .map(|(x, y)| {
                (-r..=r).map(|i| at(x + i * dx, y + i * dy)).sum::<f64>() / (2 * r + 1) as f64
            })
            .collect()
    };
    pass(&pass(luma, (1, 0)), (0, 1))
}
