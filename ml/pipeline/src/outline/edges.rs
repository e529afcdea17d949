//! Where a picture changes, and into which direction.

use crate::picture::Picture;

/// Least gradient of an edge, in the units of [`Gradient`]: a step of about four levels of brightness.
const WEAKEST: i32 = 48;

/// How fast the brightness rises to the right and downwards, as Sobel's operator on the smoothed picture says: a step of
/// one level is about 12.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Gradient {
    pub x: i32,
    pub y: i32,
}

impl Gradient {
    /// The square of its length.
    pub fn squared(self) -> i32 {
        self.x * self.x + self.y * self.y
    }
}

/// The gradients of a picture, and which of its pixels are edges.
pub(super) struct Edges {
    pub width: usize,
    pub height: usize,
    gradients: Vec<Gradient>,
    edges: Vec<bool>,
}

impl Edges {
    /// Edges are pixels with more gradient than their neighbours along it, and more than half of all pixels have.
    pub fn of(picture: &Picture) -> Self {
        let (width, height) = (picture.width(), picture.height());
        let luma: Vec<i32> = picture.luma().into_iter().map(i32::from).collect();
        let gradients = sobel(&smooth(&luma, width, height), width, height);
        let mut lengths: Vec<i32> = gradients.iter().map(|g| g.squared()).collect();
        let middle = lengths.len() / 2;
        let (_, median, _) = lengths.select_nth_unstable(middle);
        let least = (*median).max(WEAKEST.pow(2));
        let mut this = Self {
            width,
            height,
            gradients,
            edges: Vec::new(),
        };
        let places = (0..height as i64).flat_map(|y| (0..width as i64).map(move |x| (x, y)));
        this.edges = places.map(|(x, y)| this.is_crest(x, y, least)).collect();
        this
    }

    /// The gradient at a pixel; none outside of the picture.
    pub fn gradient(&self, x: i64, y: i64) -> Gradient {
        self.index(x, y)
            .map_or(Gradient::default(), |i| self.gradients[i])
    }

    /// The gradient at a pixel that is an edge.
    pub fn edge(&self, x: i64, y: i64) -> Option<Gradient> {
        self.index(x, y)
            .and_then(|i| self.edges[i].then_some(self.gradients[i]))
    }

    fn index(&self, x: i64, y: i64) -> Option<usize> {
        let inside = x >= 0 && y >= 0 && x < self.width as i64 && y < self.height as i64;
        inside.then(|| y as usize * self.width + x as usize)
    }

    fn is_crest(&self, x: i64, y: i64, least: i32) -> bool {
        let gradient = self.gradient(x, y);
        let here = gradient.squared();
        if here < least {
            return false;
        }
        // The neighbour along the gradient, of eight: 2/5 is about the tangent of an eighth of a right angle's half.
        let (right, down) = (gradient.x.abs(), gradient.y.abs());
        let (dx, dy) = match () {
            () if 5 * down < 2 * right => (1, 0),
            () if 5 * right < 2 * down => (0, 1),
            () if (gradient.x < 0) == (gradient.y < 0) => (1, 1),
            () => (1, -1),
        };
        here > self.gradient(x - dx, y - dy).squared()
            && here >= self.gradient(x + dx, y + dy).squared()
    }
}

/// Weights 1, 2, 1 both ways, without division: 16 times the brightness. The border is repeated outwards.
fn smooth(plane: &[i32], width: usize, height: usize) -> Vec<i32> {
    let across = along(plane, width, height, (1, 0), |a, b, c| a + 2 * b + c);
    along(&across, width, height, (0, 1), |a, b, c| a + 2 * b + c)
}

fn sobel(plane: &[i32], width: usize, height: usize) -> Vec<Gradient> {
    let pass = |plane: &[i32], by, f: fn(i32, i32, i32) -> i32| along(plane, width, height, by, f);
    let (soft, rise) = (|a, b, c| a + 2 * b + c, |a, _: i32, c| c - a);
    let x = pass(&pass(plane, (0, 1), soft), (1, 0), rise);
    let y = pass(&pass(plane, (1, 0), soft), (0, 1), rise);
    let both = x.into_iter().zip(y);
    both.map(|(x, y)| Gradient { x: x / 4, y: y / 4 }).collect()
}

/// Combines every value with its neighbours on either side.
fn along(
    plane: &[i32],
    width: usize,
    height: usize,
    (dx, dy): (usize, usize),
    f: fn(i32, i32, i32) -> i32,
) -> Vec<i32> {
    let mut out = Vec::with_capacity(plane.len());
    for y in 0..height {
        let (above, below) = (y.saturating_sub(dy), (y + dy).min(height - 1));
        for x in 0..width {
            let (left, right) = (x.saturating_sub(dx), (x + dx).min(width - 1));
            out.push(f(
                plane[above * width + left],
                plane[y * width + x],
                plane[below * width + right],
            ));
        }
    }
    out
}
