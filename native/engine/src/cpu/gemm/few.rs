//! Products with up to eight rows on the left: as fast as the weight's bytes come from memory. Each row of the weight
//! is read once, decoded where it is packed, and used for all rows on the left while it is in the first-level cache.

#![expect(unsafe_code, reason = "tasks write disjoint columns of the shared C")]

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch};
use rayon::prelude::*;

use super::Output;
use super::pack::{Span, spans};
use super::rows::{Operand, Rows};
use super::shared::Shared;
use crate::cancel::Cancel;
use crate::cpu::pool;
use crate::error::Result;

/// The most rows on the left.
pub(super) const MOST_ROWS: usize = 8;
/// Weights of a row that are used at a time.
const RUN: usize = 512;
/// Rows of the weight that are used together.
const TOGETHER: usize = 4;
/// Rows of the weight in a task of [`dots`].
pub(super) const ROWS_PER_TASK: usize = 64;
/// Columns of the weight in a task of [`combinations`].
const COLUMNS_PER_TASK: usize = 256;

/// The rows on the left, each contiguous, as f32.
pub(super) struct Left {
    data: Vec<f32>,
    rows: usize,
    columns: usize,
}

impl Left {
    /// `op(a)[rows, columns]`
    pub(super) fn gather<A: Rows>(level: Level, rows: usize, columns: usize, a: Operand<'_, A>) -> Left {
        let mut left = Left { data: vec![0.0; rows * columns], rows, columns };
        dispatch!(level, simd => left.fill(simd, a));
        left
    }

    #[inline(always)]
    fn fill<S: Simd, A: Rows>(&mut self, simd: S, a: Operand<'_, A>) {
        let (mut space, mut rounded) = ([0.0; RUN], [0.0; RUN]);
        if a.along {
            for (row, out) in self.data.chunks_exact_mut(self.columns).enumerate() {
                for (span, out) in spans(self.columns, RUN).zip(out.chunks_mut(RUN)) {
                    out.copy_from_slice(a.stretch(simd, row, span, &mut space, &mut rounded));
                }
            }
        } else {
            for column in 0..self.columns {
                let span = Span { start: 0, length: self.rows };
                let numbers = a.stretch(simd, column, span, &mut space, &mut rounded);
                for (number, out) in numbers.iter().zip(self.data[column..].iter_mut().step_by(self.columns)) {
                    *out = *number;
                }
            }
        }
    }

    /// How many there are.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// One of them.
    pub(super) fn row(&self, row: usize) -> &[f32] {
        &self.data[row * self.columns..][..self.columns]
    }

    fn stretch(&self, row: usize, span: Span) -> &[f32] {
        &self.data[row * self.columns + span.start..][..span.length]
    }
}

/// `C[m, n]` from `Σ_k a[m, k]·b[n, k]`
pub(super) fn dots<B: Rows>(
    level: Level,
    a: &Left,
    b: Operand<'_, B>,
    n: usize,
    output: Output<'_>,
    c: &mut [f32],
    cancel: &Cancel,
) -> Result<()> {
    columns::<ROWS_PER_TASK>([a.rows, n], output, c, cancel, |rows, sums| {
        dispatch!(level, simd => dots_of_rows(simd, a, b, rows, sums));
    })
}

/// `C[m, n]` by tasks that add the sums of some columns to zeros.
pub(super) fn columns<const N: usize>(
    [m, n]: [usize; 2],
    output: Output<'_>,
    c: &mut [f32],
    cancel: &Cancel,
    add: impl Fn(Span, &mut [[f32; N]; MOST_ROWS]) + Sync,
) -> Result<()> {
    let c = Shared::new(c, m, n);
    let tasks: Vec<_> = spans(n, N).collect();
    let task = |columns: &Span| {
        cancel.check()?;
        let mut sums = [[0.0; N]; MOST_ROWS];
        add(*columns, &mut sums);
        for (row, sums) in sums.iter().enumerate().take(m) {
            // SAFETY: tasks have distinct columns, and the segment is dropped at once.
            let out = unsafe { c.segment(row, columns.start, columns.length) };
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = if output.accumulate { *out + output.alpha * sum } else { output.alpha * sum };
            }
            output.finish(n, row, columns.start, out);
        }
        Ok(())
    };
    pool::run(|| tasks.par_iter().try_for_each(task))
}

#[inline(always)]
fn dots_of_rows<S: Simd, B: Rows>(
    simd: S,
    a: &Left,
    b: Operand<'_, B>,
    rows: Span,
    sums: &mut [[f32; ROWS_PER_TASK]; MOST_ROWS],
) {
    let (mut space, mut rounded) = ([[0.0; RUN]; TOGETHER], [[0.0; RUN]; TOGETHER]);
    for first in (0..rows.length).step_by(TOGETHER) {
        // Where fewer than four are left, the last is read again and its sums are not used.
        let at = |i: usize| rows.start + (first + i).min(rows.length - 1);
        for span in spans(a.columns, RUN) {
            let ([s0, s1, s2, s3], [r0, r1, r2, r3]) = (&mut space, &mut rounded);
            let four = [
                b.stretch(simd, at(0), span, s0, r0),
                b.stretch(simd, at(1), span, s1, r1),
                b.stretch(simd, at(2), span, s2, r2),
                b.stretch(simd, at(3), span, s3, r3),
            ];
            let mut row = 0;
            while row + 2 <= a.rows {
                let two = [a.stretch(row, span), a.stretch(row + 1, span)];
                add_dots(simd, two, four, first, &mut sums[row..row + 2]);
                row += 2;
            }
            if row < a.rows {
                add_dots(simd, [a.stretch(row, span)], four, first, &mut sums[row..=row]);
            }
        }
    }
}

/// `sums[i][first + j] += Σ_k a[i][k]·b[j][k]`
#[inline(always)]
fn add_dots<S: Simd, const N: usize>(
    simd: S,
    a: [&[f32]; N],
    b: [&[f32]; TOGETHER],
    first: usize,
    sums: &mut [[f32; ROWS_PER_TASK]],
) {
    let lanes = S::f32s::LEN;
    let length = b[0].len();
    let whole = length / lanes * lanes;
    let mut vectors = [[S::f32s::splat(simd, 0.0); TOGETHER]; N];
    for k in (0..whole).step_by(lanes) {
        let b0 = S::f32s::from_slice(simd, &b[0][k..k + lanes]);
        let b1 = S::f32s::from_slice(simd, &b[1][k..k + lanes]);
        let b2 = S::f32s::from_slice(simd, &b[2][k..k + lanes]);
        let b3 = S::f32s::from_slice(simd, &b[3][k..k + lanes]);
        for i in 0..N {
            let a = S::f32s::from_slice(simd, &a[i][k..k + lanes]);
            vectors[i][0] = a.mul_add(b0, vectors[i][0]);
            vectors[i][1] = a.mul_add(b1, vectors[i][1]);
            vectors[i][2] = a.mul_add(b2, vectors[i][2]);
            vectors[i][3] = a.mul_add(b3, vectors[i][3]);
        }
    }
    for ((a, vectors), sums) in a.iter().zip(&vectors).zip(sums) {
        for ((vector, b), sum) in vectors.iter().zip(b).zip(&mut sums[first..]) {
            let mut numbers = [0.0; 16];
            vector.store_slice(&mut numbers[..lanes]);
            let rest: f32 = a[whole..length].iter().zip(&b[whole..]).map(|(a, b)| a * b).sum();
            *sum += numbers.iter().sum::<f32>() + rest;
        }
    }
}

/// `C[m, n]` from `Σ_k a[m, k]·b[k, n]`
pub(super) fn combinations<B: Rows>(
    level: Level,
    a: &Left,
    b: Operand<'_, B>,
    n: usize,
    output: Output<'_>,
    c: &mut [f32],
    cancel: &Cancel,
) -> Result<()> {
    columns::<COLUMNS_PER_TASK>([a.rows, n], output, c, cancel, |columns, sums| {
        dispatch!(level, simd => combine(simd, a, b, columns, sums));
    })
}

#[inline(always)]
fn combine<S: Simd, B: Rows>(
    simd: S,
    a: &Left,
    b: Operand<'_, B>,
    columns: Span,
    sums: &mut [[f32; COLUMNS_PER_TASK]; MOST_ROWS],
) {
    let (mut space, mut rounded) = ([[0.0; COLUMNS_PER_TASK]; TOGETHER], [[0.0; COLUMNS_PER_TASK]; TOGETHER]);
    for four in spans(a.columns, TOGETHER) {
        let ([s0, s1, s2, s3], [r0, r1, r2, r3]) = (&mut space, &mut rounded);
        // Where fewer than four are left, the last is read again with factor 0.
        let at = |i: usize| four.start + i.min(four.length - 1);
        let rows = [
            b.stretch(simd, at(0), columns, s0, r0),
            b.stretch(simd, at(1), columns, s1, r1),
            b.stretch(simd, at(2), columns, s2, r2),
            b.stretch(simd, at(3), columns, s3, r3),
        ];
        for (row, sums) in sums.iter_mut().enumerate().take(a.rows) {
            let a = a.stretch(row, four);
            let mut factors = [0.0; TOGETHER];
            factors[..a.len()].copy_from_slice(a);
            let length = columns.length;
            let [r0, r1, r2, r3] = [&rows[0][..length], &rows[1][..length], &rows[2][..length], &rows[3][..length]];
            for (j, sum) in sums[..length].iter_mut().enumerate() {
                *sum += (factors[0] * r0[j] + factors[1] * r1[j]) + (factors[2] * r2[j] + factors[3] * r3[j]);
            }
        }
    }
}
