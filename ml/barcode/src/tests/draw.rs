//! Draws codes and takes bad photographs of them. Drawing may use floating point: it only makes inputs.

use crate::{
    reed_solomon,
    symbols::{widths, Symbol, START, STOP},
};

/// xorshift64*.
pub struct Noise(pub u64);

impl Noise {
    pub fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % below
    }
}

/// A code as rows of modules, `true` for a bar.
pub struct Code {
    pub rows: usize,
    pub columns: usize,
    pub correction: usize,
    pub modules: Vec<Vec<bool>>,
}

impl Code {
    /// Bytes in byte compaction.
    pub fn of(content: &[u8], columns: usize, level: usize) -> Self {
        let mut data = vec![if content.len().is_multiple_of(6) {
            924
        } else {
            901
        }];
        let (groups, single) = content.split_at(content.len() / 6 * 6);
        for group in groups.chunks_exact(6) {
            let value = group.iter().fold(0u64, |sum, b| sum << 8 | u64::from(*b));
            data.extend((0..5).rev().map(|i| (value / 900u64.pow(i) % 900) as u16));
        }
        data.extend(single.iter().map(|b| u16::from(*b)));
        let correction = 2 << level;
        let rows = (data.len() + 1 + correction).div_ceil(columns).max(3);
        data.resize(rows * columns - correction - 1, 900);
        data.insert(0, (data.len() + 1) as u16);
        data.extend(reed_solomon::encode(&data, correction));
        let modules = (0..rows)
            .map(|row| {
                let numbers = [(rows - 1) / 3, 3 * level + (rows - 1) % 3, columns - 1];
                let cluster = row % 3;
                let indicator = |number: usize| (30 * (row / 3) + numbers[number]) as u16;
                let mut values = vec![indicator(cluster)];
                values.extend(&data[row * columns..][..columns]);
                values.push(indicator((cluster + 2) % 3));
                let mut elements = START.to_vec();
                for value in values {
                    elements.extend(widths(Symbol {
                        cluster: cluster as u8,
                        value,
                    }));
                }
                elements.extend(STOP);
                let bars = elements.iter().enumerate();
                bars.flat_map(|(i, w)| vec![i % 2 == 0; *w as usize])
                    .collect()
            })
            .collect();
        Self {
            rows,
            columns,
            correction,
            modules,
        }
    }

    fn bar(&self, x: f64, y: f64) -> bool {
        let (row, module) = (y.floor() as i64, x.floor() as i64);
        usize::try_from(row)
            .ok()
            .and_then(|r| self.modules.get(r))
            .zip(usize::try_from(module).ok())
            .and_then(|(row, module)| row.get(module))
            .copied()
            .unwrap_or(false)
    }
}

/// How a code is photographed.
#[derive(Clone, Debug)]
pub struct Camera {
    /// Pixels for a module, and modules for the height of a row.
    pub module: f64,
    pub row: f64,
    /// Degrees.
    pub angle: f64,
    /// How much nearer the right side is than the left, and the lower than the upper.
    pub tilt: (f64, f64),
    /// Brightness of paper and ink, gradient from left to right, and amplitude of the noise.
    pub paper: f64,
    pub ink: f64,
    pub shade: f64,
    pub noise: u64,
    /// Bars grow by this many modules on either side.
    pub spread: f64,
    /// Passes of a 3 x 3 box blur.
    pub blur: usize,
    pub seed: u64,
}

impl Default for Camera {
    fn default() -> Self {
        Self {
            module: 3.0,
            row: 4.0,
            angle: 0.0,
            tilt: (0.0, 0.0),
            paper: 230.0,
            ink: 25.0,
            shade: 0.0,
            noise: 0,
            spread: 0.0,
            blur: 0,
            seed: 1,
        }
    }
}

/// A grey picture.
#[derive(Clone)]
pub struct Photo {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<u8>,
}

impl Camera {
    /// The picture, with a margin, in the middle of a square that holds the code at every angle.
    pub fn photograph(&self, code: &Code) -> Photo {
        let (wide, high) = (code.modules[0].len() as f64, code.rows as f64);
        let (w, h) = (wide * self.module, high * self.row * self.module);
        let side = ((w * w + h * h).sqrt() * 1.15 + 20.0) as usize;
        let (width, height) = if self.angle % 90.0 == 0.0 && self.tilt == (0.0, 0.0) {
            let (w, h) = ((w * 1.1 + 20.0) as usize, (h * 1.1 + 20.0) as usize);
            if self.angle % 180.0 == 0.0 {
                (w, h)
            } else {
                (h, w)
            }
        } else {
            (side, side)
        };
        let (sin, cos) = self.angle.to_radians().sin_cos();
        let mut noise = Noise(self.seed);
        let mut values = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                // Four samples for each pixel, as the cells of a sensor collect light from an area.
                let mut light = 0.0;
                for (sx, sy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
                    let (px, py) = (
                        x as f64 + sx - width as f64 / 2.0,
                        y as f64 + sy - height as f64 / 2.0,
                    );
                    let (rx, ry) = (px * cos + py * sin, py * cos - px * sin);
                    let depth = 1.0 + self.tilt.0 * rx / w + self.tilt.1 * ry / h;
                    let (mx, my) = (
                        rx / depth / self.module + wide / 2.0,
                        (ry / depth / self.module / self.row) + high / 2.0,
                    );
                    let near = self.spread;
                    let bar = code.bar(mx, my)
                        || near > 0.0 && (code.bar(mx - near, my) || code.bar(mx + near, my));
                    light += if bar { self.ink } else { self.paper } / 4.0;
                }
                values.push(light - self.shade * x as f64 / width as f64);
            }
        }
        for _ in 0..self.blur {
            values = blurred(&values, width, height);
        }
        let amplitude = self.noise as f64;
        let pixels = values
            .iter()
            .map(|v| {
                let shift = if self.noise == 0 {
                    0.0
                } else {
                    noise.next(2 * self.noise + 1) as f64 - amplitude
                };
                (v + shift).clamp(0.0, 255.0) as u8
            })
            .collect();
        Photo {
            width,
            height,
            pixels,
        }
    }
}

fn blurred(values: &[f64], width: usize, height: usize) -> Vec<f64> {
    let at = |x: i64, y: i64| {
        let (x, y) = (x.clamp(0, width as i64 - 1), y.clamp(0, height as i64 - 1));
        values[y as usize * width + x as usize]
    };
    let mut out = Vec::with_capacity(values.len());
    for y in 0..height as i64 {
        for x in 0..width as i64 {
            let around = (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dx, dy)));
            out.push(around.map(|(dx, dy)| at(x + dx, y + dy)).sum::<f64>() / 9.0);
        }
    }
    out
}
