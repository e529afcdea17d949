use crate::{conv::Layer, plain};
use core::{fmt, ops::Range};

#[cfg(all(feature = "std", target_arch = "x86_64"))]
use crate::simd;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
use std::is_x86_feature_detected as detected;

/// The instruction set that convolutions run with. All give the same bits; only the time differs.
///
/// A value of this type can only be one that this machine can execute.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Kernels(Set);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Set {
    Plain,
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    Sse2,
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    Avx2,
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    Avx512,
}

impl Kernels {
    /// Portable code, the only one in WebAssembly: what the runtime's referee executes.
    pub const PLAIN: Self = Self(Set::Plain);

    /// Everything that this machine can execute, slowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        let simd = [
            Some(Self(Set::Sse2)),
            detected!("avx2").then_some(Self(Set::Avx2)),
            (detected!("avx512f") && detected!("avx512bw") && detected!("avx512vnni"))
                .then_some(Self(Set::Avx512)),
        ];
        #[cfg(not(all(feature = "std", target_arch = "x86_64")))]
        let simd: [Option<Self>; 0] = [];
        core::iter::once(Self::PLAIN).chain(simd.into_iter().flatten())
    }

    /// The fastest that this machine can execute.
    pub fn best() -> Self {
        Self::available().last().unwrap_or(Self::PLAIN)
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self.0 {
            Set::Plain => "plain",
            #[cfg(all(feature = "std", target_arch = "x86_64"))]
            Set::Sse2 => "sse2",
            #[cfg(all(feature = "std", target_arch = "x86_64"))]
            Set::Avx2 => "avx2",
            #[cfg(all(feature = "std", target_arch = "x86_64"))]
            Set::Avx512 => "avx512",
        }
    }

    /// Dot products of every row with every channel of `blocks`. `rows` holds whole rows of `2 * layer.pairs()`
    /// activations; row `r` is written to `out[r * stride..]`.
    pub(crate) fn rows(
        self,
        layer: &Layer,
        blocks: Range<usize>,
        rows: &[i16],
        out: &mut [i16],
        stride: usize,
    ) {
        match self.0 {
            Set::Plain => plain::rows(layer, blocks, rows, out, stride),
            #[cfg(all(feature = "std", target_arch = "x86_64"))]
            Set::Sse2 => simd::sse2_rows(layer, blocks, rows, out, stride),
            #[cfg(all(feature = "std", target_arch = "x86_64"))]
            Set::Avx2 => simd::avx2_rows(layer, blocks, rows, out, stride),
            #[cfg(all(feature = "std", target_arch = "x86_64"))]
            Set::Avx512 => simd::avx512_rows(layer, blocks, rows, out, stride),
        }
    }

    /// Neighbouring pixels of a depthwise convolution. `taps` says for each tap where the first pixel's begins in `x`,
    /// see [`Layer::taps`]; the other pixels' lie [`Layer::step`] apart.
    pub(crate) fn depthwise(self, layer: &Layer, x: &[i16], taps: &[usize], out: &mut [i16]) {
        match self.0 {
            Set::Plain => plain::depthwise(layer, x, taps, out),
            #[cfg(all(feature = "std", target_arch = "x86_64"))]
            Set::Sse2 => simd::sse2_depthwise(layer, x, taps, out),
            #[cfg(all(feature = "std", target_arch = "x86_64"))]
            Set::Avx2 => simd::avx2_depthwise(layer, x, taps, out),
            #[cfg(all(feature = "std", target_arch = "x86_64"))]
            Set::Avx512 => simd::avx512_depthwise(layer, x, taps, out),
        }
    }
}

impl fmt::Debug for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
