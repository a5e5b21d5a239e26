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
            for (columns, out) in panels(depth, columns, width, out) {
                for (out, near) in near(depth, width, out) {
                    interleave(simd, *self, near, columns, width, out);
                }
            }
        } else {
            for k in 0..depth.length {
                let row = &self.data[(depth.start + k) * self.stride + columns.start..][..columns.length];
                spread(row, width, depth.length * width, k * width, out);
            }
        }
    }
}

impl Source for Forward<'_> {
    #[inline(always)]
    fn pack<S: Simd>(&self, simd: S, depth: Span, columns: Span, width: usize, out: &mut [f32]) {
        let mut rows = [[0.0; NEAR]; 4];
        for (columns, out) in panels(depth, columns, width, out) {
            for (out, near) in near(depth, width, out) {
                for first in (0..width).step_by(4) {
                    for (i, row) in rows.iter_mut().enumerate() {
                        let row = &mut row[..near.length];
                        if first + i < columns.length {
                            self.0.decode(simd, columns.start + first + i, near.start, row);
                        } else {
                            row.fill(0.0);
                        }
                    }
                    let [r0, r1, r2, r3] = &rows;
                    let length = near.length;
                    let four = [&r0[..length], &r1[..length], &r2[..length], &r3[..length]];
                    interleave_four(simd, four, first, width, out);
                }
            }
        }
    }
}

impl Source for Backward<'_> {
    #[inline(always)]
    fn pack<S: Simd>(&self, simd: S, depth: Span, columns: Span, width: usize, out: &mut [f32]) {
        let mut row = [0.0; LONGEST];
        let row = &mut row[..columns.length];
        for k in 0..depth.length {
            self.0.decode(simd, depth.start + k, columns.start, row);
            spread(row, width, depth.length * width, k * width, out);
        }
    }
}

/// Depth that is transposed at a time: this much of a panel of 32 columns fits in the first-level cache.
const NEAR: usize = 128;

/// A panel in stretches of [`NEAR`].
fn near(depth: Span, width: usize, panel: &mut [f32]) -> impl Iterator<Item = (&mut [f32], Span)> {
    panel.chunks_mut(NEAR * width).enumerate().map(move |(i, out)| {
        let length = out.len() / width;
        (out, Span { start: depth.start + i * NEAR, length })
    })
}

/// Fills panels `[rows/height][depth][height]` with a block of `A[m, k]`; rows beyond the last are 0.
#[inline(always)]
pub(super) fn pack_left<S: Simd>(simd: S, a: MatRef<'_>, rows: Span, depth: Span, height: usize, out: &mut [f32]) {
    // A's rows are the columns of its transpose.
    MatRef { transposed: !a.transposed, ..a }.pack(simd, depth, rows, height, out);
}

/// The columns of each panel, and its part of `out`.
fn panels(depth: Span, columns: Span, width: usize, out: &mut [f32]) -> impl Iterator<Item = (Span, &mut [f32])> {
    let Span { start, length } = columns;
    out.chunks_exact_mut((depth.length * width).max(1)).take(length.div_ceil(width)).enumerate().map(
        move |(panel, out)| {
            let first = panel * width;
            (Span { start: start + first, length: width.min(length - first) }, out)
        },
    )
}

/// Copies a row of B into its places: `width` numbers at `at` of each panel, the last filled up with 0.
#[inline(always)]
fn spread(row: &[f32], width: usize, panel: usize, at: usize, out: &mut [f32]) {
    for (row, out) in row.chunks(width).zip(out.chunks_exact_mut(panel)) {
        let (there, missing) = out[at..at + width].split_at_mut(row.len());
        if width.is_multiple_of(8) {
            copy::<8>(row, there)
        } else {
            copy::<4>(row, there)
        }
        missing.fill(0.0);
    }
}

/// A copy by vectors of `N`: calling the system's would cost more than the copy.
#[inline(always)]
fn copy<const N: usize>(row: &[f32], out: &mut [f32]) {
    let (wholes, rest) = row.as_chunks::<N>();
    let (outs, out_rest) = out.as_chunks_mut::<N>();
    for (out, whole) in outs.iter_mut().zip(wholes) {
        *out = *whole;
    }
    for (out, number) in out_rest.iter_mut().zip(rest) {
        *out = *number;
    }
}

/// `out[k, i] = b[columns.start + i, depth.start + k]` as stored; the rest of the panel's width is 0.
#[inline(always)]
fn interleave<S: Simd>(simd: S, b: MatRef<'_>, depth: Span, columns: Span, width: usize, out: &mut [f32]) {
    let row = |i: usize| &b.data[(columns.start + i) * b.stride + depth.start..][..depth.length];
    let fours = columns.length / 4 * 4;
    for i in (0..fours).step_by(4) {
        interleave_four(simd, [row(i), row(i + 1), row(i + 2), row(i + 3)], i, width, out);
    }
    for i in fours..columns.length {
        for (out, &x) in out[i..].iter_mut().step_by(width).zip(row(i)) {
            *out = x;
        }
    }
    if columns.length < width {
        for out in out.chunks_exact_mut(width) {
            out[columns.length..].fill(0.0);
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
    let count = b0.len();
    let (b1, b2, b3) = (&b1[..count], &b2[..count], &b3[..count]);
    let (body, tail) = out.split_at_mut(count * 4 * width);
    for (i, out) in body.chunks_exact_mut(4 * width).enumerate() {
        let v0 = f32x4::from_slice(simd, &b0[i]);
        let v1 = f32x4::from_slice(simd, &b1[i]);
        let v2 = f32x4::from_slice(simd, &b2[i]);
        let v3 = f32x4::from_slice(simd, &b3[i]);
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
