//! From a picture to the symbols of its zone.

use crate::{
    image::{locate, Block, Grey, Grid, Quad, Strip, CELL},
    text::{
        birth, expiry, repair_guesses, Checks, Date, Format, Guess, Kind, Outcome, Symbol, SYMBOLS,
    },
};
use alloc::vec::Vec;
use ve_ml_engine::{Error, Execution, Net};

/// What one natural logarithm of likelihood is worth in the network's answers: `2^fraction_bits` of the manifest.
pub const NAT: i32 = 1 << 10;
/// Steps in which answers are compared.
const STEP: i32 = NAT / 2;
/// Other readings of a cell that are worth a guess, and how far they may be behind the first.
const OTHERS: usize = 2;
const FAR: i32 = 4 * STEP;
/// Least mean lead over a few cells of a block that is read at all.
const WORTH: i32 = 3 * STEP;
/// Least mean lead of a reading that ends the search.
const CERTAIN: i32 = 10 * STEP;
/// How far a letter O must lead over a zero where both may stand: they differ by a tenth of their height, and numbers have
/// more zeros than the synthetic ones that the network learned from.
const ROUND: i32 = NAT;
/// A day on which a date of either century lies in the past. Whether a day exists does not depend on today otherwise.
const LATE: Date = Date {
    year: 2099,
    month: 12,
    day: 31,
};
/// Of so many cells one is looked at before a block is read.
const SAMPLED: usize = 5;

/// The reader: the network that knows the symbols.
pub struct Reader<'a> {
    net: Net<'a>,
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The symbols, repaired if they could be.
    pub outcome: Outcome,
    /// Mean lead of the best answer over the second, over all cells, in units of the network's answers.
    pub lead: i32,
    /// Quarter turns, clockwise, by which the picture had to be turned for the zone to be upright.
    pub turns: u8,
    /// The zone in the turned picture, corners as one reads.
    pub quad: Quad,
    /// The zone laid flat, upright.
    pub strip: Strip,
    /// The grid of every line in it.
    pub grids: Vec<Grid>,
}

/// A block laid flat for a number of columns, one way up.
struct Flat {
    strip: Strip,
    grids: Vec<Grid>,
    columns: usize,
    turns: u8,
    quad: Quad,
}

impl<'a> Reader<'a> {
    /// Takes the artefact of the network; it must read cells and know all symbols.
    pub fn new(artefact: &'a [u8]) -> Result<Self, Error> {
        let net = Net::parse(artefact)?;
        let input = net.shape(0).map(|s| [s.height, s.width, s.channels]);
        let answers = net.graph().outputs.iter().map(|v| net.shape(*v));
        let answers: Vec<u64> = answers.flatten().map(|s| s.elements()).collect();
        if input != Some([CELL, CELL, 1]) || answers != [SYMBOLS as u64] {
            return Err(Error::Header("the network does not read cells of a zone"));
        }
        Ok(Self { net })
    }

    /// Finds and reads the zone of a picture: the first reading that is valid and clear, else the clearest. Nothing when no rows
    /// look like a zone.
    pub fn read(&self, picture: &Grey, how: Execution) -> Option<Reading> {
        let mut best: Option<Reading> = None;
        let mut turned = picture.clone();
        for quarter in 0..2 {
            if quarter == 1 {
                turned = picture.turned();
            }
            for block in locate(&turned) {
                let Some(reading) = self.read_block(&turned, &block, quarter, how) else {
                    continue;
                };
                if reading.is_certain() {
                    return Some(reading);
                }
                if best.as_ref().is_none_or(|b| reading.rank() > b.rank()) {
                    best = Some(reading);
                }
            }
        }
        best
    }

    /// Reads a block the way up, and for the number of columns, that promise most.
    fn read_block(
        &self,
        picture: &Grey,
        block: &Block,
        quarter: u8,
        how: Execution,
    ) -> Option<Reading> {
        let [a, b, c, d] = block.quad.0;
        let ways = [(quarter, [a, b, c, d]), (quarter + 2, [c, d, a, b])];
        let mut best: Option<(i32, Flat)> = None;
        for columns in if block.lines == 3 {
            &[30][..]
        } else {
            &[44, 36]
        } {
            for (turns, corners) in ways {
                let quad = Quad(corners);
                let block = Block {
                    quad,
                    ..block.clone()
                };
                let Some(strip) = Strip::new(picture, &block, *columns) else {
                    continue;
                };
                let flat = Flat {
                    grids: strip.grids(),
                    strip,
                    columns: *columns,
                    turns,
                    quad,
                };
                let lead = self.promise(&flat, how)?;
                if best.as_ref().is_none_or(|(most, _)| lead > *most) {
                    best = Some((lead, flat));
                }
            }
        }
        let (lead, flat) = best?;
        (lead >= WORTH).then(|| self.read_flat(flat, how))?
    }

    /// Mean lead over some of the cells.
    fn promise(&self, flat: &Flat, how: Execution) -> Option<i32> {
        let (mut sum, mut cells) = (0, 0);
        for (line, grid) in flat.grids.iter().enumerate() {
            for column in (line..flat.columns).step_by(SAMPLED) {
                let answers = self.answers(&flat.strip.cell(grid, column), how)?;
                sum += guess(&answers, Kind::Any)?.1;
                cells += 1;
            }
        }
        Some(sum / cells.max(1))
    }

    fn read_flat(&self, flat: Flat, how: Execution) -> Option<Reading> {
        let Flat {
            strip,
            grids,
            columns,
            turns,
            quad,
        } = flat;
        let mut cells = Vec::with_capacity(grids.len() * columns);
        for grid in &grids {
            for column in 0..columns {
                cells.push(self.answers(&strip.cell(grid, column), how)?);
            }
        }
        let format = Format::of(grids.len(), columns, cells.first()?.first()?.1)?;
        let layout = format.layout();
        let (mut guesses, mut leads) = (Vec::with_capacity(cells.len()), 0);
        for (place, answers) in cells.iter().enumerate() {
            let (guess, lead) = guess(answers, layout.kind(place))?;
            guesses.push(guess);
            leads += lead;
        }
        Some(Reading {
            outcome: repair_guesses(format, &guesses)?,
            lead: leads / guesses.len().max(1) as i32,
            turns,
            quad,
            strip,
            grids,
        })
    }

    /// What the network says about a cell: symbols and how unlikely they are, the likeliest first.
    fn answers(&self, cell: &[u8], how: Execution) -> Option<Vec<(i32, Symbol)>> {
        let answers = self.net.run(cell, how).ok()?.concat();
        let mut order: Vec<(i32, Symbol)> = answers
            .iter()
            .enumerate()
            .filter_map(|(class, a)| Some((-i32::from(*a), Symbol::from_class(class)?)))
            .collect();
        order.sort_unstable();
        Some(order)
    }
}

/// The reading of a cell in a place where only some symbols may stand, and its lead over the next of them.
fn guess(answers: &[(i32, Symbol)], kind: Kind) -> Option<(Guess, i32)> {
    let handicap = |symbol: Symbol| {
        if kind == Kind::Any && symbol.ascii() == b'O' {
            ROUND
        } else {
            0
        }
    };
    let allowed = answers.iter().filter(|(_, symbol)| kind.allows(*symbol));
    let mut allowed: Vec<_> = allowed
        .map(|(unlikely, s)| (unlikely + handicap(*s), *s))
        .collect();
    allowed.sort_unstable();
    let (first, symbol) = *allowed.first()?;
    let gaps = || {
        allowed
            .iter()
            .skip(1)
            .map(move |(unlikely, s)| (*s, unlikely - first))
    };
    let others = gaps().take(OTHERS).take_while(|(_, gap)| *gap <= FAR);
    let others = others.map(|(symbol, gap)| (symbol, (1 + gap / STEP) as u16));
    let guess = Guess {
        symbol,
        others: others.collect(),
    };
    // How far the print is from what may stand there counts against the reading.
    let lead = gaps().next().map_or(0, |(_, gap)| gap);
    let (likeliest, _) = *answers.first()?;
    Some((guess, lead - (first - likeliest).min(lead)))
}

impl Reading {
    /// Valid, clear, and with dates that are days: rows of zeros have valid check digits, but no months.
    fn is_certain(&self) -> bool {
        let lines = self.outcome.lines();
        let layout = lines.format().layout();
        let dates = birth(lines.field(layout.birth.clone()), LATE).is_some()
            && expiry(lines.field(layout.expiry.clone()), LATE).is_some();
        self.outcome.is_valid() && self.lead >= CERTAIN && dates
    }

    /// Readings with a higher rank are better. A valid check digit counts as much as a clearer print: rows of equal symbols
    /// have valid check digits too.
    fn rank(&self) -> (bool, i32) {
        let valid = Checks::of(self.outcome.lines()).valid() as i32;
        (self.is_certain(), self.lead + 2 * STEP * valid)
    }
}
