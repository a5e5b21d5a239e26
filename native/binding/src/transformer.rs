//! The parts of a decoder: embedding, normalization, rotary positions, attention, its cache.

use napi_derive::napi;
use nibble_engine::Engine;
use nibble_engine::ops::{attention, cache, embedding, norm, rope as positions};

use crate::convert::{count, count_or};
use crate::error::{OrThrow, Result};
use crate::tensor::Handle;

/// `ids` i32 `[n]` · `weight[vocabulary, d]` → `[n, d]`.
#[napi(catch_unwind)]
pub fn embedding_forward(ids: Handle, weight: Handle) -> Result<Handle> {
    embedding::embedding_forward(Engine::process(), ids, weight).or_throw()
}

/// `into[vocabulary, d] += dy[n, d]` at rows `ids`.
#[napi(catch_unwind)]
pub fn embedding_backward(ids: Handle, dy: Handle, into: Handle) -> Result<()> {
    embedding::embedding_backward(Engine::process(), ids, dy, into).or_throw()
}

/// What `rmsNormForward` returns.
#[napi(object)]
pub struct RmsNormResult {
    /// `x·rstd·weight`.
    pub y: Handle,
    /// `1 / √(mean(x²) + epsilon)` of each row.
    pub rstd: Handle,
}

/// `x[.., n]` · `weight[n]` → `y = x·rstd·weight`.
#[napi(catch_unwind)]
pub fn rms_norm_forward(x: Handle, weight: Handle, epsilon: f64) -> Result<RmsNormResult> {
    let (y, rstd) = norm::rms_norm_forward(Engine::process(), x, weight, epsilon).or_throw()?;
    Ok(RmsNormResult { y, rstd })
}

/// Gradients of `rmsNormForward`.
#[napi(object)]
pub struct RmsNormGradients {
    /// Of `x`.
    pub x: Handle,
    /// Of `weight`, when wanted.
    pub weight: Option<Handle>,
}

/// Gradients of `rmsNormForward`.
#[napi(catch_unwind)]
pub fn rms_norm_backward(
    dy: Handle,
    x: Handle,
    weight: Handle,
    rstd: Handle,
    want_weight: bool,
) -> Result<RmsNormGradients> {
    let (x, weight) = norm::rms_norm_backward(Engine::process(), dy, x, weight, rstd, want_weight).or_throw()?;
    Ok(RmsNormGradients { x, weight })
}

/// Options of `rope`.
#[napi(object)]
pub struct RopeOptions {
    /// Positions of a sequence.
    pub length: f64,
    /// Heads of a row.
    pub heads: f64,
    /// Base of the frequencies.
    pub theta: f64,
    /// Position of a sequence's first row. Default: 0.
    pub offset: Option<f64>,
    /// Rotate back: the gradient. Default: false.
    pub inverse: Option<bool>,
}

/// Rotary positions on `x[batch·length, heads·headDim]`, half-split pairs; positions offset, offset + 1, …
#[napi(catch_unwind)]
pub fn rope(x: Handle, options: RopeOptions) -> Result<Handle> {
    const OP: &str = "rope";
    let options = positions::RopeOptions {
        length: count(OP, "length", options.length).or_throw()?,
        heads: count(OP, "heads", options.heads).or_throw()?,
        theta: options.theta,
        offset: count_or(OP, "offset", options.offset, 0).or_throw()?,
        inverse: options.inverse.unwrap_or(false),
    };
    positions::rope(Engine::process(), x, options).or_throw()
}

/// Options of attention.
#[napi(object)]
pub struct AttentionOptions {
    /// Sequences.
    pub batch: f64,
    /// Heads of the queries.
    pub heads: f64,
    /// Heads of keys and values: each serves `heads / kvHeads` query heads.
    pub kv_heads: f64,
    /// Factor of the scores. Default: `1 / √headDim`.
    pub scale: Option<f64>,
}

impl AttentionOptions {
    fn convert(self, op: &'static str) -> Result<attention::AttentionOptions> {
        Ok(attention::AttentionOptions {
            batch: count(op, "batch", self.batch).or_throw()?,
            heads: count(op, "heads", self.heads).or_throw()?,
            kv_heads: count(op, "kvHeads", self.kv_heads).or_throw()?,
            scale: self.scale,
        })
    }
}

/// What `attentionForward` returns.
#[napi(object)]
pub struct AttentionResult {
    /// `[batch·queries, heads·headDim]`.
    pub y: Handle,
    /// Logarithms of the softmaxes' denominators, `[batch, heads, queries]`: the gradient needs them.
    pub log_sum_exp: Handle,
}

/// Causal attention, block by block: `q[batch·queries, heads·d]`, `k` and `v[batch·keys, kvHeads·d]`; query `i` sees
/// keys up to position `keys − queries + i`.
#[napi(catch_unwind)]
pub fn attention_forward(q: Handle, k: Handle, v: Handle, options: AttentionOptions) -> Result<AttentionResult> {
    let options = options.convert("attentionForward")?;
    let (y, log_sum_exp) = attention::attention_forward(Engine::process(), q, k, v, options).or_throw()?;
    Ok(AttentionResult { y, log_sum_exp })
}

/// Gradients of `attentionForward`.
#[napi(object)]
pub struct AttentionGradients {
    /// Of `q`.
    pub q: Handle,
    /// Of `k`.
    pub k: Handle,
    /// Of `v`.
    pub v: Handle,
}

/// Gradients of `attentionForward`, from its arguments and both of its results.
#[napi(catch_unwind)]
pub fn attention_backward(
    dy: Handle,
    q: Handle,
    k: Handle,
    v: Handle,
    y: Handle,
    log_sum_exp: Handle,
    options: AttentionOptions,
) -> Result<AttentionGradients> {
    let options = options.convert("attentionBackward")?;
    let saved = attention::AttentionSaved { q, k, v, y, log_sum_exp };
    let [q, k, v] = attention::attention_backward(Engine::process(), dy, saved, options).or_throw()?;
    Ok(AttentionGradients { q, k, v })
}

/// Writes `x[batch·n, width]` at rows `position …` of each sequence of `cache[batch, capacity, width]`.
#[napi(catch_unwind)]
pub fn cache_write(cache: Handle, x: Handle, position: f64) -> Result<()> {
    let position = count("cacheWrite", "position", position).or_throw()?;
    cache::cache_write(Engine::process(), cache, x, position).or_throw()
}

/// The first `length` rows of each sequence of `cache[batch, capacity, width]` → `[batch·length, width]`.
#[napi(catch_unwind)]
pub fn cache_read(cache: Handle, length: f64) -> Result<Handle> {
    let length = count("cacheRead", "length", length).or_throw()?;
    cache::cache_read(Engine::process(), cache, length).or_throw()
}
