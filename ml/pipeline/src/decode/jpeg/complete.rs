//! Whether a JPEG file holds all the data that its header promises. The decoder makes up what is missing, and has no switch
//! against it; this does not decode, it only counts: every symbol of every block has to be there before the marker that
//! ends its data.
//!
//! Numbers in comments are those of ITU-T T.81.

use super::entropy::{word, Band, Data, Table, Tables};

/// Whether every bit of every coefficient is in the file, and the end-of-image marker after them. Each of at most
/// `max_scans` scans costs a walk over all blocks. In progressive coding a block takes 8 bytes here.
///
/// `size` is the width and height that the decoder found and that were judged: a frame that differs is not the one that will
/// be decoded. It is not complete, nor is what is not sequential or progressive Huffman coding.
pub fn is_complete(file: &[u8], size: (usize, usize), max_scans: usize) -> bool {
    walk(file, size, max_scans).is_some_and(|frame| frame.is_whole())
}

/// The frame after all of its scans, or none if something is missing.
fn walk(file: &[u8], size: (usize, usize), max_scans: usize) -> Option<Frame> {
    let mut data = Data::new(file, 2);
    let (mut frame, mut tables, mut interval, mut scans) = (None, Tables::default(), 0, 0);
    loop {
        let code = data.marker()?;
        match code {
            0xd9 => return frame,
            // B.1.1.3: markers that stand alone. One that restarts may follow the data of a scan. Elsewhere the decoder takes a
            // segment behind them, and what is hidden there is not seen.
            0xd0..=0xd7 if scans > 0 => continue,
            0x01 | 0xd0..=0xd8 => return None,
            _ => {}
        }
        let segment = data.segment()?;
        match code {
            0xc0..=0xc2 if frame.is_none() => {
                frame = Some(Frame::new(segment, code == 0xc2, size)?)
            }
            0xc4 => tables.define(segment)?,
            0xdd => interval = word(segment)?,
            0xda => {
                scans += 1;
                let frame = frame.as_mut().filter(|_| scans <= max_scans)?;
                frame.scan(segment, &tables, interval, &mut data)?;
            }
            // Other frames, and a height that comes after the scan.
            0xc0..=0xcf | 0xdc => return None,
            _ => {}
        }
    }
}

struct Component {
    id: u8,
    /// Blocks in a minimum coded unit.
    across: usize,
    down: usize,
    /// Blocks that hold samples of the picture.
    columns: usize,
    rows: usize,
    /// Blocks in a row, with those that fill the last unit.
    stride: usize,
    /// In progressive coding, for every block: which coefficients are not zero.
    set: Vec<u64>,
    /// For every coefficient, how many bits are still to come; more than there are before its first scan.
    missing: [u8; 64],
}

struct Frame {
    progressive: bool,
    /// Minimum coded units of a scan of several components.
    columns: usize,
    rows: usize,
    components: Vec<Component>,
}

/// A component of a scan, by its number in the frame.
struct Part<'a> {
    number: usize,
    dc: &'a Table,
    ac: &'a Table,
}

impl Frame {
    /// B.2.2. None if its width and height are others.
    fn new(segment: &[u8], progressive: bool, expected: (usize, usize)) -> Option<Self> {
        let ([precision, size @ .., count], rest) = segment.split_first_chunk::<6>()?;
        let (height, width) = (word(size)?, word(&size[2..])?);
        let (parts, rest) = rest.as_chunks::<3>();
        let factors = |[_, factors, _]: &[u8; 3]| [factors / 16, factors % 16].map(usize::from);
        let valid = |part| factors(part).iter().all(|n| (1..=4).contains(n));
        if *precision != 8
            || width.min(height) == 0
            || (width, height) != expected
            || !(1..=4).contains(count)
            || parts.len() != usize::from(*count)
            || !rest.is_empty()
            || !parts.iter().all(valid)
        {
            return None;
        }
        let across = parts.iter().map(|part| factors(part)[0]).max()?;
        let down = parts.iter().map(|part| factors(part)[1]).max()?;
        let (columns, rows) = (width.div_ceil(8 * across), height.div_ceil(8 * down));
        let component = |part| {
            let [h, v] = factors(part);
            let blocks = columns * h * rows * v;
            Component {
                id: part[0],
                across: h,
                down: v,
                columns: (width * h).div_ceil(8 * across),
                rows: (height * v).div_ceil(8 * down),
                stride: columns * h,
                set: vec![0; if progressive { blocks } else { 0 }],
                missing: [u8::MAX; 64],
            }
        };
        Some(Self {
            progressive,
            columns,
            rows,
            components: parts.iter().map(component).collect(),
        })
    }

    fn is_whole(&self) -> bool {
        let mut missing = self.components.iter().flat_map(|c| c.missing);
        missing.all(|bits| bits == 0)
    }

    /// The components of a scan, whose bits are not missing any more.
    fn parts<'a>(
        &mut self,
        chosen: &[u8],
        band: &Band,
        tables: &'a Tables,
    ) -> Option<Vec<Part<'a>>> {
        let part = |[id, codes]: &[u8; 2]| {
            let number = self.components.iter().position(|c| c.id == *id)?;
            let missing = &mut self.components[number].missing;
            let missing = missing.get_mut(band.first..=band.last)?;
            // G.1.1.1.2: a bit at a time.
            if band.refines && missing.iter().any(|bits| *bits != band.low + 1) {
                return None;
            }
            missing.fill(band.low);
            Some(Part {
                number,
                dc: tables.dc.get(usize::from(codes / 16))?,
                ac: tables.ac.get(usize::from(codes % 16))?,
            })
        };
        chosen.as_chunks().0.iter().map(part).collect()
    }

    /// Walks over the blocks of a scan (B.2.3) in the order of A.2.
    fn scan(
        &mut self,
        segment: &[u8],
        tables: &Tables,
        interval: usize,
        data: &mut Data,
    ) -> Option<()> {
        let (count, rest) = segment.split_first()?;
        let (chosen, rest) = rest.split_at_checked(2 * usize::from(*count))?;
        let band = match self.progressive {
            true => Band::of(*rest.first_chunk()?),
            false => Band::ALL,
        };
        let parts = self.parts(chosen, &band, tables)?;
        let (columns, rows) = match &parts[..] {
            [] => return None,
            // A.2.2: a component alone comes block by block.
            [part] => {
                let component = &self.components[part.number];
                (component.columns, component.rows)
            }
            _ => (self.columns, self.rows),
        };
        let alone = parts.len() == 1;
        // G.1.1.1.1: the first coefficient comes without others, and only it with other components.
        if self.progressive && band.last > 0 && (band.first == 0 || !alone) {
            return None;
        }
        let mut run = 0;
        for unit in 0..columns * rows {
            if interval > 0 && unit > 0 && unit % interval == 0 {
                if !matches!(data.marker()?, 0xd0..=0xd7) {
                    return None;
                }
                run = 0;
            }
            let (x, y) = (unit % columns, unit / columns);
            for Part { number, dc, ac } in &parts {
                let component = &mut self.components[*number];
                let (h, v) = match alone {
                    true => (1, 1),
                    false => (component.across, component.down),
                };
                for block in 0..h * v {
                    if !self.progressive {
                        data.sequential(dc, ac)?;
                    } else if band.first == 0 {
                        data.progressive_dc(dc, band.refines)?;
                    } else {
                        let (x, y) = (x * h + block % h, y * v + block / h);
                        let set = component.set.get_mut(y * component.stride + x)?;
                        data.progressive_ac(ac, &band, &mut run, set)?;
                    }
                }
            }
        }
        Some(())
    }
}
