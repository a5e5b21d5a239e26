//! NF4 (Dettmers et al., "QLoRA", 2023): sixteen quantiles of the normal distribution, one scale (the largest
//! magnitude) for each block of the flattened tensor. Codes and scales equal those of bitsandbytes' CPU path.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f32x8, u8x16, u8x32, u16x16};

use super::Scales;
use crate::error::{Error, Result};

/// The levels, ascending; the code is the index.
pub const LEVELS: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// Byte `i` of each level.
const PLANES: [[u8; 16]; 4] = {
    let mut planes = [[0; 16]; 4];
    let mut at = 0;
    while at < 64 {
        planes[at % 4][at / 4] = LEVELS[at / 4].to_le_bytes()[at % 4];
        at += 1;
    }
    planes
};

/// Block lengths that bitsandbytes reads.
pub const BLOCKS: [usize; 8] = [32, 64, 128, 256, 512, 1024, 2048, 4096];

/// Smaller largest magnitudes count as this one.
const SMALLEST: f32 = 1e-38;

/// Errs unless blocks of this length exist.
pub fn check_block(op: &'static str, block: usize) -> Result<()> {
    if BLOCKS.contains(&block) {
        return Ok(());
    }
    Err(Error::option(op, "block", block, format!("one of {}", BLOCKS.map(|b| b.to_string()).join(", "))))
}

/// Codes (two a byte, the even element in the high nibble) and one scale a block of the flattened `w`.
pub fn quantize_nf4(op: &'static str, w: &[f32], block: usize) -> Result<(Vec<u8>, Vec<f32>)> {
    check_block(op, block)?;
    if w.iter().any(|w| !w.is_finite()) {
        let what = "a weight is not a finite number".into();
        return Err(Error::Numerics { op, what, advice: "Check the tensor before quantizing it.".into() });
    }
    let thresholds: [f32; 15] = std::array::from_fn(|i| (LEVELS[i] + LEVELS[i + 1]) / 2.0);
    let mut codes = vec![0u8; w.len().div_ceil(2)];
    let mut scales = Vec::with_capacity(w.len().div_ceil(block));
    // Block lengths are even, so every block starts at a byte.
    for (w, codes) in w.chunks(block).zip(codes.chunks_mut(block / 2)) {
        let largest = w.iter().fold(0.0f32, |largest, w| largest.max(w.abs()));
        let whole = w.len() == block;
        // As in bitsandbytes: a whole block is multiplied by the reciprocal, a last partial one is divided, and only
        // the latter stores the raised scale. Both are within rounding of each other, but the bytes should be equal.
        let raised = largest.max(SMALLEST);
        scales.push(if whole { largest } else { raised });
        let reciprocal = 1.0 / raised;
        for (pair, code) in w.chunks(2).zip(codes) {
            let nearest = |w: f32| {
                let x = if whole { w * reciprocal } else { w / raised };
                thresholds.iter().filter(|&&threshold| x > threshold).count() as u8
            };
            // The missing partner of a last odd element is a zero.
            *code = nearest(pair[0]) << 4 | pair.get(1).map_or(7, |&w| nearest(w));
        }
    }
    Ok((codes, scales))
}

/// The codes of elements `first..` of the flattened tensor, one a byte.
#[inline(always)]
pub(crate) fn unpack<S: Simd>(simd: S, packed: &[u8], first: usize, out: &mut [u8]) {
    let (head, body) = out.split_at_mut((first % 2).min(out.len()));
    if let [out] = head {
        *out = packed[first / 2] & 15;
    }
    let packed = &packed[first.div_ceil(2)..];
    let (wholes, _) = body.as_chunks_mut::<32>();
    let (bytes, _) = packed.as_chunks::<16>();
    for (out, bytes) in wholes.iter_mut().zip(bytes) {
        let bytes = u8x16::from_slice(simd, bytes);
        let (even, odd) = (bytes >> 4, bytes & 15u8);
        even.zip_low(odd).store_slice(&mut out[..16]);
        even.zip_high(odd).store_slice(&mut out[16..]);
    }
    let done = wholes.len();
    let (packed, body) = (&packed[16 * done..], &mut body[32 * done..]);
    let (pairs, tail) = body.as_chunks_mut::<2>();
    for (byte, out) in packed.iter().zip(pairs.iter_mut()) {
        *out = [byte >> 4, byte & 15];
    }
    if let [out] = tail {
        *out = packed[pairs.len()] >> 4;
    }
}

/// Codes of elements `first..` → levels times their blocks' scales.
#[inline(always)]
pub(crate) fn to_weights<S: Simd>(simd: S, codes: &[u8], first: usize, block: usize, scales: &Scales, out: &mut [f32]) {
    let mut at = 0;
    while at < codes.len() {
        let index = (first + at) / block;
        let end = codes.len().min((index + 1) * block - first);
        look_up(simd, &codes[at..end], scales.get(index), &mut out[at..end]);
        at = end;
    }
}

/// `LEVELS[code]·scale`: four byte-wise table look-ups give the four bytes of each number.
#[inline(always)]
fn look_up<S: Simd>(simd: S, codes: &[u8], scale: f32, out: &mut [f32]) {
    let plane = |plane: &[u8; 16]| u8x32::block_splat(u8x16::from_slice(simd, plane));
    let planes = [plane(&PLANES[0]), plane(&PLANES[1]), plane(&PLANES[2]), plane(&PLANES[3])];
    let factor = f32x8::splat(simd, scale);
    let (codes, last_codes) = codes.as_chunks::<32>();
    let (out, last_out) = out.as_chunks_mut::<32>();
    for (codes, out) in codes.iter().zip(out) {
        let codes = u8x32::from_slice(simd, codes);
        let byte0 = planes[0].swizzle_dyn_within_blocks(codes);
        let byte1 = planes[1].swizzle_dyn_within_blocks(codes);
        let byte2 = planes[2].swizzle_dyn_within_blocks(codes);
        let byte3 = planes[3].swizzle_dyn_within_blocks(codes);
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
        *out = LEVELS[usize::from(*code & 15)] * scale;
    }
}
