//! NF4, many weights at a time: the bytes of [`crate::format::quantize_nf4`], which says what they mean.

use std::sync::atomic::{AtomicBool, Ordering};

use super::grid::all_finite;
use super::rtn::not_finite;
use crate::cancel::Cancel;
use crate::cpu::pool;
use crate::error::Result;
use crate::format::nf4::{self, LEVELS};

/// Weights whose codes are found together.
const RUN: usize = 32;
const THRESHOLDS: [f32; 15] = {
    let mut middles = [0.0; 15];
    let mut i = 0;
    while i < 15 {
        middles[i] = (LEVELS[i] + LEVELS[i + 1]) / 2.0;
        i += 1;
    }
    middles
};

/// Codes and one scale a block of the flattened `w`.
pub fn quantize(cancel: &Cancel, w: &[f32], block: usize) -> Result<(Vec<u8>, Vec<f32>)> {
    nf4::check_block(cancel.op(), block)?;
    let whole = w.len() / block;
    let (wholes, last) = w.split_at(whole * block);
    let mut codes = vec![0u8; wholes.len() / 2];
    let mut scales = vec![0.0f32; whole];
    let finite = AtomicBool::new(true);
    let per_task = pool::rows_per_task(block);
    pool::blocks2(cancel, (&mut codes, block / 2), (&mut scales, 1), per_task, |first, codes, scales| {
        let blocks = wholes[first * block..].chunks_exact(block);
        for ((w, codes), scale) in blocks.zip(codes.chunks_exact_mut(block / 2)).zip(scales) {
            if !all_finite(w) {
                finite.store(false, Ordering::Relaxed);
                return;
            }
            *scale = one_block(w, codes);
        }
    })?;
    if !finite.into_inner() {
        return Err(not_finite(cancel.op()));
    }
    let (last_codes, last_scales) = crate::format::quantize_nf4(cancel.op(), last, block)?;
    codes.extend(last_codes);
    scales.extend(last_scales);
    Ok((codes, scales))
}

#[inline(always)]
fn one_block(w: &[f32], codes: &mut [u8]) -> f32 {
    let mut lanes = [0.0f32; 16];
    for w in w.as_chunks::<16>().0 {
        for (lane, w) in lanes.iter_mut().zip(w) {
            *lane = if w.abs() > *lane { w.abs() } else { *lane };
        }
    }
    let largest = lanes.iter().fold(0.0f32, |largest, &lane| if lane > largest { lane } else { largest });
    let reciprocal = 1.0 / largest.max(nf4::SMALLEST);
    for (w, codes) in w.as_chunks::<RUN>().0.iter().zip(codes.as_chunks_mut::<{ RUN / 2 }>().0) {
        let mut counts = [0i32; RUN];
        for threshold in THRESHOLDS {
            for (count, w) in counts.iter_mut().zip(w) {
                *count += i32::from(w * reciprocal > threshold);
            }
        }
        for (code, pair) in codes.iter_mut().zip(counts.as_chunks::<2>().0) {
            *code = (pair[0] << 4 | pair[1]) as u8;
        }
    }
    largest
}
