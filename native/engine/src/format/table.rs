//! Formats that list their levels, sixteen or fewer, with one scale for each block of the flattened tensor.
//! `W = level[code]·scale`; the scale is the block's largest magnitude over the largest level. Codes of four bits lie two a
//! byte, the even element in the high nibble; narrower ones in one stream, lowest bits first.

use fearless_simd::prelude::*;
#[cfg(target_arch = "x86_64")]
use fearless_simd::{Level, f32x16};
use fearless_simd::{Simd, f32x8, u8x16, u8x32, u16x16};

use super::{Scales, int, nibbles};
use crate::error::{Error, Result};

/// Levels, and how numbers find theirs.
pub struct Table {
    /// The level of each code; 0 for codes beyond the format's bits.
    pub levels: [f32; 16],
    /// The codes that numbers may get, by rising level.
    rising: &'static [u8],
    /// Whether halfway between two levels the even code is taken; the lower level otherwise.
    ties_to_even: bool,
    /// Byte `i` of each level.
    planes: [[u8; 16]; 4],
}

impl Table {
    pub(super) const fn new(levels: [f32; 16], rising: &'static [u8], ties_to_even: bool) -> Table {
        let mut planes = [[0; 16]; 4];
        let mut at = 0;
        while at < 64 {
            planes[at % 4][at / 4] = levels[at / 4].to_le_bytes()[at % 4];
            at += 1;
        }
        Table { levels, rising, ties_to_even, planes }
    }

    /// The codes that numbers may get, by rising level.
    pub(crate) fn rising(&self) -> &'static [u8] {
        self.rising
    }

    /// The largest level.
    pub(crate) fn top(&self) -> f32 {
        self.level(self.rising.len() - 1)
    }

    fn level(&self, place: usize) -> f32 {
        self.levels[usize::from(self.rising[place])]
    }

    /// Numbers above the first threshold get the second of the rising codes, and so on.
    pub(crate) fn thresholds(&self) -> Vec<f32> {
        let between = |place: usize| {
            let middle = (self.level(place) + self.level(place + 1)) / 2.0;
            let up = self.ties_to_even && self.rising[place + 1].is_multiple_of(2);
            if up { middle.next_down() } else { middle }
        };
        (0..self.rising.len() - 1).map(between).collect()
    }
}

/// Block lengths that bitsandbytes reads.
pub const BLOCKS: [usize; 8] = [32, 64, 128, 256, 512, 1024, 2048, 4096];

/// Smaller largest magnitudes count as this one.
pub(crate) const SMALLEST: f32 = 1e-38;

/// Errs unless blocks of this length exist.
pub fn check_block(op: &'static str, block: usize) -> Result<()> {
    if BLOCKS.contains(&block) {
        return Ok(());
    }
    Err(Error::option(op, "block", block, format!("one of {}", BLOCKS.map(|b| b.to_string()).join(", "))))
}

/// Codes and one scale a block of the flattened `w`.
pub(super) fn quantize(
    op: &'static str,
    table: &Table,
    bits: usize,
    w: &[f32],
    block: usize,
) -> Result<(Vec<u8>, Vec<f32>)> {
    check_block(op, block)?;
    if w.iter().any(|w| !w.is_finite()) {
        let what = "a weight is not a finite number".into();
        return Err(Error::Numerics { op, what, advice: "Check the tensor before quantizing it.".into() });
    }
    let (thresholds, top) = (table.thresholds(), table.top());
    let nearest = |x: f32| table.rising[thresholds.iter().filter(|&&threshold| x > threshold).count()];
    let mut packed = vec![0u8; int::row_bytes(w.len(), bits)];
    let mut codes = vec![0u8; block];
    let mut scales = Vec::with_capacity(w.len().div_ceil(block));
    // Block lengths are multiples of eight, so every block starts at a byte.
    for (w, packed) in w.chunks(block).zip(packed.chunks_mut(block / 8 * bits)) {
        let largest = w.iter().fold(0.0f32, |largest, w| largest.max(w.abs()));
        let whole = w.len() == block;
        // As in bitsandbytes: a whole block is multiplied by the reciprocal, a last partial one is divided, and only
        // the latter stores the raised scale. Both are within rounding of each other, but the bytes should be equal.
        let raised = largest.max(SMALLEST) / top;
        scales.push(if whole { largest / top } else { raised });
        let reciprocal = 1.0 / raised;
        let codes = &mut codes[..w.len()];
        for (code, &w) in codes.iter_mut().zip(w) {
            *code = nearest(if whole { w * reciprocal } else { w / raised });
        }
        if bits == 4 { nibbles::pack(codes, nearest(0.0), packed) } else { int::pack_row(codes, bits, packed) }
    }
    Ok((packed, scales))
}

/// Codes of elements `first..` → levels times their blocks' scales.
#[inline(always)]
pub(super) fn to_weights<S: Simd>(
    simd: S,
    table: &Table,
    codes: &[u8],
    (first, block): (usize, usize),
    scales: &Scales,
    out: &mut [f32],
) {
    let mut at = 0;
    while at < codes.len() {
        let index = (first + at) / block;
        let end = codes.len().min((index + 1) * block - first);
        look_up(simd, table, &codes[at..end], scales.get(index), &mut out[at..end]);
        at = end;
    }
}

/// `level[code]·scale`: four byte-wise table look-ups give the four bytes of each number.
#[inline(always)]
fn look_up<S: Simd>(simd: S, table: &Table, codes: &[u8], scale: f32, out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if let Level::Avx512(avx512) = simd.level() {
        return look_up_avx512(avx512, table, codes, scale, out);
    }
    let [p0, p1, p2, p3] = &table.planes;
    let (p0, p1, p2, p3) = (plane(simd, p0), plane(simd, p1), plane(simd, p2), plane(simd, p3));
    let factor = f32x8::splat(simd, scale);
    let (codes, last_codes) = codes.as_chunks::<32>();
    let (out, last_out) = out.as_chunks_mut::<32>();
    for (codes, out) in codes.iter().zip(out) {
        let codes = u8x32::from_slice(simd, codes);
        let byte0 = p0.swizzle_dyn_within_blocks(codes);
        let byte1 = p1.swizzle_dyn_within_blocks(codes);
        let byte2 = p2.swizzle_dyn_within_blocks(codes);
        let byte3 = p3.swizzle_dyn_within_blocks(codes);
        let low: [u16x16<S>; 2] = [byte0.zip_low(byte1).bitcast(), byte0.zip_high(byte1).bitcast()];
        let high: [u16x16<S>; 2] = [byte2.zip_low(byte3).bitcast(), byte2.zip_high(byte3).bitcast()];
        for half in 0..2 {
            let first: f32x8<S> = low[half].zip_low(high[half]).bitcast();
            let second: f32x8<S> = low[half].zip_high(high[half]).bitcast();
            (first * factor).store_slice(&mut out[16 * half..16 * half + 8]);
            (second * factor).store_slice(&mut out[16 * half + 8..16 * half + 16]);
        }
    }
    for (code, out) in last_codes.iter().zip(last_out) {
        *out = table.levels[usize::from(*code & 15)] * scale;
    }
}

/// One byte of each level, in both halves of a vector.
#[inline(always)]
fn plane<S: Simd>(simd: S, bytes: &[u8; 16]) -> u8x32<S> {
    u8x32::block_splat(u8x16::from_slice(simd, bytes))
}

#[cfg(target_arch = "x86_64")]
fearless_simd::kernel!(
    /// `level[code]·scale`: the sixteen levels fit in a register, which is the table.
    #[inline(always)]
    fn look_up_avx512(simd: Avx512, table: &Table, codes: &[u8], scale: f32, out: &mut [f32]) {
        use std::arch::x86_64::{_mm512_cvtepu8_epi32, _mm512_permutexvar_ps};
        let (levels, factor) = (f32x16::from_slice(simd, &table.levels), f32x16::splat(simd, scale));
        let (codes, last_codes) = codes.as_chunks::<16>();
        let (out, last_out) = out.as_chunks_mut::<16>();
        for (codes, out) in codes.iter().zip(out) {
            let places = _mm512_cvtepu8_epi32(u8x16::from_slice(simd, codes).into());
            let weights: f32x16<_> = _mm512_permutexvar_ps(places, levels.into()).simd_into(simd);
            (weights * factor).store_slice(out);
        }
        for (code, out) in last_codes.iter().zip(last_out) {
            *out = table.levels[usize::from(*code & 15)] * scale;
        }
    }
);
