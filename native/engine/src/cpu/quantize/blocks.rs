//! Formats with a table, many weights at a time: the bytes of [`format::quantize_blocks`], which says what they mean.

use std::sync::atomic::{AtomicBool, Ordering};

use super::grid::all_finite;
use super::rtn::not_finite;
use crate::cancel::Cancel;
use crate::cpu::pool;
use crate::error::Result;
use crate::format::table::{self, Table};
use crate::format::{self, Format, int};

/// Weights whose codes are found together.
const RUN: usize = 16;

/// What a block needs of its format.
struct Search {
    /// Numbers above the first get the second of the rising codes, and so on; infinite where there are fewer.
    thresholds: [f32; 15],
    /// The byte of two neighbours, by how many thresholds the first is above (times 16) and the second.
    bytes: [u8; 256],
    /// The largest level.
    top: f32,
    bits: usize,
}

impl Search {
    fn new(table: &Table, bits: usize) -> Search {
        let mut thresholds = [f32::INFINITY; 15];
        for (threshold, value) in thresholds.iter_mut().zip(table.thresholds()) {
            *threshold = value;
        }
        let rising = table.rising();
        let code = |count: usize| rising[count.min(rising.len() - 1)];
        let bytes = std::array::from_fn(|pair| code(pair / 16) << 4 | code(pair % 16));
        Search { thresholds, bytes, top: table.top(), bits }
    }
}

/// Codes and one scale a block of the flattened `w`.
pub fn quantize(cancel: &Cancel, format: Format, w: &[f32], block: usize) -> Result<(Vec<u8>, Vec<f32>)> {
    table::check_block(cancel.op(), block)?;
    let whole = w.len() / block;
    let (wholes, last) = w.split_at(whole * block);
    // A partial block has a rule of its own; so has a format without a table, which is refused here.
    let (last_codes, last_scales) = format::quantize_blocks(cancel.op(), format, last, block)?;
    let Some(table) = format.table() else { return Ok((last_codes, last_scales)) };
    let search = Search::new(table, format.bits());
    // Whole blocks fill whole bytes.
    let bytes = block / 8 * format.bits();
    let mut codes = vec![0u8; whole * bytes];
    let mut scales = vec![0.0f32; whole];
    let finite = AtomicBool::new(true);
    let per_task = pool::rows_per_task(block);
    pool::blocks2(cancel, (&mut codes, bytes), (&mut scales, 1), per_task, |first, codes, scales| {
        let blocks = wholes[first * block..].chunks_exact(block);
        for ((w, codes), scale) in blocks.zip(codes.chunks_exact_mut(bytes)).zip(scales) {
            if !all_finite(w) {
                finite.store(false, Ordering::Relaxed);
                return;
            }
            *scale = one_block(&search, w, codes);
        }
    })?;
    if !finite.into_inner() {
        return Err(not_finite(cancel.op()));
    }
    codes.extend(last_codes);
    scales.extend(last_scales);
    Ok((codes, scales))
}

#[inline(always)]
fn one_block(search: &Search, w: &[f32], codes: &mut [u8]) -> f32 {
    let mut lanes = [0.0f32; 16];
    for w in w.as_chunks::<16>().0 {
        for (lane, w) in lanes.iter_mut().zip(w) {
            *lane = if w.abs() > *lane { w.abs() } else { *lane };
        }
    }
    let largest = lanes.iter().fold(0.0f32, |largest, &lane| if lane > largest { lane } else { largest });
    let reciprocal = 1.0 / (largest.max(table::SMALLEST) / search.top);
    for (w, codes) in w.as_chunks::<RUN>().0.iter().zip(codes.chunks_exact_mut(RUN / 8 * search.bits)) {
        let x: [f32; RUN] = std::array::from_fn(|i| w[i] * reciprocal);
        let mut counts = [0i32; RUN];
        for threshold in search.thresholds {
            for (count, &x) in counts.iter_mut().zip(&x) {
                *count += i32::from(x > threshold);
            }
        }
        if search.bits == 4 {
            for (code, pair) in codes.iter_mut().zip(counts.as_chunks::<2>().0) {
                *code = search.bytes[(pair[0] << 4 | pair[1]) as usize & 255];
            }
        } else {
            int::pack_row(&counts.map(|count| search.bytes[count as usize & 15] & 15), search.bits, codes);
        }
    }
    largest / search.top
}
