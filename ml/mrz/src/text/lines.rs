use super::{Format, Symbol};
use alloc::{string::String, vec::Vec};
use core::fmt;

/// The symbols of a zone, in a format: as many as the format has, nothing more is promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    format: Format,
    symbols: Vec<Symbol>,
}

/// Why a text is not the text of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAZone {
    /// No format has so many lines, or lines of this length.
    Size {
        /// Lines that were given.
        lines: usize,
        /// Length of the first line that fits no format.
        columns: usize,
    },
    /// A character that no zone has.
    Character {
        /// Line, from 0.
        line: usize,
        /// Place in the line, from 0.
        column: usize,
    },
}

impl fmt::Display for NotAZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size { lines, columns } => write!(
                f,
                "{lines} lines, one of {columns} characters, are no zone: give 3 lines of 30, or 2 of 36 or 44"
            ),
            Self::Character { line, column } => write!(
                f,
                "line {}, character {}: only 0-9, A-Z and < may stand there",
                line + 1,
                column + 1
            ),
        }
    }
}

impl core::error::Error for NotAZone {}

impl Lines {
    /// Reads text, one line of the zone a line. Any bytes may be given.
    pub fn parse(text: &[u8]) -> Result<Self, NotAZone> {
        let text = text.trim_ascii();
        let rows = || text.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
        let (lines, columns) = (rows().count(), rows().next().unwrap_or_default().len());
        let first = text.first().copied().and_then(Symbol::from_ascii);
        let format = Format::of(lines, columns, first.unwrap_or(Symbol::FILLER))
            .ok_or(NotAZone::Size { lines, columns })?;
        let mut symbols = Vec::with_capacity(format.layout().places());
        for (line, row) in rows().enumerate() {
            if row.len() != columns {
                let columns = row.len();
                return Err(NotAZone::Size { lines, columns });
            }
            for (column, byte) in row.iter().enumerate() {
                let symbol = Symbol::from_ascii(*byte);
                symbols.push(symbol.ok_or(NotAZone::Character { line, column })?);
            }
        }
        Ok(Self { format, symbols })
    }

    /// From symbols, line after line; nothing unless there are as many as the format has.
    pub fn new(format: Format, symbols: Vec<Symbol>) -> Option<Self> {
        (symbols.len() == format.layout().places()).then_some(Self { format, symbols })
    }

    /// The format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// All symbols, line after line.
    pub fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    /// The symbols of a field.
    pub fn field(&self, places: core::ops::Range<usize>) -> &[Symbol] {
        self.symbols.get(places).unwrap_or_default()
    }
}

impl fmt::Display for Lines {
    /// The lines as they are printed, each ended.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in self.symbols.chunks(self.format.layout().columns) {
            let row: String = row.iter().map(|s| char::from(s.ascii())).collect();
            writeln!(f, "{row}")?;
        }
        Ok(())
    }
}
