//! Causal attention with grouped heads, block by block: scores exist for a few queries at a time only.

use crate::cancel::Cancel;
use crate::cpu::norm::dot;
use crate::cpu::pool;
use crate::error::Result;

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
}

/// `x[batch·length, heads·width]` → `y[batch, heads, length, width]`: each head's rows side by side.
pub fn split_heads(cancel: &Cancel, x: &[f32], length: usize, heads: usize, width: usize, y: &mut [f32]) -> Result<()> {
    pool::blocks(cancel, y, width, length.max(1), |first, y| {
        let (batch, head) = (first / length / heads, first / length % heads);
        for (i, y) in y.chunks_exact_mut(width).enumerate() {
            y.copy_from_slice(&x[((batch * length + i) * heads + head) * width..][..width]);
        }
    })
}

/// The inverse of [`split_heads`].
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

/// `y = softmax(scale·q·kᵀ)·v` and the logarithm of each softmax's denominator; everything split by heads.
pub fn forward(
    cancel: &Cancel,
    s: &Sizes,
    (q, k, v): (&[f32], &[f32], &[f32]),
    y: &mut [f32],
    log_sum_exp: &mut [f32],
) -> Result<()> {
    let (q_size, kv_size) = (s.queries * s.width, s.keys * s.width);
    pool::blocks2(cancel, (y, s.width), (log_sum_exp, 1), s.queries.max(1), |first, y, lse| {
        let head = first / s.queries.max(1);
        let kv = head / s.heads * s.kv_heads + head % s.heads / (s.heads / s.kv_heads);
        forward_head(s, &q[head * q_size..][..q_size], &k[kv * kv_size..][..kv_size], &v[kv * kv_size..][..kv_size], y, lse);
    })
}

fn forward_head(s: &Sizes, q: &[f32], k: &[f32], v: &[f32], y: &mut [f32], lse: &mut [f32]) {
    let mut scores = vec![0.0f32; s.keys];
    for (i, ((y, lse), q)) in y.chunks_exact_mut(s.width).zip(lse).zip(q.chunks_exact(s.width)).enumerate() {
        let scores = &mut scores[..s.seen(i)];
        let mut largest = f32::NEG_INFINITY;
        for (score, k) in scores.iter_mut().zip(k.chunks_exact(s.width)) {
            *score = dot(q, k) * s.scale;
            largest = largest.max(*score);
        }
        let mut sum = 0.0;
        y.fill(0.0);
        for (score, v) in scores.iter().zip(v.chunks_exact(s.width)) {
            let p = (score - largest).exp();
            sum += p;
            add_scaled(y, p, v);
        }
        y.iter_mut().for_each(|y| *y /= sum);
        *lse = largest + sum.ln();
    }
}

/// What [`backward`] reads, split by heads; `log_sum_exp` and `delta = Σ dy·y` have one number for each query.
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
    /// From [`forward`].
    pub log_sum_exp: &'a [f32],
    /// `Σ dy·y` of each query and head.
    pub delta: &'a [f32],
}

/// Gradients of [`forward`]: with `p = e^(scale·q·k − lse)` and `ds = scale·p·(dy·v − delta)`,
/// `dq = ds·k`, `dk = dsᵀ·q`, `dv = pᵀ·dy`. One task for each key/value head, which serves its query heads in order.
pub fn backward(
    cancel: &Cancel,
    s: &Sizes,
    saved: Saved<'_>,
    dq: &mut [f32],
    (dk, dv): (&mut [f32], &mut [f32]),
) -> Result<()> {
    let group = s.heads / s.kv_heads;
    let (q_size, kv_size) = (s.queries * s.width, s.keys * s.width);
    let dq = dq.chunks_mut((group * q_size).max(1));
    let dkv = dk.chunks_mut(kv_size.max(1)).zip(dv.chunks_mut(kv_size.max(1)));
    let mut tasks: Vec<_> = dq.zip(dkv).collect();
    pool::blocks(cancel, &mut tasks, 1, 1, |kv, tasks| {
        for (dq, (dk, dv)) in tasks {
            dk.fill(0.0);
            dv.fill(0.0);
            for (n, dq) in dq.chunks_exact_mut(q_size).enumerate() {
                let head = kv * group + n;
                let of_head = Saved {
                    dy: &saved.dy[head * q_size..][..q_size],
                    q: &saved.q[head * q_size..][..q_size],
                    k: &saved.k[kv * kv_size..][..kv_size],
                    v: &saved.v[kv * kv_size..][..kv_size],
                    log_sum_exp: &saved.log_sum_exp[head * s.queries..][..s.queries],
                    delta: &saved.delta[head * s.queries..][..s.queries],
                };
                backward_head(s, of_head, dq, dk, dv);
            }
        }
    })
}

fn backward_head(s: &Sizes, saved: Saved<'_>, dq: &mut [f32], dk: &mut [f32], dv: &mut [f32]) {
    let rows = dq.chunks_exact_mut(s.width).zip(saved.q.chunks_exact(s.width)).zip(saved.dy.chunks_exact(s.width));
    for (i, ((dq, q), dy)) in rows.enumerate() {
        dq.fill(0.0);
        let (lse, delta) = (saved.log_sum_exp[i], saved.delta[i]);
        for j in 0..s.seen(i) {
            let at = j * s.width..(j + 1) * s.width;
            let (k, v) = (&saved.k[at.clone()], &saved.v[at.clone()]);
            let p = (dot(q, k) * s.scale - lse).exp();
            let ds = s.scale * p * (dot(dy, v) - delta);
            add_scaled(dq, ds, k);
            add_scaled(&mut dk[at.clone()], ds, q);
            add_scaled(&mut dv[at], p, dy);
        }
    }
}

fn add_scaled(y: &mut [f32], factor: f32, x: &[f32]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += factor * x;
    }
}
