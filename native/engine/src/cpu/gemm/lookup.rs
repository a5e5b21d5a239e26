//! One to eight rows times a weight of two or four bits, which is decoded in registers (AVX-512): a group's sixteen
//! possible weights are one vector, and a permutation with codes as indices reads sixteen of them at a time.
//!
//! A weight has the bits that `format` decodes it to; only the order of a sum differs from that of other paths.

#![expect(unsafe_code, reason = "calls that need AVX-512")]

use std::arch::x86_64::{
    __m128i, __m512, __m512i, _CMP_ORD_Q, _mm_cvtsi32_si128, _mm_loadu_si128, _mm512_add_epi32, _mm512_and_si512,
    _mm512_castps_si512, _mm512_castsi512_ps, _mm512_cmp_ps_mask, _mm512_cvtepu8_epi32, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_mask_mov_ps, _mm512_mul_ps, _mm512_permutexvar_ps, _mm512_reduce_add_ps, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_srl_epi32, _mm512_srli_epi32, _mm512_sub_ps,
};

use super::Output;
use super::few::{Left, MOST_ROWS, ROWS_PER_TASK, columns};
use super::pack::Span;
use crate::cancel::Cancel;
use crate::cpu::simd::Isa;
use crate::error::Result;
use crate::format::PackedRef;

/// Bytes of codes that are decoded together.
const BYTES: usize = 16;

/// A weight whose rows can be read this way; it proves that the processor has AVX-512 F.
pub(super) struct Lookup<'a> {
    w: &'a PackedRef<'a>,
    /// Bits to the right of each of a byte's codes, in the order of their columns.
    shifts: &'static [i32],
    /// What each value of four bits means before scale and zero point.
    levels: [f32; 16],
    /// Chunks of a group; all of a row's where it is one group.
    chunks: usize,
    /// Bytes of a row.
    bytes: usize,
    /// The codes from byte number `tail.0` on, where a last chunk reaches beyond the end, and zeros.
    tail: (usize, Vec<u8>),
    round: bool,
}

impl<'a> Lookup<'a> {
    /// Where it pays and the processor can; groups must begin where a chunk of codes begins.
    pub(super) fn new(isa: Isa, w: &'a PackedRef<'a>, round: bool) -> Option<Lookup<'a>> {
        if !matches!(isa, Isa::Avx512 | Isa::Avx512Bf16) || !isa.is_available() {
            return None;
        }
        let numbers = |mask: usize| std::array::from_fn(|i| (i & mask) as f32);
        let (shifts, levels): (&[i32], _) = match (w.format.bits(), w.format.table()) {
            (4, Some(table)) => (&[4, 0], table.levels),
            (4, None) => (&[0, 4], numbers(15)),
            (2, Some(table)) => (&[0, 2, 4, 6], std::array::from_fn(|i| table.levels[i & 3])),
            (2, None) => (&[0, 2, 4, 6], numbers(3)),
            _ => return None,
        };
        let group = w.group_size();
        let chunk = BYTES * shifts.len();
        let (is_whole, is_integer) = (w.columns.is_multiple_of(group), w.format.is_integer());
        // A block of a format with a table may begin in one row and end in the next.
        let begins = if is_integer { w.columns <= group || group.is_multiple_of(chunk) } else { is_whole };
        let fits = begins && group > 0 && w.columns.is_multiple_of(shifts.len());
        fits.then(|| {
            let bytes = w.columns / shifts.len();
            let read = bytes.next_multiple_of(BYTES);
            let inside = (w.codes.len() + 1).saturating_sub(read).div_ceil(bytes) * bytes;
            let mut tail = w.codes[inside..].to_vec();
            tail.resize(tail.len() + BYTES, 0);
            let chunks = group.min(w.columns).div_ceil(chunk);
            Lookup { w, shifts, levels, chunks, bytes, tail: (inside, tail), round }
        })
    }

    /// The codes of a row in whole chunks, and its first group. What is beyond its end is multiplied by 0.
    fn row(&self, row: usize) -> (&[u8], usize) {
        let start = row * self.bytes;
        let (inside, tail) = &self.tail;
        let codes = if start < *inside { &self.w.codes[start..] } else { &tail[start - inside..] };
        (&codes[..self.bytes.next_multiple_of(BYTES)], row * self.w.columns.div_ceil(self.w.group_size()))
    }

    /// `C[tokens, out]` from `x·wᵀ`
    pub(super) fn dots(&self, x: &Left, output: Output<'_>, c: &mut [f32], cancel: &Cancel) -> Result<()> {
        let add = match (self.shifts.len(), x.rows()) {
            (2, 1) => Self::add::<2, 1, 4>,
            (2, 2) => Self::add::<2, 2, 4>,
            (2, 3..=4) => Self::add::<2, 4, 1>,
            (2, _) => Self::add::<2, 8, 1>,
            (_, 1) => Self::add::<4, 1, 4>,
            (_, 2) => Self::add::<4, 2, 4>,
            (_, 3..=4) => Self::add::<4, 4, 2>,
            (_, _) => Self::add::<4, 8, 2>,
        };
        let planes = self.planes(x);
        columns::<ROWS_PER_TASK>([x.rows(), self.w.rows], output, c, cancel, |rows, sums| {
            // SAFETY: `self` proves that the processor has AVX-512 F.
            unsafe { add(self, rows, &planes, sums) }
        })
    }

    /// `[chunk][code of a byte][token][byte]`: x in the order in which codes come out, for 1, 2, 4 or 8 tokens; 0 where there
    /// is none.
    fn planes(&self, x: &Left) -> Vec<[f32; BYTES]> {
        let (tokens, codes) = (x.rows().next_power_of_two(), self.shifts.len());
        let mut planes = vec![[0.0; BYTES]; self.w.columns.div_ceil(BYTES * codes) * codes * tokens];
        for token in 0..x.rows() {
            for (byte, x) in x.row(token).chunks_exact(codes).enumerate() {
                for (code, x) in x.iter().enumerate() {
                    planes[(byte / BYTES * codes + code) * tokens + token][byte % BYTES] = *x;
                }
            }
        }
        planes
    }

    /// `sums[token][row]` for `T` tokens and `R` rows of the weight at a time.
    #[target_feature(enable = "avx512f")]
    fn add<const CODES: usize, const T: usize, const R: usize>(
        &self,
        rows: Span,
        planes: &[[f32; BYTES]],
        sums: &mut [[f32; ROWS_PER_TASK]; MOST_ROWS],
    ) {
        let shifts: [_; CODES] = std::array::from_fn(|code| _mm_cvtsi32_si128(self.shifts[code]));
        let planes: &[[[[f32; BYTES]; T]; CODES]] = planes.as_chunks().0.as_chunks().0;
        for first in (0..rows.length).step_by(R) {
            // Where fewer are left, the last is read again and its sums are not used.
            let weights: [_; R] = std::array::from_fn(|i| self.row(rows.start + (first + i).min(rows.length - 1)));
            let vectors = self.dots_of_rows(weights, shifts, planes);
            for (i, vectors) in vectors.into_iter().enumerate().take(rows.length - first) {
                for (vector, sums) in vectors.into_iter().zip(sums.iter_mut()) {
                    sums[first + i] = _mm512_reduce_add_ps(vector);
                }
            }
        }
    }

    /// `Σ weights·x` of each row with each token, the rows given as their codes and their first groups.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn dots_of_rows<const CODES: usize, const T: usize, const R: usize>(
        &self,
        rows: [(&[u8], usize); R],
        shifts: [__m128i; CODES],
        planes: &[[[[f32; BYTES]; T]; CODES]],
    ) -> [[__m512; T]; R] {
        let mut sums = [[_mm512_setzero_ps(); T]; R];
        for (group, planes) in planes.chunks(self.chunks).enumerate() {
            let mut tables = [_mm512_setzero_ps(); R];
            for i in 0..R {
                tables[i] = self.table(rows[i].1 + group);
            }
            for (chunk, x) in planes.iter().enumerate() {
                let mut codes = [_mm512_setzero_si512(); R];
                for i in 0..R {
                    codes[i] = widened(&rows[i].0.as_chunks().0[group * self.chunks + chunk]);
                }
                for code in 0..CODES {
                    let mut weights = [_mm512_setzero_ps(); R];
                    for i in 0..R {
                        // A permutation reads the low four bits of an index and no others.
                        weights[i] = _mm512_permutexvar_ps(_mm512_srl_epi32(codes[i], shifts[code]), tables[i]);
                    }
                    for token in 0..T {
                        let x = load(&x[code][token]);
                        for i in 0..R {
                            sums[i][token] = _mm512_fmadd_ps(weights[i], x, sums[i][token]);
                        }
                    }
                }
            }
        }
        sums
    }

    /// The weights that the sixteen values of four bits stand for in a group.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn table(&self, group: usize) -> __m512 {
        let scale = self.w.scales.get(group);
        let zero = self.w.zero_points.get(group).copied().unwrap_or(0.0);
        let table = _mm512_mul_ps(_mm512_sub_ps(load(&self.levels), _mm512_set1_ps(zero)), _mm512_set1_ps(scale));
        if self.round { rounded(table) } else { table }
    }
}

/// A code byte in each lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn widened(codes: &[u8; BYTES]) -> __m512i {
    // SAFETY: sixteen bytes are there to read.
    _mm512_cvtepu8_epi32(unsafe { _mm_loadu_si128(codes.as_ptr().cast()) })
}

/// To the nearest bf16, ties to even; NaN stays NaN.
#[inline]
#[target_feature(enable = "avx512f")]
fn rounded(x: __m512) -> __m512 {
    let bits = _mm512_castps_si512(x);
    let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
    let up = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    let rounded = _mm512_castsi512_ps(_mm512_and_si512(up, _mm512_set1_epi32(!0xffff)));
    _mm512_mask_mov_ps(x, _mm512_cmp_ps_mask::<_CMP_ORD_Q>(x, x), rounded)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(numbers: &[f32; BYTES]) -> __m512 {
    // SAFETY: sixteen numbers are there to read.
    unsafe { _mm512_loadu_ps(numbers.as_ptr()) }
}
