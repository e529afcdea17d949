//! The one thing that is read from EXIF data: how the camera was held.

use crate::picture::Picture;

/// EXIF's tag 0x0112: turn the picture clockwise, after mirroring it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Orientation {
    mirrored: bool,
    quarters: u8,
}

impl Orientation {
    /// Reads the tag from the first directory of a TIFF structure; anything that is not a valid tag is upright.
    pub fn of_tiff(tiff: &[u8]) -> Self {
        read_tag(tiff).map_or(Self::default(), Self::of_tag)
    }

    fn of_tag(tag: u16) -> Self {
        let (mirrored, quarters) = match tag {
            2 => (true, 0),
            3 => (false, 2),
            4 => (true, 2),
            5 => (true, 3),
            6 => (false, 1),
            7 => (true, 1),
            8 => (false, 3),
            _ => (false, 0),
        };
        Self { mirrored, quarters }
    }

    pub fn upright(self, picture: Picture) -> Picture {
        match (self.mirrored, self.quarters) {
            (false, 0) => picture,
            (false, quarters) => picture.turned(quarters),
            (true, quarters) => picture.mirrored().turned(quarters),
        }
    }
}

/// TIFF 6.0, section 2: byte order, 42, offset of a directory; a directory is a count and entries of 12 bytes (tag, type,
/// count, value).
fn read_tag(tiff: &[u8]) -> Option<u16> {
    let little = match tiff.get(..2)? {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    let number = |at: usize, bytes: usize| {
        let bytes = tiff.get(at..at.checked_add(bytes)?)?.iter();
        let fold = |n: usize, byte: &u8| n << 8 | usize::from(*byte);
        Some(if little {
            bytes.rev().fold(0, fold)
        } else {
            bytes.fold(0, fold)
        })
    };
    if number(2, 2)? != 42 {
        return None;
    }
    let directory = number(4, 4)?;
    let entries = number(directory, 2)?;
    let entry = (0..entries)
        .map(|i| directory + 2 + 12 * i)
        .find(|at| number(*at, 2) == Some(0x0112))?;
    // A SHORT, one of them, in the first half of the value.
    (number(entry + 2, 2)? == 3 && number(entry + 4, 4)? == 1)
        .then(|| number(entry + 8, 2).map(|tag| tag as u16))?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with the tag, after another one.
    fn tiff(little: bool, tag: u16) -> Vec<u8> {
        let short = |n: u16| {
            if little {
                n.to_le_bytes()
            } else {
                n.to_be_bytes()
            }
        };
        let long = |n: u32| {
            if little {
                n.to_le_bytes()
            } else {
                n.to_be_bytes()
            }
        };
        let entry = |id: u16, value: u16| {
            [&short(id)[..], &short(3), &long(1), &short(value), &[0, 0]].concat()
        };
        let mark: &[u8] = if little { b"II" } else { b"MM" };
        [
            mark,
            &short(42),
            &long(8),
            &short(2),
            &entry(0x0100, 7),
            &entry(0x0112, tag),
            &long(0),
        ]
        .concat()
    }

    #[test]
    fn orientation_should_undo_the_camera_when_the_tag_is_valid() {
        // The letter F, as the standard draws it; the other seven are what a camera held in that way stores.
        let upright = [[1, 2], [3, 4], [5, 6]];
        let stored: [(u16, &[&[u8]]); 8] = [
            (1, &[&[1, 2], &[3, 4], &[5, 6]]),
            (2, &[&[2, 1], &[4, 3], &[6, 5]]),
            (3, &[&[6, 5], &[4, 3], &[2, 1]]),
            (4, &[&[5, 6], &[3, 4], &[1, 2]]),
            (5, &[&[1, 3, 5], &[2, 4, 6]]),
            (6, &[&[2, 4, 6], &[1, 3, 5]]),
            (7, &[&[6, 4, 2], &[5, 3, 1]]),
            (8, &[&[5, 3, 1], &[6, 4, 2]]),
        ];
        for (tag, rows) in stored {
            let rgb = rows.concat().iter().flat_map(|v| [*v; 3]).collect();
            let picture = Picture::new(rows[0].len(), rows.len(), rgb);
            for little in [true, false] {
                let picture = Orientation::of_tiff(&tiff(little, tag)).upright(picture.clone());
                let values: Vec<u8> = picture.rgb().iter().step_by(3).copied().collect();
                assert_eq!(
                    (picture.width(), values),
                    (2, upright.concat()),
                    "tag {tag}"
                );
            }
        }
    }

    #[test]
    fn orientation_should_be_upright_when_the_data_are_not_valid() {
        let upright = Orientation::default();
        let valid = tiff(true, 6);
        for end in 0..valid.len() - 8 {
            assert_eq!(Orientation::of_tiff(&valid[..end]), upright, "{end}");
        }
        assert_eq!(Orientation::of_tiff(&tiff(true, 9)), upright);
        let mut far = valid;
        far[4..8].fill(0xff);
        assert_eq!(Orientation::of_tiff(&far), upright);
    }
}
