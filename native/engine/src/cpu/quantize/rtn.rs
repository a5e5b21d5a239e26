//! Round to nearest.

use std::sync::atomic::{AtomicBool, Ordering};

use super::grid::{self, Grid};
use super::{Codes, Layout, split_params};
use crate::cancel::Cancel;
use crate::cpu::pool;
use crate::error::{Error, Result};
use crate::format::int;

/// `w[rows, columns]` → the nearest levels of each group's grid.
pub fn quantize(cancel: &Cancel, w: &[f32], layout: Layout, grid: Grid) -> Result<Codes> {
    by_rows(
        cancel,
        w,
        layout,
        grid.bits,
        #[inline(always)]
        |w, levels| {
            let params = grid.fit(w);
            grid::round(grid, w, params, levels);
            params
        },
    )
}

/// Codes of a method that treats each group by itself: `f(weights, levels)` writes the levels, one a byte, and returns
/// scale and zero point. `f` should say `#[inline(always)]` or be a closure, to get the vectors of the instruction set.
pub(super) fn by_rows(
    cancel: &Cancel,
    w: &[f32],
    layout: Layout,
    bits: usize,
    f: impl Fn(&[f32], &mut [u8]) -> (f32, f32) + Sync,
) -> Result<Codes> {
    let Layout { columns, .. } = layout;
    let (groups, bytes, finite) = (layout.groups(), int::row_bytes(columns, bits), AtomicBool::new(true));
    let mut codes = layout.codes(bits);
    let mut params = vec![(0.0f32, 0.0f32); layout.rows * groups];
    let per_task = pool::rows_per_task(columns);
    pool::blocks2(
        cancel,
        (&mut codes.codes, bytes),
        (&mut params, groups),
        per_task,
        #[inline(always)]
        |first, codes, params| {
            let mut levels = vec![0u8; columns];
            let rows = w[first * columns..].chunks_exact(columns.max(1));
            let outputs = codes.chunks_exact_mut(bytes.max(1)).zip(params.chunks_exact_mut(groups.max(1)));
            for (w, (codes, params)) in rows.zip(outputs) {
                if !grid::all_finite(w) {
                    finite.store(false, Ordering::Relaxed);
                    return;
                }
                let parts = w.chunks(layout.size()).zip(levels.chunks_mut(layout.size()));
                for ((w, levels), params) in parts.zip(params) {
                    *params = f(w, levels);
                }
                int::pack_row(&levels, bits, codes);
            }
        },
    )?;
    if !finite.into_inner() {
        return Err(not_finite(cancel.op()));
    }
    split_params(&params, &mut codes);
    Ok(codes)
}

/// A weight that is NaN or infinite.
pub(crate) fn not_finite(op: &'static str) -> Error {
    let what = "a weight is not a finite number".into();
    Error::Numerics { op, what, advice: "Check the tensor before quantizing it.".into() }
}
