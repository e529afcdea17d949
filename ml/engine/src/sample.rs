//! Pictures that everybody can make, for known answers: a worker runs them when it starts and compares the answers' hashes
//! with the pinned ones.

use crate::net::Shape;
use alloc::vec::Vec;

/// The picture with a number, for an input of a shape. Number 0 is black, 1 white, 2 a ramp that differs by channel, 3 a
/// board of 8 x 8 squares; any other number seeds noise.
pub fn picture(number: u32, shape: Shape) -> Vec<u8> {
    let mut noise = u64::from(number) + 1;
    let mut pixels = Vec::with_capacity(shape.pixels() * shape.channels);
    for y in 0..shape.height {
        for x in 0..shape.width {
            for c in 0..shape.channels {
                pixels.push(match number {
                    0 => 0,
                    1 => 255,
                    2 => (2 * x + 3 * y + 50 * c) as u8,
                    3 => 255 * ((x / 8 + y / 8 + c) % 2) as u8,
                    _ => {
                        // xorshift64*, its upper byte.
                        noise ^= noise >> 12;
                        noise ^= noise << 25;
                        noise ^= noise >> 27;
                        (noise.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8
                    }
                });
            }
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::picture;
    use crate::Shape;

    #[test]
    fn picture_should_be_what_its_number_says_when_asked_for() {
        let shape = Shape {
            height: 9,
            width: 9,
            channels: 2,
        };
        assert!(picture(0, shape).iter().all(|p| *p == 0));
        assert!(picture(1, shape).iter().all(|p| *p == 255));
        assert_eq!(picture(2, shape)[..6], [0, 50, 2, 52, 4, 54]);
        assert_eq!(picture(3, shape)[14..18], [0, 255, 255, 0]);
        assert_ne!(picture(4, shape), picture(5, shape));
    }
}
