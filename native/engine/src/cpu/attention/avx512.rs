//! Products of bf16 by AVX-512 BF16, which `fearless_simd` does not know, and what brings numbers into pairs.

#![expect(unsafe_code, reason = "vector loads and stores, and calls that need AVX-512")]

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_loadu_si512, _mm512_mul_ps, _mm512_permutexvar_epi16, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_storeu_ps, _mm512_storeu_si512,
};

use super::ROWS;
use super::lanes::Lane;
use super::tile::{Left, Right, Sums};

/// Proof that the processor has AVX-512 F, BW and BF16.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx512Bf16(());

impl Avx512Bf16 {
    /// The proof, where it is true.
    pub(super) fn new() -> Option<Avx512Bf16> {
        let has = std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512bf16");
        has.then_some(Avx512Bf16(()))
    }

    /// Neighbours of a row, rounded, two a lane; 0 beside the last of an odd number.
    pub(super) fn narrow(self, numbers: &[f32], out: &mut [Lane]) {
        let (whole, rest) = numbers.as_chunks();
        let (out, out_rest) = out.as_chunks_mut();
        // SAFETY: `self` proves that the processor has AVX-512 F, BW and BF16.
        unsafe { narrow(whole, out) };
        if !rest.is_empty() {
            let (mut last, mut lanes) = ([[0.0; 32]], [[0; 16]]);
            last[0][..rest.len()].copy_from_slice(rest);
            // SAFETY: as above.
            unsafe { narrow(&last, &mut lanes) };
            // A multiple of 16 may be less than one of 32.
            let out = if out.len() > whole.len() { &mut out[whole.len()][..] } else { out_rest };
            let count = rest.len().div_ceil(2);
            out[..count].copy_from_slice(&lanes[0][..count]);
        }
    }

    /// Two rows, rounded, a lane from each column; zeros without the second.
    pub(super) fn zip(self, first: &[f32], second: Option<&[f32]>, out: &mut [Lane]) {
        let second = second.map(|second| &second[..first.len()]);
        for (i, out) in out.chunks_mut(16).enumerate().take(first.len().div_ceil(16)) {
            let piece = |row: Option<&[f32]>| {
                let mut space = [0.0; 16];
                let Some(row) = row else { return space };
                let row = &row[16 * i..];
                let length = row.len().min(16);
                space[..length].copy_from_slice(&row[..length]);
                space
            };
            let mut lanes = [0; 16];
            match (first[16 * i..].first_chunk(), second.and_then(|second| second[16 * i..].first_chunk())) {
                // SAFETY: `self` proves that the processor has AVX-512 F, BW and BF16.
                (Some(first), Some(second)) => unsafe { zip(first, second, &mut lanes) },
                // SAFETY: as above.
                _ => unsafe { zip(&piece(Some(first)), &piece(second), &mut lanes) },
            }
            let length = out.len();
            out.copy_from_slice(&lanes[..length]);
        }
    }

    /// `sums[8, columns] = factor·Σ_s Σ_p left[s][p]·right[s][p]`, `p` over the two numbers of a lane
    pub(super) fn tile(self, steps: usize, left: Left<'_>, right: Right<'_>, sums: Sums<'_>) {
        let wide = sums.columns == 32;
        match left {
            // SAFETY: `self` proves that the processor has AVX-512 F, BW and BF16.
            Left::Along(a, stride) if wide => unsafe { along::<2>(steps, a, stride, right, sums) },
            // SAFETY: as above.
            Left::Along(a, stride) => unsafe { along::<1>(steps, a, stride, right, sums) },
            // SAFETY: as above.
            Left::Across(a, stride) if wide => unsafe { across::<2>(steps, a, stride, right, sums) },
            // SAFETY: as above.
            Left::Across(a, stride) => unsafe { across::<1>(steps, a, stride, right, sums) },
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn along<const V: usize>(steps: usize, a: &[Lane], stride: usize, right: Right<'_>, out: Sums<'_>) {
    let mut sums = [[_mm512_setzero_ps(); V]; ROWS];
    let rows: [&[Lane]; ROWS] = std::array::from_fn(|r| &a[r * stride..][..steps]);
    for (k, b) in right.data.chunks_exact(right.stride).take(steps).enumerate() {
        let mut a = [0; ROWS];
        for r in 0..ROWS {
            a[r] = rows[r][k];
        }
        step(&a, &b[right.column..], &mut sums);
    }
    write(sums, out);
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn across<const V: usize>(steps: usize, a: &[Lane], stride: usize, right: Right<'_>, out: Sums<'_>) {
    let mut sums = [[_mm512_setzero_ps(); V]; ROWS];
    for (a, b) in a.chunks(stride).take(steps).zip(right.data.chunks_exact(right.stride)) {
        if let Some(a) = a.first_chunk() {
            step(a, &b[right.column..], &mut sums);
        }
    }
    write(sums, out);
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn step<const V: usize>(a: &[Lane; ROWS], b: &[Lane], sums: &mut [[__m512; V]; ROWS]) {
    let (b, _) = b.as_chunks();
    let b = &b[..V];
    for r in 0..ROWS {
        let a = pairs(_mm512_set1_epi32(a[r].cast_signed()));
        for v in 0..V {
            sums[r][v] = _mm512_dpbf16_ps(sums[r][v], a, pairs(load_lanes(&b[v])));
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn write<const V: usize>(sums: [[__m512; V]; ROWS], out: Sums<'_>) {
    let factor = _mm512_set1_ps(out.factor);
    for (row, to) in sums.into_iter().zip(out.data.chunks_mut(out.stride)) {
        for (sum, to) in row.into_iter().zip(to.as_chunks_mut().0) {
            let sum = if out.add { _mm512_fmadd_ps(factor, sum, load(to)) } else { _mm512_mul_ps(factor, sum) };
            // SAFETY: sixteen numbers are there to write.
            unsafe { _mm512_storeu_ps(to.as_mut_ptr(), sum) };
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn narrow(numbers: &[[f32; 32]], out: &mut [[Lane; 16]]) {
    for (numbers, out) in numbers.iter().zip(out) {
        let [low, high] = bytemuck::cast_ref::<[f32; 32], [[f32; 16]; 2]>(numbers);
        store_pairs(_mm512_cvtne2ps_pbh(load(high), load(low)), out);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn zip(first: &[f32; 16], second: &[f32; 16], out: &mut [Lane; 16]) {
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
    let halves = lanes(_mm512_cvtne2ps_pbh(load(second), load(first)));
    store_pairs(pairs(_mm512_permutexvar_epi16(load_lanes(&ORDER), halves)), out);
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
