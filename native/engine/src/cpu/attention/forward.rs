//! The forward pass.

use std::ops::Range;

use fearless_simd::{Simd, dispatch};
use rayon::prelude::*;

use super::lanes::{Kernel, Lane, Lanes, round};
use super::mask::Panel;
use super::tile::{Left, Right, Sums};
use super::{
    Bias, FEW, GROUP, HALF, Half, KEYS, QUERIES, ROWS, Row, Sizes, carve, few, fuses, pack, segments, workspace,
};
use crate::cancel::Cancel;
use crate::cpu::exp::exp_with;
use crate::cpu::pool;
use crate::error::Result;

/// What stands for the largest score before there is one: finite, so that differences stay numbers.
pub(super) const LOWEST: f32 = -1e30;

/// `y = softmax(scale·q·kᵀ + bias)·v`, and the logarithm of each softmax's denominator as `[batch, heads, queries]`. A query that
/// sees no key gets 0. In bf16 queries, keys, values and `e^(score − largest so far)` are rounded before they are multiplied.
pub fn forward(
    cancel: &Cancel,
    kernel: Kernel,
    s: &Sizes,
    (q, k, v): (&[f32], &[f32], &[f32]),
    bias: &Bias<'_>,
    y: &mut [f32],
    log_sum_exp: &mut [f32],
) -> Result<()> {
    if s.queries == 0 {
        return cancel.check();
    }
    let (group, level) = (s.group(), kernel.level);
    let mut heads = segments(y, [s.batch, s.queries, s.heads], s.width);
    let tasks = heads.par_chunks_mut(group).zip(log_sum_exp.par_chunks_mut(group * s.queries)).enumerate();
    pool::run(|| {
        tasks.try_for_each(|(n, (heads, lse))| {
            let (batch, kv) = (n / s.kv_heads, n % s.kv_heads);
            let task = Task { s, bias, batch, kv, q, k, v, lanes: kernel.lanes };
            if s.queries <= FEW {
                cancel.check()?;
                if kernel.lanes.rounds() {
                    dispatch!(level, _simd => few::forward::<true>(&task, heads, lse));
                } else {
                    dispatch!(level, _simd => few::forward::<false>(&task, heads, lse));
                }
                return Ok(());
            }
            dispatch!(level, simd => task.run(simd, cancel, heads, lse))
        })
    })
}

/// One key/value head of one sequence.
pub(super) struct Task<'a> {
    pub(super) s: &'a Sizes,
    pub(super) bias: &'a Bias<'a>,
    pub(super) batch: usize,
    pub(super) kv: usize,
    pub(super) q: &'a [f32],
    pub(super) k: &'a [f32],
    pub(super) v: &'a [f32],
    pub(super) lanes: Lanes,
}

impl Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, cancel: &Cancel, heads: &mut [Vec<&mut [f32]>], lse: &mut [f32]) -> Result<()> {
        let (s, lanes) = (self.s, self.lanes);
        let mut room = workspace(cancel, s.forward_elements())?;
        let mut scratch = Scratch::new(lanes, s, room.elements_mut(s.forward_elements()));
        let (keys, values) = (s.key_head(self.k, self.batch, self.kv), s.key_head(self.v, self.batch, self.kv));
        pack::rows(lanes, keys, 0, s.keys, scratch.stride, scratch.keys);
        pack::steps(lanes, values, 0, s.keys, scratch.columns, scratch.values);
        for (i, (rows, lse)) in heads.iter_mut().zip(lse.chunks_mut(s.queries)).enumerate() {
            let head = self.kv * s.group() + i;
            let queries = s.query_head(self.q, self.batch, head);
            for (n, (rows, lse)) in rows.chunks_mut(QUERIES).zip(lse.chunks_mut(QUERIES)).enumerate() {
                cancel.check()?;
                let (first, count) = (n * QUERIES, rows.len());
                pack::rows(lanes, queries, first, count, scratch.stride, scratch.rows);
                pack::turn(simd, scratch.rows, scratch.stride, scratch.queries);
                scratch.panel(simd, &Panel::new(s, self.bias, self.batch, head, first, count));
                scratch.finish(rows, lse);
            }
        }
        Ok(())
    }
}

/// What a task works on.
struct Scratch<'a> {
    lanes: Lanes,
    scale: f32,
    /// Lanes of a row's depth.
    depth: usize,
    /// Lanes from row to row.
    stride: usize,
    columns: usize,
    /// `[key][stride]`
    keys: &'a mut [Lane],
    /// `[step of keys][columns]`
    values: &'a mut [Lane],
    /// `[query][stride]`
    rows: &'a mut [Lane],
    /// `[step of elements][query]`
    queries: &'a mut [[Lane; QUERIES]],
    /// `[key][query]`
    scores: &'a mut [Row],
    /// `[step of keys][query]`, where lanes are no numbers.
    p: &'a mut [Lane],
    /// `[query][columns]`
    y: &'a mut [f32],
    largest: Row,
    sum: Row,
}

impl<'a> Scratch<'a> {
    fn new(lanes: Lanes, s: &Sizes, mut room: &'a mut [Lane]) -> Scratch<'a> {
        let (padded, columns) = (s.keys.next_multiple_of(KEYS), s.columns());
        let (stride, room) = (lanes.steps(columns), &mut room);
        Scratch {
            lanes,
            scale: s.scale,
            depth: lanes.steps(s.width),
            stride,
            columns,
            keys: carve(room, padded * stride),
            values: carve(room, lanes.steps(padded) * columns),
            rows: carve(room, QUERIES * stride),
            queries: carve::<Lane>(room, stride * QUERIES).as_chunks_mut().0,
            scores: bytemuck::cast_slice_mut(carve::<f32>(room, KEYS * QUERIES)),
            p: carve(room, lanes.steps(KEYS) * QUERIES),
            y: carve(room, QUERIES * columns),
            largest: [[LOWEST; HALF]; 2],
            sum: [[0.0; HALF]; 2],
        }
    }

    /// One panel of queries over all keys that it sees, with a running maximum (Milakov and Gimelshein 2018).
    #[inline(always)]
    fn panel<S: Simd>(&mut self, simd: S, panel: &Panel<'_>) {
        (self.largest, self.sum) = ([[LOWEST; HALF]; 2], [[0.0; HALF]; 2]);
        self.y.fill(0.0);
        let range = panel.range();
        for first in range.clone().step_by(KEYS) {
            let block = first..range.end.min(first + KEYS);
            self.score(simd, panel, &block);
            let mut fade = [[1.0; HALF]; 2];
            for (h, view, keys) in panel.halves(&block) {
                let scores = &mut self.scores[keys.start - first..keys.end - first];
                view.finish(keys.start, scores, h);
                let (largest, sum) = (&mut self.largest[h], &mut self.sum[h]);
                fade[h] = if fuses::<S>() {
                    softmax_block::<true>(scores, h, largest, sum)
                } else {
                    softmax_block::<false>(scores, h, largest, sum)
                };
            }
            if first > range.start {
                let rows = self.y.chunks_exact_mut(self.columns).zip(fade.as_flattened());
                rows.for_each(|(row, &fade)| row.iter_mut().for_each(|y| *y *= fade));
            }
            self.multiply_values(simd, panel, &block);
        }
    }

    /// The products of queries and keys.
    #[inline(always)]
    fn score<S: Simd>(&mut self, simd: S, panel: &Panel<'_>, block: &Range<usize>) {
        let scores = self.scores.as_chunks_mut::<ROWS>().0;
        for (tile, scores) in block.clone().step_by(ROWS).zip(scores) {
            let queries = panel.queries(tile);
            if queries.is_empty() {
                continue;
            }
            let left = Left::Along(&self.keys[tile * self.stride..], self.stride);
            let right = Right { data: self.queries.as_flattened(), stride: QUERIES, column: queries.start };
            let data = &mut scores.as_flattened_mut().as_flattened_mut()[queries.start..];
            let sums = Sums { data, stride: QUERIES, columns: queries.len(), factor: self.scale, add: false };
            self.lanes.tile(simd, self.depth, left, right, sums);
        }
    }

    /// Adds the products of probabilities and values.
    #[inline(always)]
    fn multiply_values<S: Simd>(&mut self, simd: S, panel: &Panel<'_>, block: &Range<usize>) {
        let (lanes, columns, depth) = (self.lanes, self.columns, self.lanes.depth());
        let scores = &mut self.scores[..block.len()];
        let p = operand_across(lanes, scores, self.p);
        for (g, keys) in panel.groups(block) {
            let (from, to) = (keys.start / depth, lanes.steps(keys.end));
            let left = Left::Across(&p[(from - block.start / depth) * QUERIES + g * GROUP..], QUERIES);
            for column in (0..columns).step_by(QUERIES) {
                let right = Right { data: &self.values[from * columns..], stride: columns, column };
                let data = &mut self.y[g * GROUP * columns + column..];
                let wide = (columns - column).min(QUERIES);
                let sums = Sums { data, stride: columns, columns: wide, factor: 1.0, add: true };
                lanes.tile(simd, to - from, left, right, sums);
            }
        }
    }

    /// Brings the panel's results into their rows.
    #[inline(always)]
    fn finish(&self, rows: &mut [&mut [f32]], lse: &mut [f32]) {
        let (largest, sum) = (self.largest.as_flattened(), self.sum.as_flattened());
        for ((row, y), &sum) in rows.iter_mut().zip(self.y.chunks_exact(self.columns)).zip(sum) {
            // NaN stays NaN.
            let factor = if sum == 0.0 { 0.0 } else { 1.0 / sum };
            row.iter_mut().zip(y).for_each(|(row, y)| *row = factor * y);
        }
        for (lse, (&largest, &sum)) in lse.iter_mut().zip(largest.iter().zip(sum)) {
            *lse = if sum == 0.0 { LOWEST } else { largest + sum.ln() };
        }
    }
}

/// Numbers by key and query as an operand whose depth is the keys; rounded where lanes are.
#[inline(always)]
pub(super) fn operand_across<'a>(lanes: Lanes, numbers: &'a mut [Row], space: &'a mut [Lane]) -> &'a [Lane] {
    if lanes.are_numbers() {
        round_all(lanes, numbers);
        return bytemuck::cast_slice(numbers);
    }
    for (pair, out) in numbers.as_chunks::<2>().0.iter().zip(space.chunks_exact_mut(QUERIES)) {
        lanes.across(pair[0].as_flattened(), Some(pair[1].as_flattened()), out);
    }
    space
}

/// Rounds numbers in place where lanes are rounded numbers.
#[inline(always)]
pub(super) fn round_all(lanes: Lanes, numbers: &mut [Row]) {
    if lanes.rounds() {
        numbers.as_flattened_mut().as_flattened_mut().iter_mut().for_each(|x| *x = round(*x));
    }
}

/// Scores in half `h` → `e^(score − largest)`; brings the running maximum and sum up to date and returns what earlier results
/// shrink by.
#[inline(always)]
fn softmax_block<const FUSED: bool>(scores: &mut [Row], h: usize, largest: &mut Half, sum: &mut Half) -> Half {
    let mut shift = *largest;
    for row in &*scores {
        for (shift, &score) in shift.iter_mut().zip(&row[h]) {
            *shift = if score > *shift { score } else { *shift };
        }
    }
    let mut fade = [0.0; HALF];
    for (fade, (&before, &now)) in fade.iter_mut().zip(largest.iter().zip(&shift)) {
        *fade = exp_with::<FUSED>(before - now);
    }
    let mut total = [0.0f32; HALF];
    for row in scores.iter_mut() {
        for ((total, score), &shift) in total.iter_mut().zip(&mut row[h]).zip(&shift) {
            *score = exp_with::<FUSED>(*score - shift);
            *total += *score;
        }
    }
    for ((sum, &total), &fade) in sum.iter_mut().zip(&total).zip(&fade) {
        *sum = *sum * fade + total;
    }
    *largest = shift;
    fade
}
