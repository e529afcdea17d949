//! Pictures of what each stage saw, for people who would rather look.

use crate::evidence::Folder;
use std::{fs, io, path::Path};
use ve_ml_documents::{barcode, corners, Reader};
use ve_ml_engine::Execution;
use ve_ml_mrz::image::{Grey, CELL};
use ve_ml_pipeline::{
    align::Aligned,
    decode,
    detect::{detect, Face},
    models::Detector,
    outline::{Outline, Printed},
    Picture, Point, UNIT,
};

/// Longer side of a picture that is written.
const SIDE: usize = 1024;
const FRAME: [u8; 3] = [0, 220, 0];
const LANDMARK: [u8; 3] = [255, 40, 40];
const CODE: [u8; 3] = [40, 120, 255];
const OUTLINE: [u8; 3] = [255, 0, 200];

/// The networks that look.
pub struct Eyes<'a> {
    /// Finds faces.
    pub detector: &'a Detector<'a>,
    /// Reads zones.
    pub reader: &'a Reader<'a>,
    /// Instruction set and threads.
    pub how: Execution,
}

/// Writes pictures into a folder, which is made if need be; returns their names. Evidence that is no picture is left out.
pub fn write(folder: &Folder, eyes: &Eyes, into: &Path) -> io::Result<Vec<String>> {
    fs::create_dir_all(into)?;
    let mut seen = Vec::new();
    if let Some(Ok(picture)) = folder.document.as_deref().map(decode) {
        let (face, turns) = faces("document", &picture, eyes, &mut seen);
        let size = (picture.width(), picture.height());
        let face = face.map(|face| face.frame().map(|p| p.turned(size, turns)));
        let picture = picture.turned(turns);
        let zone = zone("document", &picture, eyes, &mut seen);
        outline("document", &picture, &Printed { face, zone }, &mut seen);
    }
    if let Some(Ok(picture)) = folder.back.as_deref().map(decode) {
        zone("back", &picture, eyes, &mut seen);
        let mut canvas = Canvas::of(&picture);
        if let Ok(reading) = barcode(&picture) {
            let corners = reading.corners.map(|p| Point {
                x: p.x.into(),
                y: p.y.into(),
            });
            canvas.polygon(&corners, CODE);
        }
        seen.push(("back-barcode.png".into(), canvas.finish()));
    }
    if let Some(Ok(picture)) = folder.selfie.as_deref().map(decode) {
        faces("selfie", &picture, eyes, &mut seen);
    }
    seen.into_iter()
        .map(|(name, picture)| save(&into.join(&name), &picture).map(|()| name))
        .collect()
}

type Seen = Vec<(String, Picture)>;

/// Frames and landmarks, and the face that is compared as the network sees it. Returns that face, and the turns after which it
/// is upright.
fn faces(name: &str, picture: &Picture, eyes: &Eyes, seen: &mut Seen) -> (Option<Face>, u8) {
    let faces = detect(eyes.detector, picture, eyes.how);
    let mut canvas = Canvas::of(picture);
    for face in &faces.faces {
        canvas.polygon(&face.frame(), FRAME);
        for landmark in face.landmarks {
            canvas.dot(landmark, LANDMARK);
        }
    }
    seen.push((format!("{name}-faces.png"), canvas.finish()));
    // The largest one.
    let first = faces.faces.first().copied();
    if let Some(aligned) = first.and_then(|face| Aligned::of(picture, &face.landmarks)) {
        seen.push((format!("{name}-aligned.png"), aligned.picture().clone()));
    }
    (first, faces.turns)
}

/// The zone laid flat, and its cells as the network sees them. Returns its corners if it can be read.
fn zone(name: &str, picture: &Picture, eyes: &Eyes, seen: &mut Seen) -> Option<[Point; 4]> {
    let grey = Grey::new(picture.width(), picture.height(), picture.luma());
    let reading = eyes.reader.read(&grey?, eyes.how)?;
    let strip = &reading.strip.grey;
    let flat = |width: usize, luma: &[u8]| {
        let rgb = luma.iter().flat_map(|v| [*v; 3]).collect();
        Picture::new(width, luma.len() / width, rgb)
    };
    seen.push((
        format!("{name}-zone.png"),
        flat(strip.width(), strip.pixels()),
    ));
    let columns = reading.grids.iter().map(|g| g.columns as usize).max();
    let width = columns.unwrap_or(0) * CELL;
    let mut luma = vec![128; width * CELL * reading.grids.len()];
    for (line, grid) in reading.grids.iter().enumerate() {
        for column in 0..grid.columns as usize {
            let cell = reading.strip.cell(grid, column);
            for (row, pixels) in cell.chunks_exact(CELL).enumerate() {
                luma[(line * CELL + row) * width + column * CELL..][..CELL].copy_from_slice(pixels);
            }
        }
    }
    if !luma.is_empty() {
        seen.push((format!("{name}-cells.png"), flat(width, &luma)));
    }
    corners(&reading, picture)
}

/// The outline, with what was read inside, and the document laid flat.
fn outline(name: &str, picture: &Picture, printed: &Printed, seen: &mut Seen) {
    let mut canvas = Canvas::of(picture);
    for (corners, colour) in [(printed.face, FRAME), (printed.zone, CODE)] {
        if let Some(corners) = corners {
            canvas.polygon(&corners, colour);
        }
    }
    let found = Outline::find(picture, printed);
    if let Some(outline) = &found {
        canvas.polygon(&outline.corners, OUTLINE);
    }
    seen.push((format!("{name}-outline.png"), canvas.finish()));
    if let Some(flat) = found.and_then(|outline| outline.rectified(picture, SIDE)) {
        seen.push((format!("{name}-flat.png"), flat));
    }
}

/// A shrunk picture that is drawn on in the coordinates of the original.
struct Canvas {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
    /// Width of the original and of the shrunk one.
    scale: (i64, i64),
}

impl Canvas {
    fn of(picture: &Picture) -> Self {
        let small = picture.shrunk(SIDE);
        Self {
            width: small.width(),
            height: small.height(),
            rgb: small.rgb().to_vec(),
            scale: (picture.width() as i64, small.width() as i64),
        }
    }

    fn finish(self) -> Picture {
        Picture::new(self.width, self.height, self.rgb)
    }

    /// Whole pixels of the canvas.
    fn place(&self, point: Point) -> (i64, i64) {
        let (old, new) = self.scale;
        let scaled = |v: i64| (v * new).div_euclid(old * UNIT);
        (scaled(point.x), scaled(point.y))
    }

    fn pixel(&mut self, (x, y): (i64, i64), colour: [u8; 3]) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else {
            return;
        };
        if x < self.width && y < self.height {
            self.rgb[(y * self.width + x) * 3..][..3].copy_from_slice(&colour);
        }
    }

    fn dot(&mut self, point: Point, colour: [u8; 3]) {
        let (x, y) = self.place(point);
        for (dx, dy) in (-2..=2).flat_map(|dy| (-2..=2).map(move |dx| (dx, dy))) {
            self.pixel((x + dx, y + dy), colour);
        }
    }

    fn polygon(&mut self, corners: &[Point; 4], colour: [u8; 3]) {
        // Nothing is drawn outside of this, so that a line has an end.
        let farthest = 4 * SIDE as i64;
        let places = corners
            .map(|p| self.place(p))
            .map(|(x, y)| (x.clamp(-farthest, farthest), y.clamp(-farthest, farthest)));
        for (i, (x0, y0)) in places.into_iter().enumerate() {
            let (x1, y1) = places[(i + 1) % 4];
            let steps = (x1 - x0).abs().max((y1 - y0).abs()).max(1);
            for step in 0..=steps {
                let (x, y) = (x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps);
                self.pixel((x, y), colour);
                self.pixel((x + 1, y), colour);
                self.pixel((x, y + 1), colour);
            }
        }
    }
}

fn save(path: &Path, picture: &Picture) -> io::Result<()> {
    let file = io::BufWriter::new(fs::File::create(path)?);
    let mut encoder = png::Encoder::new(file, picture.width() as u32, picture.height() as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(picture.rgb())?;
    writer.finish()?;
    Ok(())
}
