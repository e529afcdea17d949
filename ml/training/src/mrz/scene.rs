//! A picture of a document with a zone, and where the zone lies in it.

use super::{glyphs::Glyphs, random::Random, severity::Severity};
use anyhow::{Context, Result};
use ve_ml_mrz::{
    image::{Corner, Grey, Projection, Quad, PITCH, UNIT},
    text::{Lines, Symbol},
};

/// Pixels of a page from one symbol of the zone to the next.
pub const PAGE_PITCH: usize = 20;
/// Pixels between two places of a picture whose place on the page is computed; between them it is interpolated.
const STEP: usize = 8;

/// Fonts of different weights, drawn once.
pub struct Fonts {
    zone: Vec<Glyphs>,
    small: Glyphs,
}

impl Fonts {
    /// Draws them.
    pub fn new() -> Result<Self> {
        let zone = (-2..=5).map(|weight| Glyphs::new(PAGE_PITCH, weight));
        Ok(Self {
            zone: zone.collect::<Result<_>>()?,
            small: Glyphs::new(11, 1)?,
        })
    }
}

/// A picture and what is in it.
pub struct Scene {
    /// The picture.
    pub picture: Grey,
    /// The zone, from the top of its first line's capitals to the foot of its last line's.
    pub quad: Quad,
    /// Top and foot of each line's capitals below the zone's top, in pixels of a strip.
    pub bands: Vec<[i64; 2]>,
}

/// A page: light paper with a pattern, a portrait, small print, and the zone at its foot.
struct Page {
    paper: Grey,
    /// Left, top, right and bottom of the zone.
    zone: [i64; 4],
    bands: Vec<[i64; 2]>,
}

/// Takes a picture of a document with this zone. Without `whole` the page ends a little above the zone, which is enough to train on.
pub fn scene(
    lines: &Lines,
    severity: &Severity,
    fonts: &Fonts,
    whole: bool,
    random: &mut Random,
) -> Result<Scene> {
    let page = page(lines, severity, fonts, whole, random)?;
    capture(&page, severity, random)
}

fn page(
    lines: &Lines,
    severity: &Severity,
    fonts: &Fonts,
    whole: bool,
    random: &mut Random,
) -> Result<Page> {
    let layout = lines.format().layout();
    let font = random.pick(&fonts.zone);
    let [top, foot] = font.capital();
    let (rows, pitch) = (layout.lines as i64, PAGE_PITCH as i64);
    let line = random.range(44, 56);
    let side = random.range(30, 56);
    let below = random.range(32, 76);
    let width = layout.columns as i64 * pitch + 2 * side;
    let zone_height = (rows - 1) * line + foot - top;
    // Cards and pages are about two thirds as high as wide.
    let height = if whole {
        width * 66 / 100
    } else {
        zone_height + below + random.range(30, 60)
    };
    let zone_top = height - below - zone_height;
    let paper = random.range(severity.contrast[1].max(150), 240);
    let ink = (paper - random.range(severity.contrast[0], severity.contrast[1])).max(8);
    let amplitude = random.range(severity.texture[0], severity.texture[1]);
    let waves: Vec<[i64; 3]> = (0..3)
        .map(|_| {
            [
                random.range(-60, 60),
                random.range(-60, 60),
                random.range(0, 1023),
            ]
        })
        .collect();
    let mut pixels: Vec<u8> = Vec::with_capacity((width * height) as usize);
    for y in 0..height {
        for x in 0..width {
            let waves = waves
                .iter()
                .map(|[a, b, c]| triangle(a * x + b * y + c))
                .sum::<i64>();
            pixels.push((paper + waves * amplitude / (3 * 256)).clamp(0, 255) as u8);
        }
    }
    let mut draw = |mask: &Grey, left: i64, top: i64, ink: i64| {
        for y in 0..mask.height() as i64 {
            for x in 0..mask.width() as i64 {
                let (px, py) = (left + x, top + y);
                if (0..width).contains(&px) && (0..height).contains(&py) {
                    let pixel = &mut pixels[(py * width + px) as usize];
                    let (old, mask) = (i64::from(*pixel), i64::from(mask.at(x, y)));
                    *pixel = (old + (ink.min(old) - old) * mask / 255) as u8;
                }
            }
        }
    };
    if whole {
        let portrait = random.range(paper / 4, paper * 3 / 4);
        let (w, h) = (width * 26 / 100, height * 40 / 100);
        let oval = Grey::new(
            w as usize,
            h as usize,
            (0..w * h)
                .map(|i| {
                    let (x, y) = (2 * (i % w) - w, 2 * (i / w) - h);
                    if x * x * h * h + y * y * w * w < w * w * h * h {
                        255
                    } else {
                        110
                    }
                })
                .collect(),
        )
        .context("a portrait")?;
        draw(&oval, side, height * 16 / 100, portrait);
        let mut y = height * 6 / 100;
        while y + 40 < zone_top {
            let (mut x, end) = (side + w + 20, random.range(width / 2, width - side));
            while x < end {
                if random.range(0, 6) > 0 {
                    let symbol =
                        Symbol::from_class(random.range(0, 35) as usize).context("a class")?;
                    draw(fonts.small.mask(symbol), x, y, ink + 10);
                }
                x += 11;
            }
            y += random.range(20, 34);
        }
    }
    for (place, symbol) in lines.symbols().iter().enumerate() {
        let (row, column) = (
            (place / layout.columns) as i64,
            (place % layout.columns) as i64,
        );
        draw(
            font.mask(*symbol),
            side + column * pitch,
            zone_top + row * line - top,
            ink,
        );
    }
    let band = |row: i64| [row * line, row * line + foot - top].map(|y| y * PITCH / pitch);
    Ok(Page {
        paper: Grey::new(width as usize, height as usize, pixels).context("a page")?,
        zone: [
            side,
            zone_top,
            side + layout.columns as i64 * pitch,
            zone_top + zone_height,
        ],
        bands: (0..rows).map(band).collect(),
    })
}

/// A wave between -256 and 256 with a period of 1,024.
fn triangle(phase: i64) -> i64 {
    (phase.rem_euclid(1024) - 512).abs() * 2 - 512
}

/// Puts the page before a background, in perspective, and takes a picture of it.
fn capture(page: &Page, severity: &Severity, random: &mut Random) -> Result<Scene> {
    let (pw, ph) = (page.paper.width() as i64, page.paper.height() as i64);
    let pitch = random.range(severity.pitch[0] * 16, severity.pitch[1] * 16);
    // Pixels of the page for 256 of the picture.
    let zoom = 256 * 16 * PAGE_PITCH as i64 / pitch;
    let tilt = random.range(-severity.tilt, severity.tilt);
    // Large enough for the page and its turned corners.
    let room = 100 + tilt.abs() * 100 / 1024;
    let (width, height) = (
        (pw + ph * tilt.abs() / 1024) * 256 / zoom * (room + 8) / 100,
        (ph + pw * tilt.abs() / 1024) * 256 / zoom * (room + 8) / 100,
    );
    // Corners of the picture, on the page.
    let corner = |x: i64, y: i64, random: &mut Random| {
        let jitter = pw * severity.perspective / 1000;
        let (u, v) = (
            (2 * x - 1) * width * zoom / 512,
            (2 * y - 1) * height * zoom / 512,
        );
        Corner {
            x: (pw / 2 + u - v * tilt / 1024 + random.range(-jitter, jitter)) * UNIT,
            y: (ph / 2 + v + u * tilt / 1024 + random.range(-jitter, jitter)) * UNIT,
        }
    };
    let corners = [(0, 0), (1, 0), (1, 1), (0, 1)].map(|(x, y)| corner(x, y, random));
    let to_page = Quad(corners)
        .projection(2 * width, 2 * height)
        .context("a view of the page")?;
    let mut levels = warp(
        &page.paper,
        &to_page,
        width as usize,
        height as usize,
        random,
    )?;
    shade(&mut levels, width as usize, severity, random);
    for across in [false, true] {
        for _ in 0..random.range(severity.blur[0], severity.blur[1]) {
            blur(&mut levels, width as usize, across);
        }
    }
    let noise = random.range(severity.noise[0], severity.noise[1]);
    let pixels = levels
        .iter()
        .map(|level| ((level + random.normal(noise) + 8) >> 4).clamp(0, 255) as u8)
        .collect();
    let [left, top, right, bottom] = page.zone;
    let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
    let corners = corners.map(|(x, y)| place(&to_page, x, y, width, height));
    Ok(Scene {
        picture: Grey::new(width as usize, height as usize, pixels).context("a picture")?,
        quad: Quad(corners),
        bands: page.bands.clone(),
    })
}

/// The page as the picture sees it, in 1/16 of a level.
fn warp(
    paper: &Grey,
    to_page: &Projection,
    width: usize,
    height: usize,
    random: &mut Random,
) -> Result<Vec<i64>> {
    let background = random.range(10, 130);
    let slope = random.range(-60, 60);
    let (columns, rows) = (width.div_ceil(STEP) + 1, height.div_ceil(STEP) + 1);
    let mut knots = Vec::with_capacity(columns * rows);
    for y in 0..rows {
        for x in 0..columns {
            let (u, v) = (2 * (x * STEP) as i64, 2 * (y * STEP) as i64);
            knots.push(
                to_page
                    .at(u, v)
                    .context("the picture's edge lies behind the page's horizon")?,
            );
        }
    }
    let (pw, ph) = (256 * paper.width() as i64, 256 * paper.height() as i64);
    let mut levels = Vec::with_capacity(width * height);
    for y in 0..height {
        for x in 0..width {
            let knot = |dx: usize, dy: usize| knots[(y / STEP + dy) * columns + x / STEP + dx];
            let (a, b, c, d) = (knot(0, 0), knot(1, 0), knot(0, 1), knot(1, 1));
            let mut sum = 0;
            for sample in 0..4 {
                // Quarters of a pixel from its corner.
                let n = 4 * STEP as i64;
                let fx = 4 * (x % STEP) as i64 + 1 + 2 * (sample % 2);
                let fy = 4 * (y % STEP) as i64 + 1 + 2 * (sample / 2);
                let between = |a: i64, b: i64, c: i64, d: i64| {
                    ((a * (n - fx) + b * fx) * (n - fy) + (c * (n - fx) + d * fx) * fy) / (n * n)
                };
                let (px, py) = (between(a.0, b.0, c.0, d.0), between(a.1, b.1, c.1, d.1));
                sum += if (0..pw).contains(&px) && (0..ph).contains(&py) {
                    i64::from(paper.between(px - 128, py - 128))
                } else {
                    (background + slope * x as i64 / width as i64).clamp(0, 255)
                };
            }
            levels.push(4 * sum);
        }
    }
    Ok(levels)
}

fn shade(levels: &mut [i64], width: usize, severity: &Severity, random: &mut Random) {
    let (right, down) = (
        random.range(-severity.shade, severity.shade),
        random.range(-severity.shade, severity.shade),
    );
    let (w, h) = (width as i64, (levels.len() / width) as i64);
    for (i, level) in levels.iter_mut().enumerate() {
        let (x, y) = ((i % width) as i64, (i / width) as i64);
        let light = 256 + right * (2 * x - w) / (2 * w) + down * (2 * y - h) / (2 * h);
        *level = (*level * light / 256).min(255 * 16);
    }
}

/// A quarter, a half, a quarter: variance 1/2.
fn blur(levels: &mut [i64], width: usize, across: bool) {
    let step = if across { width } else { 1 };
    let old = levels.to_vec();
    let last = old.len() - 1;
    for (i, level) in levels.iter_mut().enumerate() {
        let (before, after) = (old[i.saturating_sub(step)], old[(i + step).min(last)]);
        *level = (before + 2 * old[i] + after) / 4;
    }
}

/// Where a point of the page lies in the picture: the map to the page, inverted by Newton's steps.
fn place(to_page: &Projection, x: i64, y: i64, width: i64, height: i64) -> Corner {
    // In 1/16 of a pixel; the map takes halves of a pixel.
    let (mut u, mut v) = (8 * width, 8 * height);
    let at = |u: i64, v: i64| to_page.at(u, v).unwrap_or_default();
    for _ in 0..24 {
        let (hu, hv) = ((u / 8), (v / 8));
        let (px, py) = at(hu, hv);
        let (rx, ry) = at(hu + 16, hv);
        let (dx, dy) = at(hu, hv + 16);
        // Derivatives for 128 sixteenths.
        let (a, b, c, d) = (rx - px, dx - px, ry - py, dy - py);
        let (ex, ey) = (256 * x - px, 256 * y - py);
        let det = (a * d - b * c).max(1);
        u = hu * 8 + (ex * d - b * ey) * 128 / det;
        v = hv * 8 + (a * ey - c * ex) * 128 / det;
    }
    Corner {
        x: u - UNIT / 2,
        y: v - UNIT / 2,
    }
}
