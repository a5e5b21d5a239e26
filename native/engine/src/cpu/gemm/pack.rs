//! Copies blocks of A and B into panels, in the order in which the microkernel reads them. The right operand may be
//! packed weights: they are decoded on the way, a few rows at a time in the first-level cache.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f32x4};

use super::MatRef;
use crate::format::PackedRef;

/// A stretch of rows or columns.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) length: usize,
}

/// Something that can be the right operand `B[k, n]`.
pub(super) trait Source: Sync {
    /// Fills panels `[columns/width][depth][width]` with a block of B; columns beyond the last are 0.
    fn pack<S: Simd>(&self, simd: S, depth: Span, columns: Span, width: usize, out: &mut [f32]);
}

/// Packed weights `[n, k]` as `B = wᵀ`: the forward product.
pub(super) struct Forward<'a>(pub(super) &'a PackedRef<'a>);

/// Packed weights `[k, n]` as `B = w`: the gradient of the input.
pub(super) struct Backward<'a>(pub(super) &'a PackedRef<'a>);

/// Longest block of depth that is packed at once.
pub(super) const LONGEST: usize = 512;

impl Source for MatRef<'_> {
    #[inline(always)]
    fn pack<S: Simd>(&self, simd: S, depth: Span, columns: Span, width: usize, out: &mut [f32]) {
        if self.transposed {
            each_panel(depth, columns, width, out, |columns, out| {
                interleave(simd, columns.length, width, out, |i| {
                    &self.data[(columns.start + i) * self.stride + depth.start..][..depth.length]
                });
            });
        } else {
            each_panel(depth, columns, width, out, |columns, out| {
                for (k, out) in out.chunks_exact_mut(width).enumerate() {
                    let row = &self.data[(depth.start + k) * self.stride + columns.start..][..columns.length];
                    copy_padded(row, out);
                }
            });
        }
    }
}

impl Source for Forward<'_> {
    #[inline(always)]
    fn pack<S: Simd>(&self, simd: S, depth: Span, columns: Span, width: usize, out: &mut [f32]) {
        let mut rows = [[0.0; LONGEST]; 4];
        each_panel(depth, columns, width, out, |columns, out| {
            for first in (0..width).step_by(4) {
                for (i, row) in rows.iter_mut().enumerate() {
                    let row = &mut row[..depth.length];
                    if first + i < columns.length {
                        self.0.decode(simd, columns.start + first + i, depth.start, row);
                    } else {
                        row.fill(0.0);
                    }
                }
                let rows = [0, 1, 2, 3].map(|i| &rows[i][..depth.length]);
                interleave_four(simd, rows, first, width, out);
            }
        });
    }
}

impl Source for Backward<'_> {
    #[inline(always)]
    fn pack<S: Simd>(&self, simd: S, depth: Span, columns: Span, width: usize, out: &mut [f32]) {
        let mut row = [0.0; LONGEST];
        let row = &mut row[..columns.length];
        let panel = depth.length * width;
        for k in 0..depth.length {
            self.0.decode(simd, depth.start + k, columns.start, row);
            for (row, out) in row.chunks(width).zip(out.chunks_exact_mut(panel)) {
                copy_padded(row, &mut out[k * width..(k + 1) * width]);
            }
        }
    }
}

/// Fills panels `[rows/height][depth][height]` with a block of `A[m, k]`; rows beyond the last are 0.
#[inline(always)]
pub(super) fn pack_left<S: Simd>(simd: S, a: MatRef<'_>, rows: Span, depth: Span, height: usize, out: &mut [f32]) {
    // A's rows are the columns of its transpose.
    MatRef { transposed: !a.transposed, ..a }.pack(simd, depth, rows, height, out);
}

#[inline(always)]
fn each_panel(depth: Span, columns: Span, width: usize, out: &mut [f32], mut f: impl FnMut(Span, &mut [f32])) {
    for (panel, out) in out.chunks_exact_mut((depth.length * width).max(1)).enumerate() {
        let first = panel * width;
        if first >= columns.length {
            break;
        }
        let span = Span { start: columns.start + first, length: width.min(columns.length - first) };
        f(span, out);
    }
}

#[inline(always)]
fn copy_padded(row: &[f32], out: &mut [f32]) {
    let (there, missing) = out.split_at_mut(row.len());
    there.copy_from_slice(row);
    missing.fill(0.0);
}

/// `out[k, i] = rows(i)[k]` for `count` rows of `width`, the rest 0.
#[inline(always)]
fn interleave<'a, S: Simd>(
    simd: S,
    count: usize,
    width: usize,
    out: &mut [f32],
    rows: impl Fn(usize) -> &'a [f32],
) {
    let fours = count / 4 * 4;
    for first in (0..fours).step_by(4) {
        interleave_four(simd, [0, 1, 2, 3].map(|i| rows(first + i)), first, width, out);
    }
    for i in fours..count {
        for (out, &x) in out[i..].iter_mut().step_by(width).zip(rows(i)) {
            *out = x;
        }
    }
    if count < width {
        for out in out.chunks_exact_mut(width) {
            out[count..].fill(0.0);
        }
    }
}

/// `out[k, at + i] = rows[i][k]` for four rows: 4 × 4 transposes.
#[inline(always)]
fn interleave_four<S: Simd>(simd: S, rows: [&[f32]; 4], at: usize, width: usize, out: &mut [f32]) {
    let [r0, r1, r2, r3] = rows;
    let (b0, t0) = r0.as_chunks::<4>();
    let (b1, t1) = r1.as_chunks::<4>();
    let (b2, t2) = r2.as_chunks::<4>();
    let (b3, t3) = r3.as_chunks::<4>();
    let (body, tail) = out.split_at_mut(b0.len() * 4 * width);
    for ((((out, b0), b1), b2), b3) in body.chunks_exact_mut(4 * width).zip(b0).zip(b1).zip(b2).zip(b3) {
        let [v0, v1, v2, v3] = [b0, b1, b2, b3].map(|block| f32x4::from_slice(simd, block));
        let (even_low, even_high) = (v0.zip_low(v2), v0.zip_high(v2));
        let (odd_low, odd_high) = (v1.zip_low(v3), v1.zip_high(v3));
        even_low.zip_low(odd_low).store_slice(&mut out[at..at + 4]);
        even_low.zip_high(odd_low).store_slice(&mut out[width + at..width + at + 4]);
        even_high.zip_low(odd_high).store_slice(&mut out[2 * width + at..2 * width + at + 4]);
        even_high.zip_high(odd_high).store_slice(&mut out[3 * width + at..3 * width + at + 4]);
    }
    for (k, out) in tail.chunks_exact_mut(width).enumerate().take(t0.len()) {
        out[at..at + 4].copy_from_slice(&[t0[k], t1[k], t2[k], t3[k]]);
    }
}
