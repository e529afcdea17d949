//! From a folder of photographs to aligned faces, in floating point: for calibration and comparison only. What decides
//! about people has its own, integer path.

use crate::{float::Float, network::Network};
use anyhow::{bail, Context, Result};
use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

/// Side of an aligned face.
pub const SIDE: usize = 112;
/// Where eyes, nose and corners of the mouth are in an aligned face.
const TEMPLATE: [[f64; 2]; 5] = [
    [38.2946, 51.6963],
    [73.5318, 51.5014],
    [56.0252, 71.7366],
    [41.5493, 92.3655],
    [70.7299, 92.2041],
];
/// Detections that overlap more are one face.
const OVERLAP: f64 = 0.3;

/// A picture: rows of RGB pixels.
pub struct Picture {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Bytes.
    pub rgb: Vec<u8>,
}

/// A detected face.
#[derive(Clone, Debug)]
pub struct Face {
    /// Confidence, 0 to 1.
    pub score: f64,
    /// Left, top, width, height.
    pub frame: [f64; 4],
    /// Eyes, nose, corners of the mouth.
    pub landmarks: [[f64; 2]; 5],
}

/// All JPEG and PNG files of a folder, in the order of their names.
pub fn pictures(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut files = entries.map(|e| Ok(e?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|f| {
        matches!(
            f.extension().and_then(|e| e.to_str()),
            Some("jpg" | "jpeg" | "png")
        )
    });
    files.sort();
    Ok(files)
}

impl Picture {
    /// Decodes a file.
    pub fn open(file: &Path) -> Result<Self> {
        let decoded = if file.extension().is_some_and(|e| e == "png") {
            png(file)
        } else {
            jpeg(file)
        };
        decoded.with_context(|| format!("decoding {}", file.display()))
    }

    fn at(&self, x: usize, y: usize) -> &[u8] {
        &self.rgb[(y.min(self.height - 1) * self.width + x.min(self.width - 1)) * 3..][..3]
    }

    /// Shrinks the picture (never enlarges it) to fit a square, and fills the rest with black.
    pub fn boxed(&self, side: usize) -> (Self, f64) {
        let factor = (self.width.max(self.height) as f64 / side as f64).max(1.0);
        let mut rgb = vec![0; side * side * 3];
        for (i, pixel) in rgb.chunks_exact_mut(3).enumerate() {
            let edge = |i: usize| (i as f64 * factor) as usize;
            let (x, y) = (
                edge(i % side)..edge(i % side + 1).max(edge(i % side) + 1),
                edge(i / side)..edge(i / side + 1).max(edge(i / side) + 1),
            );
            if x.end > self.width || y.end > self.height {
                continue;
            }
            let n = x.len() * y.len();
            for (c, out) in pixel.iter_mut().enumerate() {
                let sum: usize = y
                    .clone()
                    .flat_map(|y| x.clone().map(move |x| (x, y)))
                    .map(|(x, y)| usize::from(self.at(x, y)[c]))
                    .sum();
                *out = (sum / n) as u8;
            }
        }
        (
            Self {
                width: side,
                height: side,
                rgb,
            },
            factor,
        )
    }

    /// The picture with its sides exchanged.
    pub fn mirrored(&self) -> Self {
        let rows = self.rgb.chunks_exact(self.width * 3);
        let rgb = rows
            .flat_map(|row| row.chunks_exact(3).rev().flatten().copied())
            .collect();
        Self { rgb, ..*self }
    }

    /// The picture with every value multiplied.
    pub fn brightened(&self, factor: f64) -> Self {
        let rgb = self
            .rgb
            .iter()
            .map(|v| (f64::from(*v) * factor).round().min(255.0) as u8)
            .collect();
        Self { rgb, ..*self }
    }

    /// The bytes with red and blue exchanged, as the detector wants them.
    pub fn bgr(&self) -> Vec<u8> {
        self.rgb
            .chunks_exact(3)
            .flat_map(|p| [p[2], p[1], p[0]])
            .collect()
    }

    /// The face, turned, scaled and moved onto the template (least squares), sampled bilinearly.
    pub fn aligned(&self, face: &Face) -> Self {
        // Template to picture: [a -b; b a] and a translation.
        let mean = |p: &[[f64; 2]; 5]| [0, 1].map(|i| p.iter().map(|q| q[i]).sum::<f64>() / 5.0);
        let (from, to) = (mean(&TEMPLATE), mean(&face.landmarks));
        let (mut a, mut b, mut norm) = (0.0, 0.0, 0.0);
        for (t, l) in TEMPLATE.iter().zip(&face.landmarks) {
            let ([x, y], [u, v]) = (
                [t[0] - from[0], t[1] - from[1]],
                [l[0] - to[0], l[1] - to[1]],
            );
            a += x * u + y * v;
            b += x * v - y * u;
            norm += x * x + y * y;
        }
        (a, b) = (a / norm, b / norm);
        let mut rgb = Vec::with_capacity(SIDE * SIDE * 3);
        for i in 0..SIDE * SIDE {
            let (x, y) = ((i % SIDE) as f64 - from[0], (i / SIDE) as f64 - from[1]);
            let (u, v) = (a * x - b * y + to[0], b * x + a * y + to[1]);
            let inside = u >= 0.0 && v >= 0.0 && u < self.width as f64 && v < self.height as f64;
            let (fx, fy) = (u.fract(), v.fract());
            for c in 0..3 {
                let at =
                    |dx: usize, dy: usize| f64::from(self.at(u as usize + dx, v as usize + dy)[c]);
                let top = at(0, 0) * (1.0 - fx) + at(1, 0) * fx;
                let bottom = at(0, 1) * (1.0 - fx) + at(1, 1) * fx;
                rgb.push(if inside {
                    (top * (1.0 - fy) + bottom * fy).round() as u8
                } else {
                    0
                });
            }
        }
        Self {
            width: SIDE,
            height: SIDE,
            rgb,
        }
    }
}

fn jpeg(file: &Path) -> Result<Picture> {
    let mut decoder = jpeg_decoder::Decoder::new(BufReader::new(File::open(file)?));
    let bytes = decoder.decode()?;
    let info = decoder.info().context("no header")?;
    let rgb = match info.pixel_format {
        jpeg_decoder::PixelFormat::RGB24 => bytes,
        jpeg_decoder::PixelFormat::L8 => bytes.into_iter().flat_map(|l| [l; 3]).collect(),
        other => bail!("pixel format {other:?} is not supported here"),
    };
    Ok(Picture {
        width: info.width.into(),
        height: info.height.into(),
        rgb,
    })
}

fn png(file: &Path) -> Result<Picture> {
    let mut decoder = png::Decoder::new(BufReader::new(File::open(file)?));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info()?;
    let mut bytes = vec![0; reader.output_buffer_size().context("too large")?];
    let info = reader.next_frame(&mut bytes)?;
    bytes.truncate(info.buffer_size());
    let rgb = match info.color_type {
        png::ColorType::Rgb => bytes,
        png::ColorType::Rgba => bytes
            .chunks_exact(4)
            .flat_map(|p| [p[0], p[1], p[2]])
            .collect(),
        png::ColorType::Grayscale => bytes.into_iter().flat_map(|l| [l; 3]).collect(),
        other => bail!("colour type {other:?} is not supported here"),
    };
    Ok(Picture {
        width: info.width as usize,
        height: info.height as usize,
        rgb,
    })
}

/// The faces of a picture, most certain first, found by the float detector.
pub fn detect(
    detector: &Float,
    network: &Network,
    picture: &Picture,
    least: f64,
) -> Result<Vec<Face>> {
    let side = network.input[0];
    let (boxed, factor) = picture.boxed(side);
    let outputs = detector.run(&boxed.bgr(), |_, _| Ok(()))?;
    let output = |name: String| {
        let at = network
            .outputs
            .iter()
            .position(|(n, _)| *n == name)
            .with_context(|| format!("no output {name}"))?;
        Ok::<_, anyhow::Error>(&outputs[at])
    };
    let mut faces: Vec<Face> = Vec::new();
    for stride in [8, 16, 32] {
        let part = |name: &str| output(format!("{name}_{stride}"));
        let (class, object, frame, points) =
            (part("cls")?, part("obj")?, part("bbox")?, part("kps")?);
        for (i, (class, object)) in class.iter().zip(object).enumerate() {
            let score = (class * object).sqrt();
            if score < least {
                continue;
            }
            let (columns, unit) = (side / stride, stride as f64 * factor);
            let (column, row) = ((i % columns) as f64, (i / columns) as f64);
            let [x, y, w, h] = [
                frame[4 * i],
                frame[4 * i + 1],
                frame[4 * i + 2],
                frame[4 * i + 3],
            ];
            let (w, h) = (w.exp() * unit, h.exp() * unit);
            let place = |p: &[f64]| [(p[0] + column) * unit, (p[1] + row) * unit];
            faces.push(Face {
                score,
                frame: [
                    (column + x) * unit - w / 2.0,
                    (row + y) * unit - h / 2.0,
                    w,
                    h,
                ],
                landmarks: core::array::from_fn(|k| place(&points[10 * i + 2 * k..])),
            });
        }
    }
    faces.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Face> = Vec::new();
    for face in faces {
        if kept
            .iter()
            .all(|k| overlap(&k.frame, &face.frame) <= OVERLAP)
        {
            kept.push(face);
        }
    }
    Ok(kept)
}

/// Common area over united area.
fn overlap(a: &[f64; 4], b: &[f64; 4]) -> f64 {
    let side = |i: usize| ((a[i] + a[i + 2]).min(b[i] + b[i + 2]) - a[i].max(b[i])).max(0.0);
    let common = side(0) * side(1);
    common / (a[2] * a[3] + b[2] * b[3] - common)
}
