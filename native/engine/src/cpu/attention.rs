//! Causal attention with grouped heads, block by block: the scores of a few queries exist at a time.
//!
//! Queries, keys and values are read where they are (`[batch·length, heads·width]`, a head's rows apart by a stride);
//! results are made head by head (`[batch, heads, length, width]`), so that tasks own what they write, and then
//! brought into that order by [`merge_heads`].

use rayon::prelude::*;

use crate::cancel::Cancel;
use crate::cpu::exp::{dot, exp, exp_and_sum, largest};
use crate::cpu::gemm::{self, MatRef};
use crate::cpu::{pool, simd};
use crate::error::Result;

/// Queries whose scores exist at once.
const BLOCK: usize = 96;

/// Sizes of an attention.
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
}

impl Sizes {
    /// Keys that query `i` sees: those up to position `keys − queries + i`.
    fn seen(&self, query: usize) -> usize {
        self.keys - self.queries + query + 1
    }

    /// Elements of one head's scores that exist at once; the backward pass holds two such blocks.
    pub fn block_elements(&self) -> usize {
        BLOCK.min(self.queries) * self.keys
    }

    /// Rows `from..` of head `head` of sequence `batch` in `x[batch·length, heads·width]`.
    fn rows<'a>(&self, x: &'a [f32], [batch, length, heads, head]: [usize; 4], from: usize) -> MatRef<'a> {
        let stride = heads * self.width;
        let start = (batch * length + from) * stride + head * self.width;
        MatRef { data: &x[start..], transposed: false, stride }
    }

    fn query_rows<'a>(&self, x: &'a [f32], batch: usize, head: usize, from: usize) -> MatRef<'a> {
        self.rows(x, [batch, self.queries, self.heads, head], from)
    }

    fn key_rows<'a>(&self, x: &'a [f32], batch: usize, kv: usize) -> MatRef<'a> {
        self.rows(x, [batch, self.keys, self.kv_heads, kv], 0)
    }

    /// First query, number of queries, and keys that the last of them sees, for each block.
    fn blocks(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let s = *self;
        (0..s.queries).step_by(BLOCK).map(move |first| {
            let count = BLOCK.min(s.queries - first);
            (first, count, s.seen(first + count - 1))
        })
    }
}

fn transposed(m: MatRef<'_>) -> MatRef<'_> {
    MatRef { transposed: true, ..m }
}

fn block(data: &[f32], stride: usize) -> MatRef<'_> {
    MatRef { data, transposed: false, stride }
}

/// `x[batch, heads, length, width]` → `y[batch·length, heads·width]`.
pub fn merge_heads(cancel: &Cancel, x: &[f32], length: usize, heads: usize, width: usize, y: &mut [f32]) -> Result<()> {
    pool::rows(cancel, y, heads * width, |first, y| {
        for (n, y) in y.chunks_exact_mut(heads * width).enumerate() {
            let (batch, i) = ((first + n) / length, (first + n) % length);
            for (head, y) in y.chunks_exact_mut(width).enumerate() {
                y.copy_from_slice(&x[((batch * heads + head) * length + i) * width..][..width]);
            }
        }
    })
}

/// `y = softmax(scale·q·kᵀ)·v`, head by head, and the logarithm of each softmax's denominator.
pub fn forward(
    cancel: &Cancel,
    s: &Sizes,
    (q, k, v): (&[f32], &[f32], &[f32]),
    y: &mut [f32],
    log_sum_exp: &mut [f32],
) -> Result<()> {
    if s.queries == 0 {
        return cancel.check();
    }
    let heads = y.par_chunks_mut(s.queries * s.width).zip(log_sum_exp.par_chunks_mut(s.queries)).enumerate();
    pool::run(|| {
        heads.try_for_each(|(n, (y, lse))| {
            let (batch, head) = (n / s.heads, n % s.heads);
            let kv = head / (s.heads / s.kv_heads);
            let (keys, values) = (s.key_rows(k, batch, kv), s.key_rows(v, batch, kv));
            let mut scores = vec![0.0f32; s.block_elements()];
            for (first, count, seen) in s.blocks() {
                cancel.check()?;
                let p = &mut scores[..count * seen];
                let queries = s.query_rows(q, batch, head, first);
                gemm::matmul(count, seen, s.width, queries, transposed(keys), s.scale, p, false, cancel)?;
                let lse = &mut lse[first..first + count];
                fearless_simd::dispatch!(simd::level(), _simd => softmax_block(s, first, p, lse));
                let y = &mut y[first * s.width..][..count * s.width];
                gemm::matmul(count, s.width, seen, block(p, seen), values, 1.0, y, false, cancel)?;
            }
            Ok(())
        })
    })
}

/// Scores → probabilities, 0 for what a query does not see.
#[inline(always)]
fn softmax_block(s: &Sizes, first: usize, p: &mut [f32], lse: &mut [f32]) {
    let width = p.len() / lse.len();
    for (i, (row, lse)) in p.chunks_exact_mut(width).zip(lse).enumerate() {
        let (row, hidden) = row.split_at_mut(s.seen(first + i));
        let shift = largest(row);
        let sum = exp_and_sum(row, shift);
        let factor = 1.0 / sum;
        row.iter_mut().for_each(|p| *p *= factor);
        hidden.fill(0.0);
        *lse = shift + sum.ln();
    }
}

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
    /// `[batch, heads, queries]`, from [`forward`].
    pub log_sum_exp: &'a [f32],
    /// `[batch, heads, queries]`: `Σ dy·y`.
    pub delta: &'a [f32],
}

/// Gradients of [`forward`], head by head: with `p = e^(scale·q·k − lse)` and `ds = scale·p·(dy·v − delta)`,
/// `dq = ds·k`, `dk = dsᵀ·q`, `dv = pᵀ·dy`. One task for each key/value head, which serves its query heads in order.
pub fn backward(
    cancel: &Cancel,
    s: &Sizes,
    saved: Saved<'_>,
    dq: &mut [f32],
    (dk, dv): (&mut [f32], &mut [f32]),
) -> Result<()> {
    if s.queries == 0 {
        dk.fill(0.0);
        dv.fill(0.0);
        return cancel.check();
    }
    let group = s.heads / s.kv_heads;
    let (q_size, kv_size) = (s.queries * s.width, s.keys * s.width);
    let heads = dq.par_chunks_mut(group * q_size).zip(dk.par_chunks_mut(kv_size)).zip(dv.par_chunks_mut(kv_size));
    pool::run(|| {
        heads.enumerate().try_for_each(|(n, ((dq, dk), dv))| {
            let (batch, kv) = (n / s.kv_heads, n % s.kv_heads);
            dk.fill(0.0);
            dv.fill(0.0);
            let mut scratch = [vec![0.0; s.block_elements()], vec![0.0; s.block_elements()]];
            for (i, dq) in dq.chunks_exact_mut(q_size).enumerate() {
                let head = Head { s, saved, batch, head: kv * group + i, kv };
                head.backward(cancel, &mut scratch, dq, (dk, dv))?;
            }
            Ok(())
        })
    })
}

/// One query head of one sequence.
struct Head<'a> {
    s: &'a Sizes,
    saved: Saved<'a>,
    batch: usize,
    head: usize,
    kv: usize,
}

impl Head<'_> {
    fn backward(
        &self,
        cancel: &Cancel,
        [p, ds]: &mut [Vec<f32>; 2],
        dq: &mut [f32],
        (dk, dv): (&mut [f32], &mut [f32]),
    ) -> Result<()> {
        let (s, saved, width) = (self.s, &self.saved, self.s.width);
        let (keys, values) = (s.key_rows(saved.k, self.batch, self.kv), s.key_rows(saved.v, self.batch, self.kv));
        let rows = (self.batch * s.heads + self.head) * s.queries;
        for (first, count, seen) in s.blocks() {
            cancel.check()?;
            let (p, ds) = (&mut p[..count * seen], &mut ds[..count * seen]);
            let queries = s.query_rows(saved.q, self.batch, self.head, first);
            let dy = s.query_rows(saved.dy, self.batch, self.head, first);
            gemm::matmul(count, seen, width, queries, transposed(keys), s.scale, p, false, cancel)?;
            gemm::matmul(count, seen, width, dy, transposed(values), 1.0, ds, false, cancel)?;
            let at = rows + first..rows + first + count;
            let (lse, delta) = (&saved.log_sum_exp[at.clone()], &saved.delta[at]);
            fearless_simd::dispatch!(simd::level(), _simd => gradient_block(s, first, (lse, delta), p, ds));
            let (p, ds) = (block(p, seen), block(ds, seen));
            let dq = &mut dq[first * width..][..count * width];
            gemm::matmul(count, width, seen, ds, keys, 1.0, dq, false, cancel)?;
            let (dk, dv) = (&mut dk[..seen * width], &mut dv[..seen * width]);
            gemm::matmul(seen, width, count, transposed(ds), queries, 1.0, dk, true, cancel)?;
            gemm::matmul(seen, width, count, transposed(p), dy, 1.0, dv, true, cancel)?;
        }
        Ok(())
    }
}

/// Scores in `p` → probabilities; `dy·v` in `ds` → `scale·p·(dy·v − delta)`; 0 for what a query does not see.
#[inline(always)]
fn gradient_block(s: &Sizes, first: usize, (lse, delta): (&[f32], &[f32]), p: &mut [f32], ds: &mut [f32]) {
    let width = p.len() / lse.len();
    let rows = p.chunks_exact_mut(width).zip(ds.chunks_exact_mut(width));
    for (i, ((p, ds), (&lse, &delta))) in rows.zip(lse.iter().zip(delta)).enumerate() {
        let (p, p_hidden) = p.split_at_mut(s.seen(first + i));
        let (ds, ds_hidden) = ds.split_at_mut(p.len());
        for (p, ds) in p.iter_mut().zip(ds) {
            *p = exp(*p - lse);
            *ds = s.scale * *p * (*ds - delta);
        }
        p_hidden.fill(0.0);
        ds_hidden.fill(0.0);
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
            for (i, delta) in delta.iter_mut().enumerate() {
                let at = ((batch * s.queries + i) * s.heads + head) * s.width;
                *delta = dot(&dy[at..][..s.width], &y[at..][..s.width]);
            }
        },
    )
}
