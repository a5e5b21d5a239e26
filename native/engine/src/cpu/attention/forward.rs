//! The forward pass.

use fearless_simd::{Simd, dispatch};
use rayon::prelude::*;

use super::mask::View;
use super::pack::{across, along, back, key_panels};
use super::tile::multiply;
use super::{Bias, Column, FEW, KEYS, QUERIES, ROWS, Row, Sizes, carve, few, fuses, segments, workspace};
use crate::cancel::Cancel;
use crate::cpu::exp::exp_with;
use crate::cpu::{pool, simd};
use crate::error::Result;

/// What stands for the largest score before there is one: finite, so that differences stay numbers.
pub(super) const LOWEST: f32 = -1e30;

/// `y = softmax(scale·q·kᵀ + bias)·v`, and the logarithm of each softmax's denominator as `[batch, heads, queries]`. A query that
/// sees no key gets 0.
pub fn forward(
    cancel: &Cancel,
    s: &Sizes,
    (q, k, v): (&[f32], &[f32], &[f32]),
    bias: &Bias<'_>,
    y: &mut [f32],
    log_sum_exp: &mut [f32],
) -> Result<()> {
    if s.queries == 0 {
        return cancel.check();
    }
    let (group, level) = (s.group(), simd::level());
    let rows = segments(y, [s.batch, s.queries, s.heads], s.width, group);
    let tasks = rows.into_iter().zip(log_sum_exp.chunks_mut(group * s.queries)).enumerate();
    let tasks: Vec<_> = tasks.collect();
    pool::run(|| {
        tasks.into_par_iter().try_for_each(|(n, (mut rows, lse))| {
            let (batch, kv) = (n / s.kv_heads, n % s.kv_heads);
            let task = Task { s, bias, batch, kv, q, k, v };
            if s.queries <= FEW {
                cancel.check()?;
                dispatch!(level, _simd => few::forward(&task, &mut rows, lse));
                return Ok(());
            }
            dispatch!(level, simd => task.run(simd, cancel, rows, lse))
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
}

impl Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, cancel: &Cancel, rows: Vec<&mut [f32]>, lse: &mut [f32]) -> Result<()> {
        let (s, width) = (self.s, self.s.width);
        let padded = s.keys.next_multiple_of(KEYS);
        let mut room = workspace(cancel, s.forward_elements())?;
        let mut room: &mut [f32] = room.elements_mut(s.forward_elements());
        let keys: &mut [Column] = carve(&mut room, padded / ROWS * width);
        key_panels(simd, s.key_head(self.k, self.batch, self.kv), s.keys, keys);
        let values: &mut [Column] = carve(&mut room, padded * width.div_ceil(ROWS));
        along(s.key_head(self.v, self.batch, self.kv), 0, s.keys, 1.0, padded, values);
        let mut scratch = Scratch::new(room, width);
        let group = s.group();
        // Rows come query by query, each with the heads of the group.
        let mut by_head: Vec<Vec<_>> = (0..group).map(|_| Vec::with_capacity(s.queries)).collect();
        for (i, row) in rows.into_iter().enumerate() {
            by_head[i % group].push(row);
        }
        for (i, (rows, lse)) in by_head.iter_mut().zip(lse.chunks_mut(s.queries)).enumerate() {
            let head = self.kv * group + i;
            let queries = s.query_head(self.q, self.batch, head);
            for (n, (rows, lse)) in rows.chunks_mut(QUERIES).zip(lse.chunks_mut(QUERIES)).enumerate() {
                cancel.check()?;
                let (first, count) = (n * QUERIES, rows.len());
                across(simd, queries, first, count, s.scale, scratch.queries);
                let view = View::new(s, self.bias, self.batch, head, first, count);
                scratch.panel(simd, &view, (keys, values), padded);
                let mut factors = [0.0; QUERIES];
                for (factor, &sum) in factors.iter_mut().zip(&scratch.sum) {
                    // NaN stays NaN.
                    *factor = if sum == 0.0 { 0.0 } else { 1.0 / sum };
                }
                back(simd, scratch.y, &factors, rows);
                for (lse, (&largest, &sum)) in lse.iter_mut().zip(scratch.largest.iter().zip(&scratch.sum)) {
                    *lse = if sum == 0.0 { LOWEST } else { largest + sum.ln() };
                }
            }
        }
        Ok(())
    }
}

/// What a task works on.
struct Scratch<'a> {
    /// `[element][query]`, times the scale.
    queries: &'a mut [Row],
    /// `[key][query]`.
    scores: &'a mut [Row],
    /// `[element][query]`.
    y: &'a mut [Row],
    largest: Row,
    sum: Row,
}

impl<'a> Scratch<'a> {
    fn new(mut room: &'a mut [f32], width: usize) -> Scratch<'a> {
        Scratch {
            queries: carve(&mut room, width),
            scores: carve(&mut room, KEYS),
            y: carve(&mut room, width.next_multiple_of(ROWS)),
            largest: [LOWEST; QUERIES],
            sum: [0.0; QUERIES],
        }
    }

    /// One panel of queries over all keys that it sees, with a running maximum (Milakov and Gimelshein 2018).
    #[inline(always)]
    fn panel<S: Simd>(&mut self, simd: S, view: &View<'_>, (keys, values): (&[Column], &[Column]), padded: usize) {
        let width = self.queries.len();
        self.largest = [LOWEST; QUERIES];
        self.sum = [0.0; QUERIES];
        self.y.fill([0.0; QUERIES]);
        let range = view.range();
        for first in (range.start / ROWS * ROWS..range.end).step_by(KEYS) {
            let count = KEYS.min((range.end - first).next_multiple_of(ROWS));
            let scores = &mut self.scores[..count];
            let panels = keys[first * width / ROWS..].chunks_exact(width);
            for (panel, scores) in panels.zip(scores.as_chunks_mut::<ROWS>().0) {
                multiply(simd, panel, self.queries, scores, false);
            }
            view.finish(first, scores);
            let fade = if fuses::<S>() {
                softmax_block::<true>(scores, &mut self.largest, &mut self.sum)
            } else {
                softmax_block::<false>(scores, &mut self.largest, &mut self.sum)
            };
            for (values, y) in values.chunks_exact(padded).zip(self.y.as_chunks_mut::<ROWS>().0) {
                for row in y.iter_mut() {
                    row.iter_mut().zip(&fade).for_each(|(y, fade)| *y *= fade);
                }
                multiply(simd, &values[first..first + count], scores, y, true);
            }
        }
    }
}

/// Scores → `e^(score − largest)`; brings the running maximum and sum up to date and returns what earlier results shrink by.
#[inline(always)]
fn softmax_block<const FUSED: bool>(scores: &mut [Row], largest: &mut Row, sum: &mut Row) -> Row {
    let mut shift = *largest;
    for row in &*scores {
        for (shift, &score) in shift.iter_mut().zip(row) {
            *shift = if score > *shift { score } else { *shift };
        }
    }
    let mut fade = [0.0; QUERIES];
    for (fade, (&before, &now)) in fade.iter_mut().zip(largest.iter().zip(&shift)) {
        *fade = exp_with::<FUSED>(before - now);
    }
    let mut total = [0.0f32; QUERIES];
    for row in scores.iter_mut() {
        for ((total, score), &shift) in total.iter_mut().zip(row).zip(&shift) {
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
