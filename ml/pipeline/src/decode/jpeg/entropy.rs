//! The bytes of a JPEG file: markers, segments, and the bits between them, which are counted and not decoded.
//!
//! Numbers in comments are those of ITU-T T.81.

/// A place in a file.
pub struct Data<'a> {
    file: &'a [u8],
    at: usize,
    /// Bits of a scan that were read ahead, the first one on top. None is from behind a marker.
    ahead: u64,
    count: usize,
}

impl<'a> Data<'a> {
    pub fn new(file: &'a [u8], at: usize) -> Self {
        Self {
            file,
            at,
            ahead: 0,
            count: 0,
        }
    }

    /// Steps behind the next marker and returns its code. What lies before it, of bits the padding, is stepped over.
    pub fn marker(&mut self) -> Option<u8> {
        (self.ahead, self.count) = (0, 0);
        loop {
            let rest = self.file.get(self.at..)?;
            self.at += rest.iter().position(|byte| *byte == 0xff)? + 1;
            match self.file.get(self.at)? {
                // A stuffed zero of a scan, a fill byte.
                0x00 | 0xff => {}
                code => {
                    self.at += 1;
                    return Some(*code);
                }
            }
        }
    }

    /// Takes a segment (B.1.1.4): a length, which counts itself, and that many bytes.
    pub fn segment(&mut self) -> Option<&'a [u8]> {
        let rest = self.file.get(self.at..)?;
        let segment = rest.get(2..word(rest)?)?;
        self.at += 2 + segment.len();
        Some(segment)
    }

    /// The next 16 bits of a scan; zeros where there are none.
    fn look(&mut self) -> u32 {
        while self.count <= 56 {
            let byte = match self.file.get(self.at..) {
                Some([0xff, 0x00, ..]) => 0xff,
                Some([0xff, ..] | []) | None => break,
                Some([byte, ..]) => *byte,
            };
            self.at += 1 + usize::from(byte == 0xff);
            self.ahead |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
        (self.ahead >> 48) as u32
    }

    /// Takes up to 16 bits; none if there are not as many.
    fn take(&mut self, n: usize) -> Option<usize> {
        let value = self.look() as usize >> 16usize.checked_sub(n)?;
        self.count = self.count.checked_sub(n)?;
        self.ahead <<= n;
        Some(value)
    }

    /// Takes a symbol's code.
    fn symbol(&mut self, table: &Table) -> Option<usize> {
        let look = self.look();
        let n = (1..=16).find(|n| look < table.ends[*n])?;
        let code = self.take(n)?;
        let symbol = table.symbols.get(code.checked_sub(table.shifts[n])?)?;
        Some(usize::from(*symbol))
    }

    /// Takes a block of sequential coding (F.1.2).
    pub fn sequential(&mut self, dc: &Table, ac: &Table) -> Option<()> {
        let size = self.symbol(dc)?;
        self.take(size)?;
        let mut k = 1;
        while k < 64 {
            match self.symbol(ac)? {
                0xf0 => k += 16,
                symbol if symbol % 16 == 0 => break,
                symbol => {
                    self.take(symbol % 16)?;
                    k += symbol / 16 + 1;
                }
            }
        }
        Some(())
    }

    /// Takes a block's first coefficient in progressive coding (G.1.2.1).
    pub fn progressive_dc(&mut self, dc: &Table, refines: bool) -> Option<()> {
        let size = if refines { 1 } else { self.symbol(dc)? };
        self.take(size).map(|_| ())
    }

    /// Takes a block's coefficients of a band, none beyond 63, in progressive coding (G.1.2.2, G.1.2.3). `run` counts the
    /// blocks that still have nothing new in the band; `set` says which coefficients of the block are not zero.
    pub fn progressive_ac(
        &mut self,
        ac: &Table,
        band: &Band,
        run: &mut usize,
        set: &mut u64,
    ) -> Option<()> {
        let mut k = band.first;
        while *run == 0 && k <= band.last {
            let symbol = self.symbol(ac)?;
            let (zeros, size) = (symbol / 16, symbol % 16);
            if size == 0 && zeros < 15 {
                *run = (1 << zeros) + self.take(zeros)?;
                break;
            }
            self.take(size)?;
            k = self.pass(band, k, zeros, *set)?;
            if size > 0 && k <= band.last {
                *set |= 1 << k;
            }
            k += 1;
        }
        if *run > 0 {
            self.pass(band, k, 64, *set)?;
            *run -= 1;
        }
        Some(())
    }

    /// Where the zero after a number of zeros lies. A refining scan has a bit for every coefficient on the way that is not
    /// zero; in a first scan all are.
    fn pass(&mut self, band: &Band, from: usize, mut zeros: usize, set: u64) -> Option<usize> {
        if !band.refines {
            return Some(from + zeros);
        }
        for k in from..=band.last {
            if set >> k & 1 == 1 {
                self.take(1)?;
            } else if zeros == 0 {
                return Some(k);
            } else {
                zeros -= 1;
            }
        }
        Some(band.last + 1)
    }
}

/// A number of 16 bits.
pub fn word(bytes: &[u8]) -> Option<usize> {
    let bytes = bytes.first_chunk()?;
    Some(u16::from_be_bytes(*bytes).into())
}

/// Which coefficients a scan is about, from the first to the last.
pub struct Band {
    pub first: usize,
    pub last: usize,
    /// Whether their higher bits came in an earlier scan.
    pub refines: bool,
    /// How many of their bits are left to later scans.
    pub low: u8,
}

impl Band {
    /// Every scan of sequential coding.
    pub const ALL: Self = Self {
        first: 0,
        last: 63,
        refines: false,
        low: 0,
    };

    /// From the end of a scan's header in progressive coding (B.2.3).
    pub fn of([first, last, bits]: [u8; 3]) -> Self {
        Self {
            first: first.into(),
            last: last.into(),
            refines: bits >= 16,
            low: bits % 16,
        }
    }
}

/// A Huffman code (annex C): codes of one length follow each other.
#[derive(Default)]
pub struct Table {
    symbols: Vec<u8>,
    /// By length: the first 16 bits that no code of this length or a shorter one begins.
    ends: [u32; 17],
    /// By length: the first code less the number of its symbol; codes are not below the symbols' numbers.
    shifts: [usize; 17],
}

/// The codes in use, by class and number.
#[derive(Default)]
pub struct Tables {
    pub dc: [Table; 4],
    pub ac: [Table; 4],
}

impl Tables {
    /// Takes over the codes of a segment (B.2.4.2).
    pub fn define(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some(([head, counts @ ..], rest)) = segment.split_first_chunk::<17>() {
            let (symbols, rest) =
                rest.split_at_checked(counts.iter().map(|n| usize::from(*n)).sum())?;
            let mut table = Table {
                symbols: symbols.to_vec(),
                ..Table::default()
            };
            let (mut code, mut number) = (0, 0);
            for (n, count) in (1..).zip(counts) {
                table.shifts[n] = code - number;
                code += usize::from(*count);
                number += usize::from(*count);
                table.ends[n] = (code << (16 - n)) as u32;
                code <<= 1;
            }
            let class = match head / 16 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return None,
            };
            *class.get_mut(usize::from(head % 16))? = table;
            segment = rest;
        }
        segment.is_empty().then_some(())
    }
}
