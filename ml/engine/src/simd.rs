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

#[inline]
#[target_feature(enable = "avx")]
fn load_words_256(words: &[i16; 16]) -> __m256i {
    // SAFETY: reads the 32 bytes of the array, without alignment.
    unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_words_512(words: &[i16; 32]) -> __m512i {
    // SAFETY: reads the 64 bytes of the array, without alignment.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_ints_512(ints: &[i32; 16]) -> __m512i {
    // SAFETY: reads the 64 bytes of the array, without alignment.
    unsafe { _mm512_loadu_si512(ints.as_ptr().cast()) }
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

#[inline(always)]
fn sse2_requant(requant: &Block) -> &Block {
    requant
}

/// SSE2 has no signed 32 x 32 multiplication: the sums are requantised one by one.
#[inline]
#[target_feature(enable = "sse2")]
fn sse2_finish(acc: [__m128i; 4], requant: &&Block, limit: i32, lanes: usize, out: &mut [i16]) {
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

/// Requantisation of eight channels. Even and odd channels are separate where they have 64 bits. AVX2 has no arithmetic
/// shift of these: products, which the proof keeps within `2^53`, are made positive by adding `2^62`, shifted, and the
/// shifted `2^62` is taken away again.
struct Requant256 {
    bias: __m256i,
    positive: __m256i,
    negative: __m256i,
    shift: [__m256i; 2],
    /// `2^62`, and half of what is shifted out.
    before: [__m256i; 2],
    after: [__m256i; 2],
}

#[inline]
#[target_feature(enable = "avx2")]
fn avx2_requant(requant: &Block, upper: usize) -> Requant256 {
    let shifts: [u32; 8] = half(&requant.shift, upper);
    let shift = load_ints_256(&shifts.map(|s| s as i32));
    let shift = [
        _mm256_and_si256(shift, _mm256_set1_epi64x(0xffff_ffff)),
        _mm256_srli_epi64(shift, 32),
    ];
    let (one, far) = (_mm256_set1_epi64x(1), _mm256_set1_epi64x(1 << 62));
    let before = |shift| {
        let rounding = _mm256_sllv_epi64(one, _mm256_sub_epi64(shift, one));
        _mm256_add_epi64(far, rounding)
    };
    Requant256 {
        bias: load_ints_256(&half(&requant.bias, upper)),
        positive: load_ints_256(&half(&requant.positive, upper)),
        negative: load_ints_256(&half(&requant.negative, upper)),
        shift,
        before: [before(shift[0]), before(shift[1])],
        after: [
            _mm256_srlv_epi64(far, shift[0]),
            _mm256_srlv_epi64(far, shift[1]),
        ],
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn avx2_both(requant: &Block) -> [Requant256; 2] {
    [avx2_requant(requant, 0), avx2_requant(requant, 1)]
}

/// Eight activations, as `i32`.
#[inline]
#[target_feature(enable = "avx2")]
fn avx2_apply(acc: __m256i, r: &Requant256, limit: i32) -> __m256i {
    let sum = _mm256_add_epi32(acc, r.bias);
    let m = _mm256_blendv_epi8(r.positive, r.negative, _mm256_srai_epi32(sum, 31));
    let shifted = |product, i: usize| {
        let moved = _mm256_srlv_epi64(_mm256_add_epi64(product, r.before[i]), r.shift[i]);
        _mm256_sub_epi64(moved, r.after[i])
    };
    let even = shifted(_mm256_mul_epi32(sum, m), 0);
    let (sum, m) = (_mm256_srli_epi64(sum, 32), _mm256_srli_epi64(m, 32));
    let odd = shifted(_mm256_mul_epi32(sum, m), 1);
    // The proof at load time says that the shifted products fit 32 bits.
    let all = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0b1010_1010);
    let limit = _mm256_set1_epi32(limit);
    let least = _mm256_sub_epi32(_mm256_setzero_si256(), limit);
    _mm256_max_epi32(_mm256_min_epi32(all, limit), least)
}

#[inline]
#[target_feature(enable = "avx2")]
fn avx2_finish(
    acc: [__m256i; 2],
    requant: &[Requant256; 2],
    limit: i32,
    lanes: usize,
    out: &mut [i16],
) {
    let low = avx2_apply(acc[0], &requant[0], limit);
    let high = avx2_apply(acc[1], &requant[1], limit);
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

/// Requantisation of sixteen channels. Even and odd channels are separate where they have 64 bits.
struct Requant512 {
    bias: __m512i,
    positive: __m512i,
    negative: __m512i,
    shift: [__m512i; 2],
    /// Half of what is shifted out.
    rounding: [__m512i; 2],
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn avx512_requant(requant: &Block) -> Requant512 {
    let shift = load_ints_512(&requant.shift.map(|s| s as i32));
    let shift = [
        _mm512_and_si512(shift, _mm512_set1_epi64(0xffff_ffff)),
        _mm512_srli_epi64(shift, 32),
    ];
    let one = _mm512_set1_epi64(1);
    let rounding = |shift| _mm512_sllv_epi64(one, _mm512_sub_epi64(shift, one));
    Requant512 {
        bias: load_ints_512(&requant.bias),
        positive: load_ints_512(&requant.positive),
        negative: load_ints_512(&requant.negative),
        shift,
        rounding: [rounding(shift[0]), rounding(shift[1])],
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn avx512_finish(acc: [__m512i; 1], r: &Requant512, limit: i32, lanes: usize, out: &mut [i16]) {
    let sum = _mm512_add_epi32(acc[0], r.bias);
    let below = _mm512_cmplt_epi32_mask(sum, _mm512_setzero_si512());
    let m = _mm512_mask_blend_epi32(below, r.positive, r.negative);
    let shifted =
        |product, i: usize| _mm512_srav_epi64(_mm512_add_epi64(product, r.rounding[i]), r.shift[i]);
    let even = shifted(_mm512_mul_epi32(sum, m), 0);
    let (sum, m) = (_mm512_srli_epi64(sum, 32), _mm512_srli_epi64(m, 32));
    let odd = shifted(_mm512_mul_epi32(sum, m), 1);
    // The proof at load time says that the shifted products fit 32 bits.
    let all = _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
    let all = _mm512_min_epi32(all, _mm512_set1_epi32(limit));
    let words = _mm512_cvtepi32_epi16(_mm512_max_epi32(all, _mm512_set1_epi32(-limit)));
    put(
        [
            _mm256_castsi256_si128(words),
            _mm256_extracti128_si256(words, 1),
        ],
        lanes,
        out,
    );
}

// Rows times blocks: the same loop for each instruction set, `$rows` rows at a time.

macro_rules! rows {
    ($name:ident, $features:literal, $dot:ident, $prepare:ident, $finish:ident, $rows:literal) => {
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
                let (weights, lanes) = (layer.weights(block), layer.lanes(block));
                let requant = $prepare(&layer.blocks[block]);
                let column = (block - blocks.start) * LANES;
                let mut row = 0;
                let mut several = rows.chunks_exact($rows * pairs);
                for x in &mut several {
                    let x: [&[[i16; 2]]; $rows] =
                        core::array::from_fn(|r| &x[r * pairs..][..weights.len()]);
                    for acc in $dot::<$rows>(weights, x) {
                        $finish(
                            acc,
                            &requant,
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
                            &requant,
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

rows!(rows_sse2, "sse2", sse2_dot, sse2_requant, sse2_finish, 2);
rows!(rows_avx2, "avx2", avx2_dot, avx2_both, avx2_finish, 6);
rows!(
    rows_avx512,
    "avx512f,avx512bw,avx512vnni",
    avx512_dot,
    avx512_requant,
    avx512_finish,
    12
);

// Depthwise: two taps of a channel are a pair, as two depths are in the rows above.

/// Sixteen activations of a tap, where they are; zeros in the padding. At the end of the input fewer may be left, which
/// are put into `spare`: the missing ones belong to channels that do not exist, and have no weights.
#[inline(always)]
fn tap<'x>(
    x: &'x [i16],
    start: usize,
    from: usize,
    spare: &'x mut [i16; LANES],
) -> &'x [i16; LANES] {
    if start == OUTSIDE {
        return &ZEROS;
    }
    let x = &x[start + from..];
    match x.first_chunk() {
        Some(x) => x,
        None => {
            spare[..x.len()].copy_from_slice(x);
            spare
        }
    }
}

#[inline]
#[target_feature(enable = "sse2")]
fn sse2_interleave(a: &[i16; LANES], b: &[i16; LANES]) -> [__m128i; 4] {
    let (a, b) = (two_halves(a), two_halves(b));
    [
        _mm_unpacklo_epi16(a[0], b[0]),
        _mm_unpackhi_epi16(a[0], b[0]),
        _mm_unpacklo_epi16(a[1], b[1]),
        _mm_unpackhi_epi16(a[1], b[1]),
    ]
}

#[inline]
#[target_feature(enable = "sse2")]
fn sse2_add(acc: __m128i, w: __m128i, x: __m128i) -> __m128i {
    _mm_add_epi32(acc, _mm_madd_epi16(w, x))
}

#[inline]
#[target_feature(enable = "avx2")]
fn avx2_interleave(a: &[i16; LANES], b: &[i16; LANES]) -> [__m256i; 2] {
    let (a, b) = (load_words_256(a), load_words_256(b));
    // Each half of a vector is interleaved by itself.
    let (low, high) = (_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b));
    [
        _mm256_permute2x128_si256(low, high, 0x20),
        _mm256_permute2x128_si256(low, high, 0x31),
    ]
}

#[inline]
#[target_feature(enable = "avx2")]
fn avx2_add(acc: __m256i, w: __m256i, x: __m256i) -> __m256i {
    _mm256_add_epi32(acc, _mm256_madd_epi16(w, x))
}

/// Where the words of two halves go: one of the first, one of the second.
static INTERLEAVED: [i16; 32] = {
    let mut order = [0; 32];
    let mut i = 0;
    while i < 16 {
        order[2 * i] = i as i16;
        order[2 * i + 1] = 32 + i as i16;
        i += 1;
    }
    order
};

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn avx512_interleave(a: &[i16; LANES], b: &[i16; LANES]) -> [__m512i; 1] {
    let a = _mm512_castsi256_si512(load_words_256(a));
    let b = _mm512_castsi256_si512(load_words_256(b));
    [_mm512_permutex2var_epi16(
        a,
        load_words_512(&INTERLEAVED),
        b,
    )]
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn avx512_widen(w: &[u8; 32]) -> [__m512i; 1] {
    [_mm512_cvtepi8_epi16(load_bytes_256(w))]
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn avx512_add(acc: __m512i, w: __m512i, x: __m512i) -> __m512i {
    _mm512_dpwssd_epi32(acc, w, x)
}

macro_rules! depthwise {
    ($name:ident, $features:literal, $zero:ident, $vectors:literal,
     $widen:ident, $interleave:ident, $add:ident, $prepare:ident, $finish:ident) => {
        #[target_feature(enable = $features)]
        fn $name(layer: &Layer, x: &[i16], taps: &[usize], out: &mut [i16]) {
            let (channels, step, limit) = (layer.output.channels, layer.step(), layer.limit());
            let (taps, _) = taps.as_chunks::<2>();
            for block in 0..layer.blocks.len() {
                let (weights, lanes) = (layer.weights(block), layer.lanes(block));
                let requant = $prepare(&layer.blocks[block]);
                let mut spare = [[0; LANES]; 2];
                for (pixel, out) in out.chunks_exact_mut(channels).enumerate() {
                    let from = pixel * step + block * LANES;
                    let mut acc = [$zero(); $vectors];
                    for (pair, weights) in taps.iter().zip(weights) {
                        let [a, b] = &mut spare;
                        let (a, b) = (tap(x, pair[0], from, a), tap(x, pair[1], from, b));
                        let (x, w) = ($interleave(a, b), $widen(weights));
                        for v in 0..$vectors {
                            acc[v] = $add(acc[v], w[v], x[v]);
                        }
                    }
                    $finish(acc, &requant, limit, lanes, &mut out[block * LANES..]);
                }
            }
        }
    };
}

depthwise!(
    depthwise_sse2,
    "sse2",
    _mm_setzero_si128,
    4,
    sse2_widen,
    sse2_interleave,
    sse2_add,
    sse2_requant,
    sse2_finish
);
depthwise!(
    depthwise_avx2,
    "avx2",
    _mm256_setzero_si256,
    2,
    avx2_widen,
    avx2_interleave,
    avx2_add,
    avx2_both,
    avx2_finish
);
depthwise!(
    depthwise_avx512,
    "avx512f,avx512bw,avx512vnni",
    _mm512_setzero_si512,
    1,
    avx512_widen,
    avx512_interleave,
    avx512_add,
    avx512_requant,
    avx512_finish
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
    // SAFETY: `Kernels` names AVX2 only where the machine has it.
    unsafe { depthwise_avx2(layer, x, taps, out) }
}

pub(crate) fn avx512_depthwise(layer: &Layer, x: &[i16], taps: &[usize], out: &mut [i16]) {
    // SAFETY: `Kernels` names AVX-512 only where the machine has F, BW and VNNI.
    unsafe { depthwise_avx512(layer, x, taps, out) }
}
