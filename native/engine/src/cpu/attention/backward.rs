//! The backward pass (Dao et al. 2022, algorithm 4): probabilities are made again from the logarithms of the denominators.

use fearless_simd::{Simd, dispatch};
use rayon::prelude::*;

use super::mask::View;
use super::pack::{across, along, back, key_panels};
use super::tile::{multiply, multiply_queries};
use super::{Bias, Column, Head, KEYS, QUERIES, ROWS, Row, Sizes, carve, fuses, segments, workspace};
use crate::cancel::Cancel;
use crate::cpu::exp::{dot, exp_with};
use crate::cpu::{pool, simd};
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
/// `dk = scale·dsᵀ·q`, `dv = pᵀ·dy`.
pub fn backward(
    cancel: &Cancel,
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
    let (group, level) = (s.group(), simd::level());
    let queries = segments(dq, [s.batch, s.queries, s.heads], s.width, group);
    let of_keys = [s.batch, s.keys, s.kv_heads];
    let (keys, values) = (segments(dk, of_keys, s.width, 1), segments(dv, of_keys, s.width, 1));
    let tasks: Vec<_> = queries.into_iter().zip(keys.into_iter().zip(values)).enumerate().collect();
    pool::run(|| {
        tasks.into_par_iter().try_for_each(|(n, (dq, (mut dk, mut dv)))| {
            let (batch, kv) = (n / s.kv_heads, n % s.kv_heads);
            let task = Task { s, bias, saved, batch, kv };
            dispatch!(level, simd => task.run(simd, cancel, dq, (&mut dk, &mut dv)))
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
}

impl Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(
        &self,
        simd: S,
        cancel: &Cancel,
        dq: Vec<&mut [f32]>,
        (dk, dv): (&mut [&mut [f32]], &mut [&mut [f32]]),
    ) -> Result<()> {
        let (s, saved, group) = (self.s, &self.saved, self.s.group());
        let (keys, values) = (s.key_head(saved.k, self.batch, self.kv), s.key_head(saved.v, self.batch, self.kv));
        let mut room = workspace(cancel, s.backward_elements())?;
        let mut scratch = Scratch::new(simd, s, room.elements_mut(s.backward_elements()), keys, values);
        let mut by_head: Vec<Vec<_>> = (0..group).map(|_| Vec::with_capacity(s.queries)).collect();
        for (i, row) in dq.into_iter().enumerate() {
            by_head[i % group].push(row);
        }
        for (i, rows) in by_head.iter_mut().enumerate() {
            let head = self.kv * group + i;
            let (q, dy) = (s.query_head(saved.q, self.batch, head), s.query_head(saved.dy, self.batch, head));
            for (n, rows) in rows.chunks_mut(QUERIES).enumerate() {
                cancel.check()?;
                let (first, count) = (n * QUERIES, rows.len());
                scratch.load(simd, s, (q, dy), first, count);
                let at = (self.batch * s.heads + head) * s.queries + first;
                let (mut lse, mut delta) = ([0.0; QUERIES], [0.0; QUERIES]);
                lse[..count].copy_from_slice(&saved.log_sum_exp[at..at + count]);
                delta[..count].copy_from_slice(&saved.delta[at..at + count]);
                let view = View::new(s, self.bias, self.batch, head, first, count);
                scratch.panel(simd, &view, (&lse, &delta));
                back(simd, scratch.dq, &[s.scale; QUERIES], rows);
            }
        }
        copy_rows(scratch.dk, scratch.padded, dk);
        copy_rows(scratch.dv, scratch.padded, dv);
        Ok(())
    }
}

/// `rows[key] = blocks[.., key]`, in blocks of 32 elements.
#[inline(always)]
fn copy_rows(blocks: &[Row], padded: usize, rows: &mut [&mut [f32]]) {
    for (block, columns) in blocks.chunks_exact(padded).enumerate() {
        for (row, column) in rows.iter_mut().zip(columns) {
            let row = &mut row[block * QUERIES..];
            let length = row.len().min(QUERIES);
            row[..length].copy_from_slice(&column[..length]);
        }
    }
}

/// What a task works on.
struct Scratch<'a> {
    width: usize,
    /// Number of keys, made up to whole blocks.
    padded: usize,
    /// Left panels `[key panel][element][8]`.
    keys: &'a mut [Column],
    values: &'a mut [Column],
    /// Left panels `[element panel][key][8]`.
    keys_along: &'a mut [Column],
    /// `[element][query]`; queries times the scale.
    queries: &'a mut [Row],
    dy: &'a mut [Row],
    /// `[block of 32 elements][query][32]`.
    queries_along: &'a mut [Row],
    dy_along: &'a mut [Row],
    /// `[key][query]`.
    scores: &'a mut [Row],
    ds: &'a mut [Row],
    cap: &'a mut [Row],
    /// `[element][query]`.
    dq: &'a mut [Row],
    /// `[block of 32 elements][key][32]`.
    dk: &'a mut [Row],
    dv: &'a mut [Row],
}

impl<'a> Scratch<'a> {
    #[inline(always)]
    fn new<S: Simd>(simd: S, s: &Sizes, mut room: &'a mut [f32], keys: Head<'_>, values: Head<'_>) -> Scratch<'a> {
        let width = s.width;
        let padded = s.keys.next_multiple_of(KEYS);
        let (panels, blocks) = (width.div_ceil(ROWS), width.div_ceil(QUERIES));
        let room = &mut room;
        let scratch = Scratch {
            width,
            padded,
            keys: carve(room, padded / ROWS * width),
            values: carve(room, padded / ROWS * width),
            keys_along: carve(room, padded * panels),
            queries: carve(room, width),
            dy: carve(room, width),
            queries_along: carve(room, blocks * QUERIES),
            dy_along: carve(room, blocks * QUERIES),
            scores: carve(room, KEYS),
            ds: carve(room, KEYS),
            cap: carve(room, KEYS),
            dq: carve(room, panels * ROWS),
            dk: carve(room, padded * blocks),
            dv: carve(room, padded * blocks),
        };
        key_panels(simd, keys, s.keys, scratch.keys);
        key_panels(simd, values, s.keys, scratch.values);
        along(keys, 0, s.keys, 1.0, padded, scratch.keys_along);
        scratch.dk.fill([0.0; QUERIES]);
        scratch.dv.fill([0.0; QUERIES]);
        scratch
    }

    /// Brings a panel of queries and of their gradients into both orders.
    #[inline(always)]
    fn load<S: Simd>(&mut self, simd: S, s: &Sizes, (q, dy): (Head<'_>, Head<'_>), first: usize, count: usize) {
        across(simd, q, first, count, s.scale, self.queries);
        across(simd, dy, first, count, 1.0, self.dy);
        along(q, first, count, s.scale, QUERIES, self.queries_along);
        along(dy, first, count, 1.0, QUERIES, self.dy_along);
    }

    /// One panel of queries against all keys that it sees.
    #[inline(always)]
    fn panel<S: Simd>(&mut self, simd: S, view: &View<'_>, (lse, delta): (&Row, &Row)) {
        self.dq.fill([0.0; QUERIES]);
        let (width, padded, range) = (self.width, self.padded, view.range());
        for first in (range.start / ROWS * ROWS..range.end).step_by(KEYS) {
            let count = KEYS.min((range.end - first).next_multiple_of(ROWS));
            let (scores, ds) = (&mut self.scores[..count], &mut self.ds[..count]);
            let panels = first * width / ROWS..;
            let left = self.keys[panels.clone()].chunks_exact(width).zip(self.values[panels].chunks_exact(width));
            let tiles = scores.as_chunks_mut::<ROWS>().0.iter_mut().zip(ds.as_chunks_mut::<ROWS>().0);
            for ((keys, values), (scores, ds)) in left.zip(tiles) {
                multiply(simd, keys, self.queries, scores, false);
                multiply(simd, values, self.dy, ds, false);
            }
            let capped = view.cap_slopes(scores, self.cap);
            view.finish(first, scores);
            if fuses::<S>() {
                gradients::<true>(scores, ds, lse, delta);
            } else {
                gradients::<false>(scores, ds, lse, delta);
            }
            if capped {
                for (ds, slopes) in ds.iter_mut().zip(&*self.cap) {
                    ds.iter_mut().zip(slopes).for_each(|(ds, slope)| *ds *= slope);
                }
            }
            for (keys, dq) in self.keys_along.chunks_exact(padded).zip(self.dq.as_chunks_mut::<ROWS>().0) {
                multiply(simd, &keys[first..first + count], ds, dq, true);
            }
            let tiles = scores.as_chunks::<ROWS>().0.iter().zip(ds.as_chunks::<ROWS>().0);
            for (i, (p, ds)) in tiles.enumerate() {
                let blocks =
                    self.queries_along.as_chunks::<QUERIES>().0.iter().zip(self.dy_along.as_chunks::<QUERIES>().0);
                for (block, (queries, dy)) in blocks.enumerate() {
                    let at = block * padded + first + i * ROWS;
                    if let Some(dk) = self.dk[at..].first_chunk_mut::<ROWS>() {
                        multiply_queries(simd, ds, queries, dk);
                    }
                    if let Some(dv) = self.dv[at..].first_chunk_mut::<ROWS>() {
                        multiply_queries(simd, p, dy, dv);
                    }
                }
            }
        }
    }
}

/// Scores → probabilities; `dy·v` in `ds` → `p·(dy·v − delta)`.
#[inline(always)]
fn gradients<const FUSED: bool>(scores: &mut [Row], ds: &mut [Row], lse: &Row, delta: &Row) {
    for (scores, ds) in scores.iter_mut().zip(ds) {
        for (((p, ds), &lse), &delta) in scores.iter_mut().zip(ds).zip(lse).zip(delta) {
            *p = exp_with::<FUSED>(*p - lse);
            *ds = *p * (*ds - delta);
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
