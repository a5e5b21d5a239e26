//! Attention with grouped heads, block by block: the scores of 32 queries and 64 keys exist at a time (Dao et al. 2022).
//!
//! Queries lie along the vectors: a panel holds 32 queries, and scores are made as `[key][query]`. So the softmax runs
//! down the keys without a sum across a vector, and probabilities are already the right operand of the product with the
//! values ([`tile`]). Keys and values are packed once for each key/value head ([`pack`]). One task is one sequence's
//! key/value head with the query heads that it serves: results do not depend on the number of threads.

mod backward;
mod few;
mod forward;
mod mask;
mod pack;
mod tile;

use fearless_simd::Simd;
use fearless_simd::prelude::*;

use crate::cancel::Cancel;
use crate::cpu::buffer::{Buffer, Fill};
use crate::error::{Error, Result};

pub use backward::{Saved, backward, fill_delta};
pub use forward::forward;

/// Queries of a panel.
pub(crate) const QUERIES: usize = 32;
/// Rows of the left operand's panels: keys, or elements of a head.
pub(crate) const ROWS: usize = 8;
/// Keys whose scores exist at once.
pub(crate) const KEYS: usize = 64;
/// The most queries that are worth no packing: they read keys and values where they are.
const FEW: usize = 4;

/// One row of a panel: a number for each query.
type Row = [f32; QUERIES];
/// One step of a left panel: a number for each of its rows.
type Column = [f32; ROWS];

/// Sizes of an attention, and what a query sees.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Sequences.
    pub batch: usize,
    /// Heads of the queries.
    pub heads: usize,
    /// Heads of keys and values; each serves `heads / kv_heads` query heads.
    pub kv_heads: usize,
    /// Queries of a sequence.
    pub queries: usize,
    /// Keys of a sequence.
    pub keys: usize,
    /// Elements of a head.
    pub width: usize,
    /// Factor of the scores.
    pub scale: f32,
    /// Whether a query sees no key behind its own position, which is `keys − queries` + its number.
    pub causal: bool,
    /// Keys nearer than this are seen: behind the query, and without `causal` before it, too.
    pub window: Option<usize>,
    /// Scores become `cap·tanh(score / cap)`.
    pub soft_cap: Option<f32>,
}

/// What hides keys of some sequences, and what leans scores of some heads.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bias<'a> {
    /// `[batch, keys]`: 0 for keys that nobody sees.
    pub key_mask: Option<&'a [u8]>,
    /// `[batch]`: keys of each sequence.
    pub lengths: Option<&'a [i32]>,
    /// `[heads]`: scores get `slope·(key − position)` (ALiBi, Press et al. 2022).
    pub slopes: Option<&'a [f32]>,
}

/// Rows of one head in `x[batch·length, heads·width]`.
#[derive(Clone, Copy)]
struct Head<'a> {
    /// From the head's first row.
    data: &'a [f32],
    stride: usize,
    width: usize,
}

impl<'a> Head<'a> {
    /// Row `i`.
    #[inline(always)]
    fn row(&self, i: usize) -> &'a [f32] {
        &self.data[i * self.stride..][..self.width]
    }
}

impl Sizes {
    /// Query heads that a key/value head serves.
    fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Position of the first query.
    fn shift(&self) -> usize {
        self.keys - self.queries.min(self.keys)
    }

    fn query_head<'a>(&self, x: &'a [f32], batch: usize, head: usize) -> Head<'a> {
        self.head(x, batch * self.queries, self.heads, head)
    }

    fn key_head<'a>(&self, x: &'a [f32], batch: usize, kv: usize) -> Head<'a> {
        self.head(x, batch * self.keys, self.kv_heads, kv)
    }

    fn head<'a>(&self, x: &'a [f32], first: usize, heads: usize, head: usize) -> Head<'a> {
        let stride = heads * self.width;
        Head { data: x.get(first * stride + head * self.width..).unwrap_or(&[]), stride, width: self.width }
    }

    /// Numbers of workspace that a task of [`forward`] takes.
    pub fn forward_elements(&self) -> usize {
        if self.queries <= FEW {
            return self.keys;
        }
        let (width, keys) = (self.width.next_multiple_of(ROWS), self.keys.next_multiple_of(KEYS));
        keys * (self.width + width) + QUERIES * (self.width + width + KEYS)
    }

    /// Numbers of workspace that a task of [`backward`] takes.
    pub fn backward_elements(&self) -> usize {
        let (rows, columns) = (self.width.next_multiple_of(ROWS), self.width.next_multiple_of(QUERIES));
        let keys = self.keys.next_multiple_of(KEYS);
        keys * (2 * self.width + rows + 2 * columns) + QUERIES * (2 * self.width + 2 * columns + rows + 3 * KEYS)
    }
}

/// The segments of `width` elements of `y[batch·length, heads·width]`, in tasks of `per_task` heads of a sequence, row by row:
/// what lets tasks write the rows of their own heads.
fn segments(y: &mut [f32], [batch, length, heads]: [usize; 3], width: usize, per_task: usize) -> Vec<Vec<&mut [f32]>> {
    let tasks = heads / per_task.max(1);
    let mut segments: Vec<Vec<_>> = (0..batch * tasks).map(|_| Vec::with_capacity(length * per_task)).collect();
    for (i, segment) in y.chunks_exact_mut(width.max(1)).enumerate() {
        let (row, head) = (i / heads, i % heads);
        segments[row / length.max(1) * tasks + head / per_task].push(segment);
    }
    segments
}

/// Room for a task, reused from call to call.
fn workspace(cancel: &Cancel, elements: usize) -> Result<Buffer> {
    let what = || Error::Internal { op: cancel.op(), what: format!("no memory for {elements} numbers of workspace") };
    Buffer::new(elements * size_of::<f32>(), Fill::Any).ok_or_else(what)
}

/// Takes `count` rows off `numbers`.
fn carve<'a, const N: usize>(numbers: &mut &'a mut [f32], count: usize) -> &'a mut [[f32; N]] {
    let (part, rest) = std::mem::take(numbers).split_at_mut(count * N);
    *numbers = rest;
    part.as_chunks_mut().0
}

/// Whether vectors of this level have fused multiply-adds.
#[inline(always)]
fn fuses<S: Simd>() -> bool {
    S::f32s::LEN >= 8 || cfg!(target_arch = "aarch64")
}
