//! Brings heads into the lanes of operands.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, u32x4};

use super::lanes::{Lane, Lanes};
use super::{Head, QUERIES};

/// `out[i, ..]`: row `first + i` along the depth, for `count` rows; what is missing in `out[.., stride]` is 0.
#[inline(always)]
pub(super) fn rows(lanes: Lanes, head: Head<'_>, first: usize, count: usize, stride: usize, out: &mut [Lane]) {
    let length = lanes.steps(head.width);
    for (i, out) in out.chunks_exact_mut(stride).enumerate() {
        let filled = if i < count { length } else { 0 };
        let (row, rest) = out.split_at_mut(filled);
        if i < count {
            lanes.along(head.row(first + i), row);
        }
        rest.fill(0);
    }
}

/// `out[s, ..]`: a lane from each element of the rows from `first + depth·s`, for `count` rows; what is missing is 0.
#[inline(always)]
pub(super) fn steps(lanes: Lanes, head: Head<'_>, first: usize, count: usize, stride: usize, out: &mut [Lane]) {
    let depth = lanes.depth();
    for (step, out) in out.chunks_exact_mut(stride).enumerate() {
        let (i, row) = (step * depth, first + step * depth);
        let filled = if i < count { head.width } else { 0 };
        let (lanes_of, rest) = out.split_at_mut(filled);
        if i < count {
            lanes.across(head.row(row), (i + 1 < count).then(|| head.row(row + 1)), lanes_of);
        }
        rest.fill(0);
    }
}

/// `out[s, i] = rows[i, s]` for a panel of 32 rows; `stride` is a multiple of 4.
#[inline(always)]
pub(super) fn turn<S: Simd>(simd: S, rows: &[Lane], stride: usize, out: &mut [[Lane; QUERIES]]) {
    for (i, rows) in rows.chunks_exact(4 * stride).take(QUERIES / 4).enumerate() {
        let (r0, rest) = rows.split_at(stride);
        let (r1, rest) = rest.split_at(stride);
        let (r2, r3) = rest.split_at(stride);
        let (r0, r1, r2, r3) = (r0.as_chunks().0, r1.as_chunks().0, r2.as_chunks().0, r3.as_chunks().0);
        for ((((a, b), c), d), out) in r0.iter().zip(r1).zip(r2).zip(r3).zip(out.as_chunks_mut::<4>().0) {
            four(simd, [a, b, c, d], 4 * i, out);
        }
    }
}

/// `out[s, at + i] = rows[i][s]`
#[inline(always)]
fn four<S: Simd>(simd: S, rows: [&[Lane; 4]; 4], at: usize, out: &mut [[Lane; QUERIES]; 4]) {
    let (a, b) = (u32x4::from_slice(simd, rows[0]), u32x4::from_slice(simd, rows[1]));
    let (c, d) = (u32x4::from_slice(simd, rows[2]), u32x4::from_slice(simd, rows[3]));
    let (even_low, even_high) = (a.zip_low(c), a.zip_high(c));
    let (odd_low, odd_high) = (b.zip_low(d), b.zip_high(d));
    even_low.zip_low(odd_low).store_slice(&mut out[0][at..at + 4]);
    even_low.zip_high(odd_low).store_slice(&mut out[1][at..at + 4]);
    even_high.zip_low(odd_high).store_slice(&mut out[2][at..at + 4]);
    even_high.zip_high(odd_high).store_slice(&mut out[3][at..at + 4]);
}
