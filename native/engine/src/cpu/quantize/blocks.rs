//! Formats with a table, many weights at a time: the bytes of [`format::quantize_blocks`], which says what they mean.

use std::sync::atomic::{AtomicBool, Ordering};

use super::grid::all_finite;
use super::rtn::not_finite;
use crate::cancel::Cancel;
use crate::cpu::pool;
use crate::error::Result;
use crate::format::table::{self, Table};
use crate::format::{self, Format, int};

/// What a block needs of its format.
struct Search {
    /// The code of the smallest numbers.
    first: i32,
    /// What numbers above a threshold add to their code on the way up; an infinite threshold stands where there are fewer.
    steps: [(f32, i32); 15],
    /// The largest level.
    top: f32,
    bits: usize,
}

impl Search {
    fn new(table: &Table, bits: usize) -> Search {
        let rising = table.rising();
        let mut steps = [(f32::INFINITY, 0); 15];
        for ((step, threshold), codes) in steps.iter_mut().zip(table.thresholds()).zip(rising.windows(2)) {
            *step = (threshold, i32::from(codes[1]) - i32::from(codes[0]));
        }
        Search { first: i32::from(rising[0]), steps, top: table.top(), bits }
    }

    /// The code of a weight over its block's scale.
    #[inline(always)]
    fn code(&self, x: f32) -> i32 {
        // A mask instead of a branch, and all thresholds instead of a few, so that the compiler makes vectors of it.
        self.steps.iter().fold(self.first, |code, &(threshold, step)| code + (step & -i32::from(x > threshold)))
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
    pool::blocks2(
        cancel,
        (&mut codes, bytes),
        (&mut scales, 1),
        per_task,
        #[inline(always)]
        |first, codes, scales| {
            let mut levels = vec![0i32; block];
            let blocks = wholes[first * block..].chunks_exact(block);
            for ((w, codes), scale) in blocks.zip(codes.chunks_exact_mut(bytes)).zip(scales) {
                if !all_finite(w) {
                    finite.store(false, Ordering::Relaxed);
                    return;
                }
                *scale = one_block(&search, w, &mut levels, codes);
            }
        },
    )?;
    if !finite.into_inner() {
        return Err(not_finite(cancel.op()));
    }
    codes.extend(last_codes);
    scales.extend(last_scales);
    Ok((codes, scales))
}

#[inline(always)]
fn one_block(search: &Search, w: &[f32], levels: &mut [i32], codes: &mut [u8]) -> f32 {
    let mut lanes = [0.0f32; 16];
    for w in w.as_chunks::<16>().0 {
        for (lane, w) in lanes.iter_mut().zip(w) {
            *lane = if w.abs() > *lane { w.abs() } else { *lane };
        }
    }
    let largest = lanes.iter().fold(0.0f32, |largest, &lane| if lane > largest { lane } else { largest });
    let reciprocal = 1.0 / (largest.max(table::SMALLEST) / search.top);
    for (level, &w) in levels.iter_mut().zip(w) {
        *level = search.code(w * reciprocal);
    }
    if search.bits == 4 {
        for (code, pair) in codes.iter_mut().zip(levels.as_chunks::<2>().0) {
            *code = (pair[0] << 4 | pair[1]) as u8;
        }
    } else {
        for (codes, levels) in codes.chunks_exact_mut(4 * search.bits).zip(levels.as_chunks::<32>().0) {
            int::pack_row(&levels.map(|level| level as u8), search.bits, codes);
        }
    }
    largest / search.top
}
