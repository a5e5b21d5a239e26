//! The backward pass (Dao et al. 2022, algorithm 4): probabilities are made again from the logarithms of the denominators.

use std::ops::Range;

use fearless_simd::{Simd, dispatch};
use rayon::prelude::*;

use super::forward::{operand_across, round_all};
use super::lanes::{Kernel, Lane, Lanes};
use super::mask::{Panel, View};
use super::tile::{Left, Right, Sums};
use super::{Bias, GROUP, HALF, Half, Head, KEYS, QUERIES, ROWS, Row, Sizes, carve, fuses, pack, segments, workspace};
use crate::cancel::Cancel;
use crate::cpu::exp::{dot, exp_with};
use crate::cpu::pool;
use crate::error::Result;

/// What [`backward`] reads.
#[derive(Clone, Copy)]
pub struct Saved<'a> {
    /// Gradient of the output.
    pub dy: &'a [f32],
    /// Queries.
    pub q: &'a [f32],
    /// Keys.
    pub k: &'a [f32],
    /// Values.
    pub v: &'a [f32],
    /// `[batch, heads, queries]`, from [`super::forward`].
    pub log_sum_exp: &'a [f32],
    /// `[batch, heads, queries]`: `Σ dy·y`.
    pub delta: &'a [f32],
}

/// Gradients of [`super::forward`]: with `p = e^(score − lse)` and `ds = p·(dy·v − delta)`, `dq = scale·ds·k`,
/// `dk = scale·dsᵀ·q`, `dv = pᵀ·dy`. In bf16 what is multiplied is rounded: `dy`, `q`, `k`, `v`, `p` and `ds`.
pub fn backward(
    cancel: &Cancel,
    kernel: Kernel,
    s: &Sizes,
    saved: Saved<'_>,
    bias: &Bias<'_>,
    dq: &mut [f32],
    (dk, dv): (&mut [f32], &mut [f32]),
) -> Result<()> {
    if s.queries == 0 {
        dk.fill(0.0);
        dv.fill(0.0);
        return cancel.check();
    }
    let mut queries = segments(dq, [s.batch, s.queries, s.heads], s.width);
    let of_keys = [s.batch, s.keys, s.kv_heads];
    let (mut keys, mut values) = (segments(dk, of_keys, s.width), segments(dv, of_keys, s.width));
    let tasks = queries.par_chunks_mut(s.group()).zip(keys.par_iter_mut().zip(&mut values)).enumerate();
    pool::run(|| {
        tasks.try_for_each(|(n, (dq, (dk, dv)))| {
            let task = Task { s, bias, saved, batch: n / s.kv_heads, kv: n % s.kv_heads, lanes: kernel.lanes };
            dispatch!(kernel.level, simd => task.run(simd, cancel, dq, (dk, dv)))
        })
    })
}

/// One key/value head of one sequence.
struct Task<'a> {
    s: &'a Sizes,
    bias: &'a Bias<'a>,
    saved: Saved<'a>,
    batch: usize,
    kv: usize,
    lanes: Lanes,
}

impl Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(
        &self,
        simd: S,
        cancel: &Cancel,
        heads: &mut [Vec<&mut [f32]>],
        (dk, dv): (&mut [&mut [f32]], &mut [&mut [f32]]),
    ) -> Result<()> {
        let (s, saved) = (self.s, &self.saved);
        let (keys, values) = (s.key_head(saved.k, self.batch, self.kv), s.key_head(saved.v, self.batch, self.kv));
        let mut room = workspace(cancel, s.backward_elements())?;
        let mut scratch = Scratch::new(self.lanes, s, room.elements_mut(s.backward_elements()), keys, values);
        for (i, rows) in heads.iter_mut().enumerate() {
            let head = self.kv * s.group() + i;
            let (q, dy) = (s.query_head(saved.q, self.batch, head), s.query_head(saved.dy, self.batch, head));
            for (n, rows) in rows.chunks_mut(QUERIES).enumerate() {
                cancel.check()?;
                let (first, count) = (n * QUERIES, rows.len());
                scratch.load(simd, (q, dy), first, count);
                let at = (self.batch * s.heads + head) * s.queries + first;
                let (mut lse, mut delta) = ([[0.0; HALF]; 2], [[0.0; HALF]; 2]);
                lse.as_flattened_mut()[..count].copy_from_slice(&saved.log_sum_exp[at..at + count]);
                delta.as_flattened_mut()[..count].copy_from_slice(&saved.delta[at..at + count]);
                scratch.panel(simd, &Panel::new(s, self.bias, self.batch, head, first, count), (&lse, &delta));
                scatter(s.scale, scratch.dq, scratch.columns, rows);
            }
        }
        scatter(s.scale, scratch.dk, scratch.columns, dk);
        scatter(1.0, scratch.dv, scratch.columns, dv);
        Ok(())
    }
}

/// `rows[i] = factor·sums[i, ..]`
#[inline(always)]
fn scatter(factor: f32, sums: &[f32], columns: usize, rows: &mut [&mut [f32]]) {
    for (row, sums) in rows.iter_mut().zip(sums.chunks_exact(columns)) {
        row.iter_mut().zip(sums).for_each(|(row, sum)| *row = factor * sum);
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
    values: &'a mut [Lane],
    /// `[step of keys][columns]`, where lanes are no numbers.
    keys_across: &'a mut [Lane],
    /// `[query][stride]`
    q: &'a mut [Lane],
    dy: &'a mut [Lane],
    /// `[step of elements][query]`
    q_turned: &'a mut [[Lane; QUERIES]],
    dy_turned: &'a mut [[Lane; QUERIES]],
    /// `[step of queries][columns]`, where lanes are no numbers.
    q_across: &'a mut [Lane],
    dy_across: &'a mut [Lane],
    /// `[key][query]`
    scores: &'a mut [Row],
    ds: &'a mut [Row],
    cap: &'a mut [Half],
    /// `[step of keys][query]` and `[key][step of queries]`, where lanes are no numbers.
    ds_across: &'a mut [Lane],
    ds_along: &'a mut [Lane],
    p_along: &'a mut [Lane],
    /// `[query][columns]`
    dq: &'a mut [f32],
    /// `[key][columns]`
    dk: &'a mut [f32],
    dv: &'a mut [f32],
}

impl<'a> Scratch<'a> {
    #[inline(always)]
    fn new(lanes: Lanes, s: &Sizes, mut room: &'a mut [Lane], keys: Head<'_>, values: Head<'_>) -> Scratch<'a> {
        let (padded, columns) = (s.keys.next_multiple_of(KEYS), s.columns());
        let (stride, room) = (lanes.steps(columns), &mut room);
        let only_pairs = |count: usize| if lanes.are_numbers() { 0 } else { lanes.steps(count) };
        let scratch = Scratch {
            lanes,
            scale: s.scale,
            depth: lanes.steps(s.width),
            stride,
            columns,
            keys: carve(room, padded * stride),
            values: carve(room, padded * stride),
            keys_across: carve(room, only_pairs(padded) * columns),
            q: carve(room, QUERIES * stride),
            dy: carve(room, QUERIES * stride),
            q_turned: carve::<Lane>(room, stride * QUERIES).as_chunks_mut().0,
            dy_turned: carve::<Lane>(room, stride * QUERIES).as_chunks_mut().0,
            q_across: carve(room, only_pairs(QUERIES) * columns),
            dy_across: carve(room, only_pairs(QUERIES) * columns),
            scores: bytemuck::cast_slice_mut(carve::<f32>(room, KEYS * QUERIES)),
            ds: bytemuck::cast_slice_mut(carve::<f32>(room, KEYS * QUERIES)),
            cap: bytemuck::cast_slice_mut(carve::<f32>(room, KEYS * HALF)),
            ds_across: carve(room, only_pairs(KEYS) * QUERIES),
            ds_along: carve(room, only_pairs(QUERIES) * KEYS),
            p_along: carve(room, only_pairs(QUERIES) * KEYS),
            dq: carve(room, QUERIES * columns),
            dk: carve(room, padded * columns),
            dv: carve(room, padded * columns),
        };
        pack::rows(lanes, keys, 0, s.keys, stride, scratch.keys);
        pack::rows(lanes, values, 0, s.keys, stride, scratch.values);
        pack::steps(lanes, keys, 0, s.keys, columns, scratch.keys_across);
        scratch.dk.fill(0.0);
        scratch.dv.fill(0.0);
        scratch
    }

    /// Brings a panel of queries and of their gradients into the lanes of their products.
    #[inline(always)]
    fn load<S: Simd>(&mut self, simd: S, (q, dy): (Head<'_>, Head<'_>), first: usize, count: usize) {
        let (lanes, stride) = (self.lanes, self.stride);
        pack::rows(lanes, q, first, count, stride, self.q);
        pack::rows(lanes, dy, first, count, stride, self.dy);
        pack::turn(simd, self.q, stride, self.q_turned);
        pack::turn(simd, self.dy, stride, self.dy_turned);
        pack::steps(lanes, q, first, count, self.columns, self.q_across);
        pack::steps(lanes, dy, first, count, self.columns, self.dy_across);
    }

    /// One panel of queries against all keys that it sees.
    #[inline(always)]
    fn panel<S: Simd>(&mut self, simd: S, panel: &Panel<'_>, (lse, delta): (&Row, &Row)) {
        self.dq.fill(0.0);
        let range = panel.range();
        for first in range.clone().step_by(KEYS) {
            let block = first..range.end.min(first + KEYS);
            self.score(simd, panel, &block);
            for (h, view, keys) in panel.halves(&block) {
                let rows = keys.start - first..keys.end - first;
                let (scores, ds) = (&mut self.scores[rows.clone()], &mut self.ds[rows]);
                let of_half = (h, &lse[h], &delta[h]);
                if fuses::<S>() {
                    gradients::<true>(view, keys.start, scores, ds, self.cap, of_half);
                } else {
                    gradients::<false>(view, keys.start, scores, ds, self.cap, of_half);
                }
            }
            self.gather(simd, panel, &block);
        }
    }

    /// The products of queries and keys, and of gradients and values.
    #[inline(always)]
    fn score<S: Simd>(&mut self, simd: S, panel: &Panel<'_>, block: &Range<usize>) {
        let (lanes, stride) = (self.lanes, self.stride);
        let tiles = self.scores.as_chunks_mut::<ROWS>().0.iter_mut().zip(self.ds.as_chunks_mut::<ROWS>().0);
        for (tile, (scores, ds)) in block.clone().step_by(ROWS).zip(tiles) {
            let queries = panel.queries(tile);
            if queries.is_empty() {
                continue;
            }
            let products = [
                (&*self.keys, self.q_turned.as_flattened(), scores, self.scale),
                (&*self.values, self.dy_turned.as_flattened(), ds, 1.0),
            ];
            for (left, right, out, factor) in products {
                let left = Left::Along(&left[tile * stride..], stride);
                let right = Right { data: right, stride: QUERIES, column: queries.start };
                let data = &mut out.as_flattened_mut().as_flattened_mut()[queries.start..];
                let sums = Sums { data, stride: QUERIES, columns: queries.len(), factor, add: false };
                lanes.tile(simd, self.depth, left, right, sums);
            }
        }
    }

    /// Adds a block's part to all three gradients.
    #[inline(always)]
    fn gather<S: Simd>(&mut self, simd: S, panel: &Panel<'_>, block: &Range<usize>) {
        let (lanes, columns, depth) = (self.lanes, self.columns, self.lanes.depth());
        let numbers = lanes.are_numbers();
        let (scores, ds) = (&mut self.scores[..block.len()], &mut self.ds[..block.len()]);
        let p_along = operand_along(lanes, scores, self.p_along);
        let ds_along = operand_along(lanes, ds, self.ds_along);
        let along = lanes.steps(QUERIES);
        let (q, dy) = if numbers { (&*self.q, &*self.dy) } else { (&*self.q_across, &*self.dy_across) };
        for (i, tile) in block.clone().step_by(ROWS).enumerate() {
            let queries = panel.queries(tile);
            if queries.is_empty() {
                continue;
            }
            let (from, steps) = (queries.start / depth, lanes.steps(queries.len()));
            for (left, right, out) in [(ds_along, q, &mut *self.dk), (p_along, dy, &mut *self.dv)] {
                let left = Left::Along(&left[i * ROWS * along + from..], along);
                let out = &mut out[tile * columns..][..ROWS * columns];
                sweep(lanes, simd, steps, left, &right[from * columns..], out, columns);
            }
        }
        let ds = if numbers { ds_along } else { operand_across(lanes, ds, self.ds_across) };
        let keys_across = if numbers { &*self.keys } else { &*self.keys_across };
        for (g, keys) in panel.groups(block) {
            let (from, to) = (keys.start / depth, lanes.steps(keys.end));
            let left = Left::Across(&ds[(from - block.start / depth) * QUERIES + g * GROUP..], QUERIES);
            let out = &mut self.dq[g * GROUP * columns..][..GROUP * columns];
            sweep(lanes, simd, to - from, left, &keys_across[from * columns..], out, columns);
        }
    }
}

/// `out[8, columns] += left·right`
#[inline(always)]
fn sweep<S: Simd>(
    lanes: Lanes,
    simd: S,
    steps: usize,
    left: Left<'_>,
    right: &[Lane],
    out: &mut [f32],
    columns: usize,
) {
    for column in (0..columns).step_by(QUERIES) {
        let right = Right { data: right, stride: columns, column };
        let wide = (columns - column).min(QUERIES);
        let sums = Sums { data: &mut out[column..], stride: columns, columns: wide, factor: 1.0, add: true };
        lanes.tile(simd, steps, left, right, sums);
    }
}

/// Numbers by key and query as an operand whose depth is the queries; rounded where lanes are.
#[inline(always)]
fn operand_along<'a>(lanes: Lanes, numbers: &'a mut [Row], space: &'a mut [Lane]) -> &'a [Lane] {
    if lanes.are_numbers() {
        round_all(lanes, numbers);
        return bytemuck::cast_slice(numbers);
    }
    for (row, out) in numbers.iter().zip(space.chunks_exact_mut(lanes.steps(QUERIES))) {
        lanes.along(row.as_flattened(), out);
    }
    space
}

/// In half `h`: products → probabilities; `dy·v` in `ds` → `p·(dy·v − delta)`, by the products.
#[inline(always)]
fn gradients<const FUSED: bool>(
    view: &View<'_>,
    first: usize,
    scores: &mut [Row],
    ds: &mut [Row],
    cap: &mut [Half],
    (h, lse, delta): (usize, &Half, &Half),
) {
    let capped = view.cap_slopes(scores, h, cap);
    view.finish(first, scores, h);
    for (scores, ds) in scores.iter_mut().zip(&mut *ds) {
        for (((p, ds), &lse), &delta) in scores[h].iter_mut().zip(&mut ds[h]).zip(lse).zip(delta) {
            *p = exp_with::<FUSED>(*p - lse);
            *ds = *p * (*ds - delta);
        }
    }
    if capped {
        for (ds, slopes) in ds.iter_mut().zip(cap) {
            ds[h].iter_mut().zip(slopes).for_each(|(ds, slope)| *ds *= *slope);
        }
    }
}

/// `delta[batch, heads, queries] = Σ dy·y` over each head's elements of `[batch·queries, heads·width]`.
pub fn fill_delta(cancel: &Cancel, s: &Sizes, dy: &[f32], y: &[f32], delta: &mut [f32]) -> Result<()> {
    pool::blocks(
        cancel,
        delta,
        1,
        s.queries.max(1),
        #[inline(always)]
        |first, delta| {
            let (batch, head) = (first / s.queries / s.heads, first / s.queries % s.heads);
            let (dy, y) = (s.query_head(dy, batch, head), s.query_head(y, batch, head));
            for (i, delta) in delta.iter_mut().enumerate() {
                *delta = dot(dy.row(i), y.row(i));
            }
        },
    )
}
