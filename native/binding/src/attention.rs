//! Attention.

use napi_derive::napi;
use nibble_engine::ops::attention;
use nibble_engine::{Engine, Precision};

use crate::convert::count;
use crate::error::{OrThrow, Result};
use crate::tensor::Handle;

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
    /// Whether a query sees no key behind its own position. Default: true.
    pub causal: Option<bool>,
    /// A query sees keys nearer than this many positions (before it too, unless causal). Default: all.
    pub window: Option<f64>,
    /// Scores become `softCap·tanh(score / softCap)`. Default: as they are.
    pub soft_cap: Option<f64>,
    /// u8 `[batch, keys]`: 0 for keys that nobody sees.
    pub key_mask: Option<Handle>,
    /// i32 `[batch]`: keys of each sequence, where they are padded at the end.
    pub lengths: Option<Handle>,
    /// `[heads]`: scores get `slope·(key − position)` (ALiBi).
    pub slopes: Option<Handle>,
    /// What queries, keys, values and probabilities are rounded to before they are multiplied. Default: "f32".
    #[napi(ts_type = "Precision")]
    pub precision: Option<String>,
}

impl AttentionOptions {
    fn convert(self, op: &'static str) -> Result<attention::AttentionOptions> {
        Ok(attention::AttentionOptions {
            batch: count(op, "batch", self.batch).or_throw()?,
            heads: count(op, "heads", self.heads).or_throw()?,
            kv_heads: count(op, "kvHeads", self.kv_heads).or_throw()?,
            scale: self.scale,
            causal: self.causal.unwrap_or(true),
            window: self.window.map(|window| count(op, "window", window)).transpose().or_throw()?,
            soft_cap: self.soft_cap,
            key_mask: self.key_mask,
            lengths: self.lengths,
            slopes: self.slopes,
            precision: Precision::parse(op, self.precision.as_deref()).or_throw()?,
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

/// Attention, block by block: `q[batch·queries, heads·d]`, `k` and `v[batch·keys, kvHeads·d]`; query `i` stands at position
/// `keys − queries + i`. A query that sees no key gets 0.
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
