//! Sums of products of eight-bit integers by AVX2: 32 products are two instructions.

#![expect(unsafe_code, reason = "vector loads, and calls that need AVX2")]

use std::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_loadu_si128, _mm_srli_epi16, _mm256_abs_epi8, _mm256_and_si256,
    _mm256_broadcastsi128_si256, _mm256_castps256_ps128, _mm256_cvtepi32_ps, _mm256_extractf128_ps, _mm256_fmadd_ps,
    _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_set_m128i, _mm256_set1_epi8, _mm256_set1_epi16,
    _mm256_set1_ps, _mm256_setzero_ps, _mm256_shuffle_epi8, _mm256_sign_epi8,
};
use std::arch::x86_64::{_mm_add_ps, _mm_add_ss, _mm_cvtss_f32, _mm_movehdup_ps, _mm_movehl_ps};

use super::int8::{BLOCK, Rounded};

/// Proof that the processor has AVX2 and FMA.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    /// From the proof of the vector library.
    pub(super) fn new(_: fearless_simd::Avx2) -> Avx2 {
        Avx2(())
    }

    /// `Σ_groups scale·Σ_blocks x.scale·Σ number·x₈`, codes of four bits, those of the low nibbles first; `levels`: what they mean.
    pub(super) fn nibbles(self, levels: Option<[i8; 16]>, codes: &[[u8; 16]], scales: Scales<'_>, x: &Rounded) -> f32 {
        let table = &levels.unwrap_or_default().map(i8::cast_unsigned);
        let sum = if levels.is_some() { sum::<16, true> } else { sum::<16, false> };
        // SAFETY: `self` proves that the processor has AVX2 and FMA.
        unsafe { sum(table, codes, scales, x) }
    }

    /// The same, one number a byte: up to 63, or with a sign in two's complement.
    pub(super) fn bytes(self, is_signed: bool, numbers: &[[u8; BLOCK]], scales: Scales<'_>, x: &Rounded) -> f32 {
        let sum = if is_signed { sum::<BLOCK, true> } else { sum::<BLOCK, false> };
        // SAFETY: `self` proves that the processor has AVX2 and FMA.
        unsafe { sum(&[0; 16], numbers, scales, x) }
    }
}

/// Of a row's groups, each of so many blocks.
pub(super) type Scales<'a> = (&'a [f32], usize);

/// Blocks of `N` bytes: 16 of nibbles, which are looked up in the table where numbers have a sign, or 32 numbers.
#[target_feature(enable = "avx2,fma")]
fn sum<const N: usize, const SIGNED: bool>(
    table: &[u8; 16],
    blocks: &[[u8; N]],
    (scales, shared): Scales<'_>,
    x: &Rounded,
) -> f32 {
    let table = _mm256_broadcastsi128_si256(load_half(table));
    let whole = blocks.len() == scales.len() * shared;
    total(match shared {
        1 => groups::<N, SIGNED, 1>(table, blocks, scales, x),
        2 if whole => groups::<N, SIGNED, 2>(table, blocks, scales, x),
        4 if whole => groups::<N, SIGNED, 4>(table, blocks, scales, x),
        _ => {
            let mut sums = _mm256_setzero_ps();
            let parts = blocks.chunks(shared).zip(x.blocks.chunks(shared)).zip(x.scales.chunks(shared));
            for (((blocks, x), x_scales), scale) in parts.zip(scales) {
                let group = group::<N, SIGNED>(table, blocks, x, x_scales);
                sums = _mm256_fmadd_ps(group, _mm256_set1_ps(*scale), sums);
            }
            sums
        }
    })
}

/// Groups of a length that the compiler knows.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn groups<const N: usize, const SIGNED: bool, const SHARED: usize>(
    table: __m256i,
    blocks: &[[u8; N]],
    scales: &[f32],
    x: &Rounded,
) -> __m256 {
    let mut sums = _mm256_setzero_ps();
    let (x_blocks, x_scales) = (x.blocks.as_chunks::<SHARED>().0, x.scales.as_chunks::<SHARED>().0);
    let parts = blocks.as_chunks::<SHARED>().0.iter().zip(x_blocks).zip(x_scales);
    for (((blocks, x), x_scales), scale) in parts.zip(scales) {
        sums = _mm256_fmadd_ps(group::<N, SIGNED>(table, blocks, x, x_scales), _mm256_set1_ps(*scale), sums);
    }
    sums
}

/// Eight parts of a group's sum.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn group<const N: usize, const SIGNED: bool>(
    table: __m256i,
    blocks: &[[u8; N]],
    x: &[[u8; BLOCK]],
    scales: &[f32],
) -> __m256 {
    let mut sums = _mm256_setzero_ps();
    for ((block, x), scale) in blocks.iter().zip(x).zip(scales) {
        let numbers = match (block.first_chunk::<BLOCK>(), block.first_chunk::<16>()) {
            (Some(numbers), _) => load(numbers),
            (None, Some(codes)) if SIGNED => _mm256_shuffle_epi8(table, spread(codes)),
            (None, Some(codes)) => spread(codes),
            (None, None) => unreachable!("a block has 16 bytes or 32"),
        };
        // Neighbours' products as i16: two of 63 · 127 fit, and of 128 · 127 where the sign moves over to x.
        let products = if SIGNED {
            _mm256_maddubs_epi16(_mm256_abs_epi8(numbers), _mm256_sign_epi8(load(x), numbers))
        } else {
            _mm256_maddubs_epi16(numbers, load(x))
        };
        let integers = _mm256_madd_epi16(products, _mm256_set1_epi16(1));
        sums = _mm256_fmadd_ps(_mm256_cvtepi32_ps(integers), _mm256_set1_ps(*scale), sums);
    }
    sums
}

/// Low nibbles in the low half, high ones in the high half.
#[inline]
#[target_feature(enable = "avx2")]
fn spread(codes: &[u8; 16]) -> __m256i {
    let codes = load_half(codes);
    _mm256_and_si256(_mm256_set_m128i(_mm_srli_epi16::<4>(codes), codes), _mm256_set1_epi8(15))
}

#[inline]
#[target_feature(enable = "avx2")]
fn total(sums: __m256) -> f32 {
    let four = _mm_add_ps(_mm256_castps256_ps128(sums), _mm256_extractf128_ps::<1>(sums));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(numbers: &[u8; BLOCK]) -> __m256i {
    // SAFETY: 32 bytes are there to read.
    unsafe { _mm256_loadu_si256(numbers.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_half(codes: &[u8; 16]) -> __m128i {
    // SAFETY: 16 bytes are there to read.
    unsafe { _mm_loadu_si128(codes.as_ptr().cast()) }
}
