//! The AVX-512 microkernel: 12 × 32, 24 sums in registers. `fearless_simd` asks for Ice Lake's whole set before it
//! calls a processor AVX-512; this needs only AVX-512 F, which earlier servers have too.

#![expect(unsafe_code, reason = "vector loads and stores, and a call that needs AVX-512 F")]

use std::arch::x86_64::{
    __m512, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
};

/// Proof that the processor has AVX-512 F.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

impl Avx512 {
    pub(super) const ROWS: usize = 12;
    pub(super) const COLUMNS: usize = 32;

    /// The proof, where it is true.
    pub(super) fn new() -> Option<Avx512> {
        std::arch::is_x86_feature_detected!("avx512f").then_some(Avx512(()))
    }

    /// `out[12, 32] = Σ_k a[k, 12]·b[k, 32]`
    pub(super) fn tile(self, a: &[f32], b: &[f32], out: &mut [f32]) {
        let (a, b) = (a.as_chunks().0, b.as_chunks().0);
        // SAFETY: `self` proves that the processor has AVX-512 F.
        unsafe { tile(a, b, out.as_chunks_mut().0) }
    }
}

#[target_feature(enable = "avx512f")]
fn tile(a: &[[f32; Avx512::ROWS]], b: &[[f32; Avx512::COLUMNS]], out: &mut [[f32; Avx512::COLUMNS]]) {
    let mut sums = [[_mm512_setzero_ps(); 2]; Avx512::ROWS];
    for (a, b) in a.iter().zip(b) {
        let [low, high] = load(b);
        for row in 0..Avx512::ROWS {
            let a = _mm512_set1_ps(a[row]);
            sums[row][0] = _mm512_fmadd_ps(a, low, sums[row][0]);
            sums[row][1] = _mm512_fmadd_ps(a, high, sums[row][1]);
        }
    }
    for (sums, out) in sums.into_iter().zip(out) {
        store(sums, out);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(numbers: &[f32; 32]) -> [__m512; 2] {
    let [low, high] = [&numbers[..16], &numbers[16..]];
    // SAFETY: sixteen numbers are there to read.
    let low = unsafe { _mm512_loadu_ps(low.as_ptr()) };
    // SAFETY: sixteen numbers are there to read.
    let high = unsafe { _mm512_loadu_ps(high.as_ptr()) };
    [low, high]
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(sums: [__m512; 2], out: &mut [f32; 32]) {
    let (low, high) = out.split_at_mut(16);
    // SAFETY: sixteen numbers are there to write.
    unsafe { _mm512_storeu_ps(low.as_mut_ptr(), sums[0]) };
    // SAFETY: sixteen numbers are there to write.
    unsafe { _mm512_storeu_ps(high.as_mut_ptr(), sums[1]) };
}
