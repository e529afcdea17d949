//! Vector kernels for x86-64: the only `unsafe` code of this crate.
//!
//! What has to be right here, and why it is:
//!
//! * *Instruction sets.* A function with `#[target_feature]` is called only through the entry points at the end of this
//!   file, and those only from [`crate::Kernels`], whose values exist only where the machine was asked for exactly these
//!   features. SSE2 is part of x86-64.
//! * *Memory.* Every load and store goes through the helpers below; they take references to arrays of exactly the size
//!   that is read or written, so bounds are checked (or proved) by safe code. None needs alignment.
//! * *Bits.* Sums of `i32` are the same in any order, and [`crate::Net::new`] has proved that none overflows, whatever
//!   the order. `pmaddwd` adds two products of an `i16` and an `i8`, far below its only overflowing case.
#![allow(unsafe_code)]

use crate::{
    conv::{Block, Layer, OUTSIDE},
    graph::LANES,
    plain,
};
use core::{arch::x86_64::*, ops::Range};

static ZEROS: [i16; LANES] = [0; LANES];

// Helpers: SSE2 is always there, and the wider ones are inlined into functions that have their feature.

#[inline(always)]
fn load_bytes(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: reads the 16 bytes of the array, without alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline(always)]
fn load_words(words: &[i16; 8]) -> __m128i {
    // SAFETY: reads the 16 bytes of the array, without alignment.
    unsafe { _mm_loadu_si128(words.as_ptr().cast()) }
}

#[inline(always)]
fn pair(words: &[i16; 2]) -> i32 {
    // SAFETY: reads the 4 bytes of the array, without alignment; every bit pattern is an i32.
    unsafe { words.as_ptr().cast::<i32>().read_unaligned() }
}

#[inline]
#[target_feature(enable = "avx")]
fn load_ints_256(ints: &[i32; 8]) -> __m256i {
    // SAFETY: reads the 32 bytes of the array, without alignment.
    unsafe { _mm256_loadu_si256(ints.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx")]
fn load_bytes_256(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: reads the 32 bytes of the array, without alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline(always)]
fn store_ints(v: __m128i, ints: &mut [i32; 4]) {
    // SAFETY: writes the 16 bytes of the array, without alignment.
    unsafe { _mm_storeu_si128(ints.as_mut_ptr().cast(), v) }
}

#[inline(always)]
fn store_words(v: __m128i, words: &mut [i16; 8]) {
    // SAFETY: writes the 16 bytes of the array, without alignment.
    unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), v) }
}

/// First or second half of an array of sixteen.
#[inline(always)]
fn half<T: Copy, const N: usize>(array: &[T], upper: usize) -> [T; N] {
    let mut out = [array[0]; N];
    out.copy_from_slice(&array[upper * N..][..N]);
    out
}

#[inline(always)]
fn two_halves(v: &[i16; LANES]) -> [__m128i; 2] {
    [load_words(&half(v, 0)), load_words(&half(v, 1))]
}

/// Writes the lanes that are channels.
#[inline(always)]
fn put(block: [__m128i; 2], lanes: usize, out: &mut [i16]) {
    let mut words = [[0; 8]; 2];
    store_words(block[0], &mut words[0]);
    store_words(block[1], &mut words[1]);
    match out.first_chunk_mut::<LANES>() {
        Some(out) if lanes == LANES => out.copy_from_slice(words.as_flattened()),
        _ => out[..lanes].copy_from_slice(&words.as_flattened()[..lanes]),
    }
}

// SSE2: four vectors of four sums.

#[inline]
#[target_feature(enable = "sse2")]
fn sse2_widen(w: &[u8; 32]) -> [__m128i; 4] {
    let zero = _mm_setzero_si128();
    let (a, b) = (load_bytes(&half(w, 0)), load_bytes(&half(w, 1)));
    [
        _mm_srai_epi16(_mm_unpacklo_epi8(zero, a), 8),
        _mm_srai_epi16(_mm_unpackhi_epi8(zero, a), 8),
        _mm_srai_epi16(_mm_unpacklo_epi8(zero, b), 8),
        _mm_srai_epi16(_mm_unpackhi_epi8(zero, b), 8),
    ]
}

#[inline]
#[target_feature(enable = "sse2")]
fn sse2_dot<const R: usize>(weights: &[[u8; 32]], x: [&[[i16; 2]]; R]) -> [[__m128i; 4]; R] {
    let mut acc = [[_mm_setzero_si128(); 4]; R];
    for (i, w) in weights.iter().enumerate() {
        let w = sse2_widen(w);
        for r in 0..R {
            let x = _mm_set1_epi32(pair(&x[r][i]));
            for v in 0..4 {
                acc[r][v] = _mm_add_epi32(acc[r][v], _mm_madd_epi16(w[v], x));
            }
        }
    }
    acc
}

/// SSE2 has no signed 32 x 32 multiplication: the sums are requantised one by one.
#[inline]
#[target_feature(enable = "sse2")]
fn sse2_finish(acc: [__m128i; 4], requant: &Block, limit: i32, lanes: usize, out: &mut [i16]) {
    let mut sums = [[0; 4]; 4];
    for v in 0..4 {
        store_ints(acc[v], &mut sums[v]);
    }
    for (lane, (sum, out)) in sums.as_flattened().iter().zip(out).enumerate().take(lanes) {
        *out = requant.channel(lane).apply(*sum, limit);
    }
}

// AVX2: two vectors of eight sums.

#[inline]
#[target_feature(enable = "avx2")]
fn avx2_widen(w: &[u8; 32]) -> [__m256i; 2] {
    [
        _mm256_cvtepi8_epi16(load_bytes(&half(w, 0))),
        _mm256_cvtepi8_epi16(load_bytes(&half(w, 1))),
    ]
}

#[inline]
#[target_feature(enable = "avx2")]
fn avx2_dot<const R: usize>(weights: &[[u8; 32]], x: [&[[i16; 2]]; R]) -> [[__m256i; 2]; R] {
    let mut acc = [[_mm256_setzero_si256(); 2]; R];
    for (i, w) in weights.iter().enumerate() {
        let w = avx2_widen(w);
        for r in 0..R {
            let x = _mm256_set1_epi32(pair(&x[r][i]));
            for v in 0..2 {
                acc[r][v] = _mm256_add_epi32(acc[r][v], _mm256_madd_epi16(w[v], x));
            }
        }
    }
    acc
}

/// Eight activations, as `i32`. AVX2 has no arithmetic shift of 64-bit lanes: products, which the proof keeps within
/// `2^53`, are made positive by adding `2^62`, shifted, and the shifted `2^62` is taken away again.
#[inline]
#[target_feature(enable = "avx2")]
fn avx2_requant(acc: __m256i, requant: &Block, upper: usize, limit: i32) -> __m256i {
    let sum = _mm256_add_epi32(acc, load_ints_256(&half(&requant.bias, upper)));
    let positive = load_ints_256(&half(&requant.positive, upper));
    let negative = load_ints_256(&half(&requant.negative, upper));
    let m = _mm256_blendv_epi8(positive, negative, _mm256_srai_epi32(sum, 31));
    let shifts: [u32; 8] = half(&requant.shift, upper);
    let shift = load_ints_256(&shifts.map(|s| s as i32));
    let (one, far) = (_mm256_set1_epi64x(1), _mm256_set1_epi64x(1 << 62));
    let even = _mm256_and_si256(shift, _mm256_set1_epi64x(0xffff_ffff));
    let odd = _mm256_srli_epi64(shift, 32);
    let shifted = |product: __m256i, shift: __m256i| {
        let rounding = _mm256_sllv_epi64(one, _mm256_sub_epi64(shift, one));
        let moved = _mm256_add_epi64(_mm256_add_epi64(product, rounding), far);
        _mm256_sub_epi64(
            _mm256_srlv_epi64(moved, shift),
            _mm256_srlv_epi64(far, shift),
        )
    };
    let evens = shifted(_mm256_mul_epi32(sum, m), even);
    let odds = shifted(
        _mm256_mul_epi32(_mm256_srli_epi64(sum, 32), _mm256_srli_epi64(m, 32)),
        odd,
    );
    // The proof at load time says that the shifted products fit 32 bits.
    let all = _mm256_blend_epi32(evens, _mm256_slli_epi64(odds, 32), 0b1010_1010);
    _mm256_max_epi32(
        _mm256_min_epi32(all, _mm256_set1_epi32(limit)),
        _mm256_set1_epi32(-limit),
    )
}

#[inline]
#[target_feature(enable = "avx2")]
fn avx2_finish(acc: [__m256i; 2], requant: &Block, limit: i32, lanes: usize, out: &mut [i16]) {
    let low = avx2_requant(acc[0], requant, 0, limit);
    let high = avx2_requant(acc[1], requant, 1, limit);
    let words = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0b11_01_10_00);
    put(
        [
            _mm256_castsi256_si128(words),
            _mm256_extracti128_si256(words, 1),
        ],
        lanes,
        out,
    );
}

// AVX-512 with VNNI: one vector of sixteen sums, and a dot product that accumulates.

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn avx512_dot<const R: usize>(weights: &[[u8; 32]], x: [&[[i16; 2]]; R]) -> [[__m512i; 1]; R] {
    let mut acc = [[_mm512_setzero_si512()]; R];
    for (i, w) in weights.iter().enumerate() {
        let w = _mm512_cvtepi8_epi16(load_bytes_256(w));
        for r in 0..R {
            acc[r][0] = _mm512_dpwssd_epi32(acc[r][0], w, _mm512_set1_epi32(pair(&x[r][i])));
        }
    }
    acc
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn avx512_requant(sum: __m256i, requant: &Block, upper: usize, limit: i32) -> __m128i {
    let sum = _mm256_add_epi32(sum, load_ints_256(&half(&requant.bias, upper)));
    let positive = load_ints_256(&half(&requant.positive, upper));
    let negative = load_ints_256(&half(&requant.negative, upper));
    let m = _mm256_blendv_epi8(positive, negative, _mm256_srai_epi32(sum, 31));
    let shifts: [u32; 8] = half(&requant.shift, upper);
    let shift = _mm512_cvtepi32_epi64(load_ints_256(&shifts.map(|s| s as i32)));
    let one = _mm512_set1_epi64(1);
    let rounding = _mm512_sllv_epi64(one, _mm512_sub_epi64(shift, one));
    let product = _mm512_mul_epi32(_mm512_cvtepi32_epi64(sum), _mm512_cvtepi32_epi64(m));
    let shifted = _mm512_srav_epi64(_mm512_add_epi64(product, rounding), shift);
    let limit = i64::from(limit);
    _mm512_cvtepi64_epi16(_mm512_max_epi64(
        _mm512_min_epi64(shifted, _mm512_set1_epi64(limit)),
        _mm512_set1_epi64(-limit),
    ))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn avx512_finish(acc: [__m512i; 1], requant: &Block, limit: i32, lanes: usize, out: &mut [i16]) {
    let low = avx512_requant(_mm512_castsi512_si256(acc[0]), requant, 0, limit);
    let high = avx512_requant(_mm512_extracti64x4_epi64(acc[0], 1), requant, 1, limit);
    put([low, high], lanes, out);
}

// Rows times blocks: the same loop for each instruction set, `$rows` rows at a time.

macro_rules! rows {
    ($name:ident, $features:literal, $dot:ident, $finish:ident, $rows:literal) => {
        #[target_feature(enable = $features)]
        fn $name(
            layer: &Layer,
            blocks: Range<usize>,
            rows: &[i16],
            out: &mut [i16],
            stride: usize,
        ) {
            let (pairs, limit) = (layer.pairs(), layer.limit());
            let (rows, _) = rows.as_chunks::<2>();
            for block in blocks.clone() {
                let (weights, requant, lanes) = (
                    layer.weights(block),
                    &layer.blocks[block],
                    layer.lanes(block),
                );
                let column = (block - blocks.start) * LANES;
                let mut row = 0;
                let mut several = rows.chunks_exact($rows * pairs);
                for x in &mut several {
                    let x: [&[[i16; 2]]; $rows] =
                        core::array::from_fn(|r| &x[r * pairs..][..weights.len()]);
                    for acc in $dot::<$rows>(weights, x) {
                        $finish(
                            acc,
                            requant,
                            limit,
                            lanes,
                            &mut out[row * stride + column..],
                        );
                        row += 1;
                    }
                }
                for x in several.remainder().chunks_exact(pairs) {
                    for acc in $dot::<1>(weights, [&x[..weights.len()]]) {
                        $finish(
                            acc,
                            requant,
                            limit,
                            lanes,
                            &mut out[row * stride + column..],
                        );
                        row += 1;
                    }
                }
            }
        }
    };
}

rows!(rows_sse2, "sse2", sse2_dot, sse2_finish, 2);
rows!(rows_avx2, "avx2", avx2_dot, avx2_finish, 6);
rows!(
    rows_avx512,
    "avx512f,avx512bw,avx512vnni",
    avx512_dot,
    avx512_finish,
    12
);

// Depthwise: two taps of a channel are a pair, as two depths are in the rows above.

/// The sixteen activations of a block at a tap.
#[inline(always)]
fn tap(x: &[i16], start: usize, block: usize) -> &[i16; LANES] {
    if start == OUTSIDE {
        return &ZEROS;
    }
    x[start + block * LANES..].first_chunk().unwrap_or(&ZEROS)
}

macro_rules! depthwise {
    ($name:ident, $features:literal, $widen:ident, $finish:ident, $zero:ident, $vectors:literal,
	 |$a:ident, $b:ident| $interleave:expr, |$acc:ident, $w:ident, $x:ident| $add:expr) => {
        #[target_feature(enable = $features)]
        fn $name(layer: &Layer, x: &[i16], taps: &[usize], out: &mut [i16]) {
            let full = out.len() / LANES;
            for block in 0..full {
                let mut acc = [$zero(); $vectors];
                for (pair, weights) in taps.as_chunks::<2>().0.iter().zip(layer.weights(block)) {
                    let ($a, $b) = (
                        two_halves(tap(x, pair[0], block)),
                        two_halves(tap(x, pair[1], block)),
                    );
                    let taps: [_; $vectors] = $interleave;
                    let weights = $widen(weights);
                    for v in 0..$vectors {
                        let ($acc, $w, $x) = (acc[v], weights[v], taps[v]);
                        acc[v] = $add;
                    }
                }
                $finish(
                    acc,
                    &layer.blocks[block],
                    layer.limit(),
                    LANES,
                    &mut out[block * LANES..],
                );
            }
            plain::depthwise(layer, full, x, taps, out);
        }
    };
}

depthwise!(
    depthwise_sse2,
    "sse2",
    sse2_widen,
    sse2_finish,
    _mm_setzero_si128,
    4,
    |a, b| [
        _mm_unpacklo_epi16(a[0], b[0]),
        _mm_unpackhi_epi16(a[0], b[0]),
        _mm_unpacklo_epi16(a[1], b[1]),
        _mm_unpackhi_epi16(a[1], b[1]),
    ],
    |acc, w, x| _mm_add_epi32(acc, _mm_madd_epi16(w, x))
);
depthwise!(
    depthwise_avx2,
    "avx2",
    avx2_widen,
    avx2_finish,
    _mm256_setzero_si256,
    2,
    |a, b| [
        _mm256_set_m128i(
            _mm_unpackhi_epi16(a[0], b[0]),
            _mm_unpacklo_epi16(a[0], b[0])
        ),
        _mm256_set_m128i(
            _mm_unpackhi_epi16(a[1], b[1]),
            _mm_unpacklo_epi16(a[1], b[1])
        ),
    ],
    |acc, w, x| _mm256_add_epi32(acc, _mm256_madd_epi16(w, x))
);

// Entry points, for `Kernels` only.

pub(crate) fn sse2_rows(
    layer: &Layer,
    blocks: Range<usize>,
    rows: &[i16],
    out: &mut [i16],
    stride: usize,
) {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { rows_sse2(layer, blocks, rows, out, stride) }
}

pub(crate) fn avx2_rows(
    layer: &Layer,
    blocks: Range<usize>,
    rows: &[i16],
    out: &mut [i16],
    stride: usize,
) {
    // SAFETY: `Kernels` names AVX2 only where the machine has it.
    unsafe { rows_avx2(layer, blocks, rows, out, stride) }
}

pub(crate) fn avx512_rows(
    layer: &Layer,
    blocks: Range<usize>,
    rows: &[i16],
    out: &mut [i16],
    stride: usize,
) {
    // SAFETY: `Kernels` names AVX-512 only where the machine has F, BW and VNNI.
    unsafe { rows_avx512(layer, blocks, rows, out, stride) }
}

pub(crate) fn sse2_depthwise(layer: &Layer, x: &[i16], taps: &[usize], out: &mut [i16]) {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { depthwise_sse2(layer, x, taps, out) }
}

pub(crate) fn avx2_depthwise(layer: &Layer, x: &[i16], taps: &[usize], out: &mut [i16]) {
    // SAFETY: `Kernels` names AVX2, or AVX-512, which includes it, only where the machine has it.
    unsafe { depthwise_avx2(layer, x, taps, out) }
}
