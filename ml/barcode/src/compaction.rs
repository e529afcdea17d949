//! From data codewords to bytes: text, byte and numeric compaction (ISO/IEC 15438).

use crate::error::Error;

const TEXT: u16 = 900;
const BYTES: u16 = 901;
const NUMBERS: u16 = 902;
const ONE_BYTE: u16 = 913;
const READER_INITIALISATION: u16 = 921;
const BYTES_BY_SIX: u16 = 924;

const MIXED: &[u8; 25] = b"0123456789&\r\t,:#-.$/+%*=^";
const PUNCTUATION: &[u8; 29] = b";<>@[\\]_`~!\r\t,:\n-.$/\"|*()?{}'";

/// Bytes that data codewords stand for; the length descriptor is not one of them. Extended channel interpretations are
/// skipped, so text is given as the bytes that were encoded.
pub fn bytes(codewords: &[u16]) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let mut mode = TEXT;
    let mut text = Text::new();
    let mut rest = codewords;
    while let Some((&first, tail)) = rest.split_first() {
        if first < 900 {
            let len = rest.iter().take_while(|c| **c < 900).count();
            let (run, tail) = rest.split_at(len);
            rest = tail;
            match mode {
                TEXT => run.iter().for_each(|c| text.push(*c, &mut out)),
                BYTES => byte_run(run, &mut out)?,
                BYTES_BY_SIX if len % 5 == 0 => {
                    run.chunks_exact(5).try_for_each(|c| six(c, &mut out))?
                }
                NUMBERS => run.chunks(15).try_for_each(|c| numbers(c, &mut out))?,
                _ => {
                    return Err(Error::Malformed(
                        "a run of bytes by six is not a multiple of five codewords",
                    ))
                }
            }
            continue;
        }
        rest = match first {
            TEXT => {
                (mode, text) = (TEXT, Text::new());
                tail
            }
            BYTES | NUMBERS | BYTES_BY_SIX => {
                mode = first;
                tail
            }
            ONE_BYTE => {
                let (byte, tail) = tail
                    .split_first()
                    .ok_or(Error::Malformed("the byte after a shift is missing"))?;
                byte_run(&[*byte], &mut out)?;
                tail
            }
            READER_INITIALISATION => tail,
            925 | 927 => tail.get(1..).unwrap_or_default(),
            926 => tail.get(2..).unwrap_or_default(),
            922 | 923 | 928 => {
                return Err(Error::Malformed(
                    "it is one of several codes that belong together",
                ))
            }
            _ => return Err(Error::Malformed("a reserved codeword is used")),
        };
    }
    Ok(out)
}

/// Five codewords for six bytes; the last one to five codewords are a byte each.
fn byte_run(run: &[u16], out: &mut Vec<u8>) -> Result<(), Error> {
    let grouped = run.len().saturating_sub(1) / 5 * 5;
    let (groups, single) = run.split_at(grouped);
    groups.chunks_exact(5).try_for_each(|c| six(c, out))?;
    for codeword in single {
        out.push(u8::try_from(*codeword).map_err(|_| Error::Malformed("a byte is above 255"))?);
    }
    Ok(())
}

fn six(codewords: &[u16], out: &mut Vec<u8>) -> Result<(), Error> {
    let value = codewords
        .iter()
        .fold(0u64, |sum, c| sum * 900 + u64::from(*c));
    let [0, 0, bytes @ ..] = value.to_be_bytes() else {
        return Err(Error::Malformed("six bytes are above 2^48"));
    };
    out.extend(bytes);
    Ok(())
}

/// Up to fifteen codewords for up to 44 digits: the number in base 900 begins with the digit 1, which is dropped.
fn numbers(codewords: &[u16], out: &mut Vec<u8>) -> Result<(), Error> {
    // 45 decimal digits, lowest first.
    let mut digits = [0u32; 45];
    for codeword in codewords {
        let mut carry = u32::from(*codeword);
        for digit in &mut digits {
            let sum = *digit * 900 + carry;
            (*digit, carry) = (sum % 10, sum / 10);
        }
    }
    let len = digits.iter().rposition(|d| *d != 0);
    match len {
        Some(lead) if digits[lead] == 1 => {
            out.extend(digits[..lead].iter().rev().map(|d| b'0' + *d as u8));
            Ok(())
        }
        _ => Err(Error::Malformed(
            "a run of digits does not begin with its mark",
        )),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Alphabet {
    Upper,
    Lower,
    Mixed,
    Punctuation,
}

/// Text compaction: two characters for each codeword, in four alphabets.
struct Text {
    alphabet: Alphabet,
    /// For the next character only.
    shifted: Option<Alphabet>,
}

impl Text {
    fn new() -> Self {
        Self {
            alphabet: Alphabet::Upper,
            shifted: None,
        }
    }

    fn push(&mut self, codeword: u16, out: &mut Vec<u8>) {
        self.character((codeword / 30) as u8, out);
        self.character((codeword % 30) as u8, out);
    }

    fn character(&mut self, value: u8, out: &mut Vec<u8>) {
        use Alphabet::{Lower, Mixed, Punctuation, Upper};
        let alphabet = self.shifted.take().unwrap_or(self.alphabet);
        let at = usize::from(value);
        match (alphabet, value) {
            (Upper, 0..=25) => out.push(b'A' + value),
            (Lower, 0..=25) => out.push(b'a' + value),
            (Mixed, 0..=24) => out.push(MIXED[at]),
            (Punctuation, 0..=28) => out.push(PUNCTUATION[at]),
            (Upper | Lower | Mixed, 26) => out.push(b' '),
            (Lower, 27) => self.shifted = Some(Upper),
            (Upper | Mixed, 27) => self.alphabet = Lower,
            (Upper | Lower, 28) => self.alphabet = Mixed,
            (Mixed, 25) => self.alphabet = Punctuation,
            (Upper | Lower | Mixed, 29) => self.shifted = Some(Punctuation),
            (Mixed, 28) | (Punctuation, 29) => self.alphabet = Upper,
            // No alphabet has 30 or more characters.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_should_change_alphabets_when_latches_and_shifts_say_so() {
        // "PDF417", as in the standard's worked example.
        assert_eq!(bytes(&[453, 178, 121, 239]).unwrap(), b"PDF417");
        // A, to lower, b, shift to upper, C, d, to mixed, 5, to punctuation, newline, to upper, E.
        let values = [0, 27, 1, 27, 2, 3, 28, 5, 25, 15, 29, 4];
        let codewords: Vec<u16> = values.chunks(2).map(|v| v[0] * 30 + v[1]).collect();
        assert_eq!(bytes(&codewords).unwrap(), b"AbCd5\nE");
        // A shift to punctuation lasts for one character; a padding shift at the end says nothing.
        assert_eq!(bytes(&[29 * 30 + 10, 29]).unwrap(), b"!A");
    }

    #[test]
    fn bytes_and_digits_should_be_restored_when_they_are_packed() {
        assert_eq!(
            bytes(&[924, 1, 620, 89, 74, 846]).unwrap(),
            [1, 2, 3, 4, 5, 6].map(six_of)
        );
        assert_eq!(bytes(&[901, 7, 255]).unwrap(), [7, 255]);
        assert_eq!(bytes(&[913, 200, 0]).unwrap(), [200, b'A', b'A']);
        // The standard's example: 000213298174000.
        assert_eq!(
            bytes(&[902, 1, 624, 434, 632, 282, 200]).unwrap(),
            b"000213298174000"
        );
    }

    fn six_of(n: u8) -> u8 {
        // Bytes of 1 * 900^4 + 620 * 900^3 + 89 * 900^2 + 74 * 900 + 846.
        let value = (((900u64 + 620) * 900 + 89) * 900 + 74) * 900 + 846;
        value.to_be_bytes()[usize::from(n) + 1]
    }

    #[test]
    fn codewords_should_be_refused_when_they_break_the_rules() {
        for codewords in [
            &[924, 1, 2][..],
            &[901, 256],
            &[902, 2],
            &[924, 899, 899, 899, 899, 899],
            &[913],
            &[903],
            &[928, 1],
        ] {
            assert!(
                matches!(bytes(codewords), Err(Error::Malformed(_))),
                "{codewords:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn codewords_should_not_panic_when_they_are_noise(codewords in proptest::collection::vec(0..929u16, 0..200)) {
            let _ = bytes(&codewords);
        }
    }
}
