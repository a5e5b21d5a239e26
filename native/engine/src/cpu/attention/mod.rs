//! Attention with grouped heads, block by block: the scores of 32 queries and 64 keys exist at a time (Dao et al. 2022).
//!
//! Scores are made as `[key][query]`, so that the softmax runs down the keys without a sum across a vector. Of the operands
//! only the queries of a panel (and their gradients) are transposed; keys, values and probabilities are multiplied as they
//! lie, as left operands one number at a time and as right operands in vectors ([`tile`]), in f32 or as pairs of bf16
//! ([`lanes`]). Sixteen queries are the unit of what is left out because nobody sees it. One task is one sequence's key/value
//! head with the query heads that it serves: results do not depend on the number of threads.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod backward;
mod few;
mod forward;
mod lanes;
mod mask;
mod pack;
mod tile;

use fearless_simd::Simd;
use fearless_simd::prelude::*;

use crate::cancel::Cancel;
use crate::cpu::buffer::{Buffer, Fill};
use crate::error::{Error, Result};
use lanes::Lane;

pub use backward::{Saved, backward, fill_delta};
pub use forward::forward;
pub use lanes::Kernel;

/// Queries of a panel.
const QUERIES: usize = 32;
/// Queries whose softmax is made together.
const HALF: usize = 16;
/// Queries whose results are made together: the rows of a tile.
const GROUP: usize = ROWS;
/// Rows of a tile.
const ROWS: usize = 8;
/// Keys whose scores exist at once.
const KEYS: usize = 64;
/// The most queries that are worth no packing: they read keys and values where they are.
const FEW: usize = 4;

/// A number for each query of half a panel.
type Half = [f32; HALF];
/// A number for each query of a panel.
type Row = [Half; QUERIES / HALF];

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

    /// Columns of right operands: whole vectors.
    fn columns(&self) -> usize {
        self.width.next_multiple_of(HALF)
    }

    /// Numbers of workspace that a task of [`forward`] takes at most.
    pub fn forward_elements(&self) -> usize {
        if self.queries <= FEW {
            return self.keys + self.width;
        }
        let (keys, columns) = (self.keys.next_multiple_of(KEYS), self.columns());
        2 * keys * columns + QUERIES * (3 * columns + 2 * KEYS)
    }

    /// Numbers of workspace that a task of [`backward`] takes at most.
    pub fn backward_elements(&self) -> usize {
        let (keys, columns) = (self.keys.next_multiple_of(KEYS), self.columns());
        5 * keys * columns + QUERIES * (7 * columns + 4 * KEYS) + HALF * KEYS
    }
}

/// The segments of `width` elements of `y[batch·length, heads·width]`, head by head of each sequence: what lets tasks write the
/// rows of their own heads.
fn segments(y: &mut [f32], [batch, length, heads]: [usize; 3], width: usize) -> Vec<Vec<&mut [f32]>> {
    let mut segments: Vec<Vec<_>> = (0..batch * heads).map(|_| Vec::with_capacity(length)).collect();
    let rows = y.chunks_exact_mut((heads * width).max(1));
    for (batch, row) in rows.enumerate().map(|(i, row)| (i / length.max(1), row)) {
        let of_heads = &mut segments[batch * heads..][..heads];
        for (segments, segment) in of_heads.iter_mut().zip(row.chunks_exact_mut(width)) {
            segments.push(segment);
        }
    }
    segments
}

/// Room for a task, reused from call to call.
fn workspace(cancel: &Cancel, elements: usize) -> Result<Buffer> {
    let what = || Error::Internal { op: cancel.op(), what: format!("no memory for {elements} numbers of workspace") };
    Buffer::new(elements * size_of::<f32>(), Fill::Any).ok_or_else(what)
}

/// Takes `count` numbers or lanes off the room.
fn carve<'a, T: bytemuck::Pod>(room: &mut &'a mut [Lane], count: usize) -> &'a mut [T] {
    let (part, rest) = std::mem::take(room).split_at_mut(count);
    *room = rest;
    bytemuck::cast_slice_mut(part)
}

/// Whether vectors of this level have fused multiply-adds.
#[inline(always)]
fn fuses<S: Simd>() -> bool {
    S::f32s::LEN >= 8 || cfg!(target_arch = "aarch64")
}
