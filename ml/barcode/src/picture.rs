//! A grey picture, seen from one of its four sides.

use crate::error::Error;

/// Fraction bits of positions: a pixel's middle is at its whole number.
pub const BITS: u32 = 8;
/// One pixel.
pub const ONE: i32 = 1 << BITS;
const LONGEST: usize = 32_767;

/// Rows of grey pixels, 0 black to 255 white.
#[derive(Clone, Copy)]
pub struct Picture<'a> {
    width: usize,
    height: usize,
    pixels: &'a [u8],
}

/// A point in a picture, in 1/256 of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// To the right.
    pub x: i32,
    /// Down.
    pub y: i32,
}

impl<'a> Picture<'a> {
    /// Takes `width * height` pixels, row by row.
    pub fn new(width: usize, height: usize, pixels: &'a [u8]) -> Result<Self, Error> {
        let fits = (1..=LONGEST).contains(&width)
            && (1..=LONGEST).contains(&height)
            && pixels.len() == width * height;
        fits.then_some(Self {
            width,
            height,
            pixels,
        })
        .ok_or(Error::Size)
    }
}

/// A picture after some quarter turns; nothing is copied.
#[derive(Clone, Copy)]
pub struct View<'a> {
    picture: Picture<'a>,
    turns: u8,
}

impl<'a> View<'a> {
    /// The picture after `turns` quarter turns anticlockwise.
    pub fn new(picture: Picture<'a>, turns: u8) -> Self {
        Self {
            picture,
            turns: turns % 4,
        }
    }

    fn turned(&self) -> bool {
        self.turns % 2 == 1
    }

    /// Pixels in a row of the view.
    pub fn width(&self) -> usize {
        if self.turned() {
            self.picture.height
        } else {
            self.picture.width
        }
    }

    /// Rows of the view.
    pub fn height(&self) -> usize {
        if self.turned() {
            self.picture.width
        } else {
            self.picture.height
        }
    }

    /// Where a point of the view is in the picture.
    pub fn in_picture(&self, Point { x, y }: Point) -> Point {
        let (right, bottom) = (
            (self.picture.width as i32 - 1) << BITS,
            (self.picture.height as i32 - 1) << BITS,
        );
        let (x, y) = match self.turns {
            0 => (x, y),
            1 => (right - y, x),
            2 => (right - x, bottom - y),
            _ => (y, bottom - x),
        };
        Point { x, y }
    }

    /// Brightness at a point, between the four pixels around it; the border continues outside.
    pub fn at(&self, point: Point) -> u8 {
        let Point { x, y } = self.in_picture(point);
        let (width, height) = (self.picture.width, self.picture.height);
        let split = |v: i32, len: usize| {
            let v = v.clamp(0, (len as i32 - 1) << BITS);
            let low = (v >> BITS) as usize;
            (low, (low + 1).min(len - 1), v & (ONE - 1))
        };
        let (left, right, dx) = split(x, width);
        let (above, below, dy) = split(y, height);
        let pixel = |x: usize, y: usize| i32::from(self.picture.pixels[y * width + x]);
        let mix = |a: i32, b: i32, t: i32| a * (ONE - t) + b * t;
        let top = mix(pixel(left, above), pixel(right, above), dx);
        let bottom = mix(pixel(left, below), pixel(right, below), dx);
        ((mix(top, bottom, dy) + (1 << (2 * BITS - 1))) >> (2 * BITS)) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn view_should_turn_with_the_picture_when_it_is_read() {
        let picture = Picture::new(3, 2, &[1, 2, 3, 4, 5, 6]).unwrap();
        let rows = |turns| {
            let view = View::new(picture, turns);
            let row = |y| {
                move |x: usize| {
                    view.at(Point {
                        x: x as i32 * ONE,
                        y: y as i32 * ONE,
                    })
                }
            };
            (0..view.height())
                .map(|y| (0..view.width()).map(row(y)).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        assert_eq!(rows(0), [[1, 2, 3], [4, 5, 6]]);
        assert_eq!(rows(1), [[3, 6], [2, 5], [1, 4]]);
        assert_eq!(rows(2), [[6, 5, 4], [3, 2, 1]]);
        assert_eq!(rows(3), [[4, 1], [5, 2], [6, 3]]);
    }

    #[test]
    fn picture_should_be_refused_when_its_size_is_wrong() {
        assert!(Picture::new(2, 2, &[0; 3]).is_err());
        assert!(Picture::new(0, 2, &[]).is_err());
        assert!(Picture::new(32_768, 1, &[0; 32_768]).is_err());
    }
}
