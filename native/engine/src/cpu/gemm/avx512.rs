//! The AVX-512 microkernels: 12 × 32, 24 sums in registers, from f32 or from pairs of bf16. `fearless_simd` asks for Ice
//! Lake's whole set before it calls a processor AVX-512 and knows no bf16; these need only what they name.

#![expect(unsafe_code, reason = "vector loads and stores, and calls that need AVX-512")]

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_loadu_si512, _mm512_permutexvar_epi16, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_storeu_ps, _mm512_storeu_si512,
};

use super::ahead::Ahead;
use super::pack::Lane;

/// Rows of a tile.
pub(super) const ROWS: usize = 12;
/// Columns of a tile.
pub(super) const COLUMNS: usize = 32;

/// Proof that the processor has AVX-512 F.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

/// Proof that the processor has AVX-512 F, BW and BF16.
#[derive(Clone, Copy)]
pub(super) struct Avx512Bf16(());

impl Avx512 {
    /// The proof, where it is true.
    pub(super) fn new() -> Option<Avx512> {
        std::arch::is_x86_feature_detected!("avx512f").then_some(Avx512(()))
    }

    /// `out[12, 32] = Σ_k a[k, 12]·b[k, 32]`, of which `rows` are wanted.
    pub(super) fn tile(self, rows: usize, a: &[f32], b: &[f32], ahead: Ahead, out: &mut [f32]) {
        let (a, b) = (a.as_chunks().0, b.as_chunks().0);
        let out = out.as_chunks_mut().0;
        let tile = match rows {
            0..=4 => tile::<4>,
            5..=8 => tile::<8>,
            _ => tile::<ROWS>,
        };
        // SAFETY: `self` proves that the processor has AVX-512 F.
        unsafe { tile(a, b, ahead, out) }
    }
}

impl Avx512Bf16 {
    /// The proof, where it is true.
    pub(super) fn new() -> Option<Avx512Bf16> {
        let has = std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512bf16");
        has.then_some(Avx512Bf16(()))
    }

    /// `out[12, 32] = Σ_s Σ_p a[s, 12][p]·b[s, 32][p]`, `p` over the two numbers of a lane; `rows` are wanted.
    pub(super) fn tile(self, rows: usize, a: &[Lane], b: &[Lane], ahead: Ahead, out: &mut [f32]) {
        let (a, b) = (a.as_chunks().0, b.as_chunks().0);
        let out = out.as_chunks_mut().0;
        let tile = match rows {
            0..=4 => tile_of_pairs::<4>,
            5..=8 => tile_of_pairs::<8>,
            _ => tile_of_pairs::<ROWS>,
        };
        // SAFETY: `self` proves that the processor has AVX-512 F, BW and BF16.
        unsafe { tile(a, b, ahead, out) }
    }

    /// Neighbours of a row, rounded, two a lane; 0 beside the last of an odd number.
    pub(super) fn narrow(self, numbers: &[f32], out: &mut [Lane]) {
        let (whole, rest) = numbers.as_chunks();
        let (out, out_rest) = out.split_at_mut(16 * whole.len());
        // SAFETY: `self` proves that the processor has AVX-512 F, BW and BF16.
        unsafe { narrow(whole, out.as_chunks_mut().0) };
        if !rest.is_empty() {
            let (mut last, mut narrowed) = ([[0.0; 32]], [[0; 16]]);
            last[0][..rest.len()].copy_from_slice(rest);
            // SAFETY: as above.
            unsafe { narrow(&last, &mut narrowed) };
            out_rest.copy_from_slice(&narrowed[0][..rest.len().div_ceil(2)]);
        }
    }

    /// Two rows, rounded, a lane from each column.
    pub(super) fn zip(self, first: &[f32], second: &[f32], out: &mut [Lane]) {
        let ((low, low_rest), (high, high_rest)) = (first.as_chunks(), second.as_chunks());
        let (out, out_rest) = out.as_chunks_mut();
        // SAFETY: `self` proves that the processor has AVX-512 F, BW and BF16.
        unsafe { zip(low, high, out) };
        if !low_rest.is_empty() {
            let (mut last, mut zipped) = ([[[0.0; 16]]; 2], [[0; 16]]);
            last[0][0][..low_rest.len()].copy_from_slice(low_rest);
            last[1][0][..high_rest.len()].copy_from_slice(high_rest);
            // SAFETY: as above.
            unsafe { zip(&last[0], &last[1], &mut zipped) };
            out_rest.copy_from_slice(&zipped[0][..low_rest.len()]);
        }
    }
}

#[target_feature(enable = "avx512f")]
fn tile<const R: usize>(a: &[[f32; ROWS]], b: &[[f32; COLUMNS]], ahead: Ahead, out: &mut [[f32; COLUMNS]]) {
    let mut sums = [[_mm512_setzero_ps(); 2]; R];
    let mut lines = ahead.lines();
    for (a, b) in a.iter().zip(b) {
        lines.fetch();
        let [low, high] = halves(b).map(|half| load(half));
        for row in 0..R {
            let a = _mm512_set1_ps(a[row]);
            sums[row][0] = _mm512_fmadd_ps(a, low, sums[row][0]);
            sums[row][1] = _mm512_fmadd_ps(a, high, sums[row][1]);
        }
    }
    write(sums, out);
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn tile_of_pairs<const R: usize>(a: &[[Lane; ROWS]], b: &[[Lane; COLUMNS]], ahead: Ahead, out: &mut [[f32; COLUMNS]]) {
    let mut sums = [[_mm512_setzero_ps(); 2]; R];
    let mut lines = ahead.lines();
    for (a, b) in a.iter().zip(b) {
        lines.fetch();
        lines.fetch();
        let [low, high] = halves(b).map(|half| pairs(load_lanes(half)));
        for row in 0..R {
            let a = pairs(_mm512_set1_epi32(a[row].cast_signed()));
            sums[row][0] = _mm512_dpbf16_ps(sums[row][0], a, low);
            sums[row][1] = _mm512_dpbf16_ps(sums[row][1], a, high);
        }
    }
    write(sums, out);
}

#[inline]
#[target_feature(enable = "avx512f")]
fn write<const R: usize>(sums: [[__m512; 2]; R], out: &mut [[f32; COLUMNS]]) {
    for ([low, high], out) in sums.into_iter().zip(out) {
        let (out_low, out_high) = out.split_at_mut(16);
        // SAFETY: sixteen numbers are there to write.
        unsafe { _mm512_storeu_ps(out_low.as_mut_ptr(), low) };
        // SAFETY: sixteen numbers are there to write.
        unsafe { _mm512_storeu_ps(out_high.as_mut_ptr(), high) };
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn narrow(numbers: &[[f32; 32]], out: &mut [[Lane; 16]]) {
    for (numbers, out) in numbers.iter().zip(out) {
        let [low, high] = halves(numbers).map(|half| load(half));
        store_pairs(_mm512_cvtne2ps_pbh(high, low), out);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn zip(first: &[[f32; 16]], second: &[[f32; 16]], out: &mut [[Lane; 16]]) {
    /// 0, 16, 1, 17, …: from two halves to pairs, as 16-bit numbers two a lane.
    const ORDER: [Lane; 16] = {
        let mut order = [0; 16];
        let mut i = 0;
        while i < 16 {
            order[i] = (i | (i + 16) << 16) as Lane;
            i += 1;
        }
        order
    };
    let order = load_lanes(&ORDER);
    for ((first, second), out) in first.iter().zip(second).zip(out) {
        let halves = lanes(_mm512_cvtne2ps_pbh(load(second), load(first)));
        store_pairs(pairs(_mm512_permutexvar_epi16(order, halves)), out);
    }
}

fn halves<T>(numbers: &[T; 32]) -> [&[T; 16]; 2] {
    let ([low, high], _) = numbers.as_chunks() else { unreachable!("32 is twice 16") };
    [low, high]
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(numbers: &[f32; 16]) -> __m512 {
    // SAFETY: sixteen numbers are there to read.
    unsafe { _mm512_loadu_ps(numbers.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_lanes(numbers: &[Lane; 16]) -> __m512i {
    // SAFETY: sixteen lanes are there to read.
    unsafe { _mm512_loadu_si512(numbers.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_pairs(vector: __m512bh, out: &mut [Lane; 16]) {
    let vector = lanes(vector);
    // SAFETY: sixteen lanes are there to write.
    unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), vector) }
}

/// The same bits as bf16.
#[inline]
#[target_feature(enable = "avx512f")]
fn pairs(vector: __m512i) -> __m512bh {
    // SAFETY: both are 64 bytes, and any bytes are numbers.
    unsafe { std::mem::transmute(vector) }
}

/// The same bits as integers.
#[inline]
#[target_feature(enable = "avx512f")]
fn lanes(vector: __m512bh) -> __m512i {
    // SAFETY: both are 64 bytes, and any bytes are integers.
    unsafe { std::mem::transmute(vector) }
}
