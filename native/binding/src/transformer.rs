//! The parts of a decoder: embedding, normalization, rotary positions, the cache of keys and values.

use napi_derive::napi;
use nibble_engine::ops::rope::Pairs;
use nibble_engine::ops::{cache, embedding, norm, rope as positions};
use nibble_engine::{Engine, Error};

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

/// What `addRmsNormForward` returns.
#[napi(object)]
pub struct AddRmsNormResult {
    /// `x + residual`.
    pub sum: Handle,
    /// Its normalization.
    pub y: Handle,
    /// `1 / √(mean(sum²) + epsilon)` of each row.
    pub rstd: Handle,
}

/// `rmsNormForward` of `x + residual`, in one pass over memory.
#[napi(catch_unwind)]
pub fn add_rms_norm_forward(x: Handle, residual: Handle, weight: Handle, epsilon: f64) -> Result<AddRmsNormResult> {
    let result = norm::add_rms_norm_forward(Engine::process(), x, residual, weight, epsilon).or_throw()?;
    Ok(AddRmsNormResult { sum: result.sum, y: result.y, rstd: result.rstd })
}

/// What `layerNormForward` returns.
#[napi(object)]
pub struct LayerNormResult {
    /// `(x − mean)·rstd·weight + bias`.
    pub y: Handle,
    /// Mean of each row.
    pub mean: Handle,
    /// `1 / √(variance + epsilon)` of each row.
    pub rstd: Handle,
}

/// `x[.., n]` · `weight[n]` · `bias[n]` → `y = (x − mean)·rstd·weight + bias`.
#[napi(catch_unwind)]
pub fn layer_norm_forward(x: Handle, weight: Handle, bias: Option<Handle>, epsilon: f64) -> Result<LayerNormResult> {
    let result = norm::layer_norm_forward(Engine::process(), x, weight, bias, epsilon).or_throw()?;
    Ok(LayerNormResult { y: result.y, mean: result.mean, rstd: result.rstd })
}

/// Gradients of `layerNormForward`.
#[napi(object)]
pub struct LayerNormGradients {
    /// Of `x`.
    pub x: Handle,
    /// Of `weight`, when wanted.
    pub weight: Option<Handle>,
    /// Of `bias`, when wanted.
    pub bias: Option<Handle>,
}

/// Gradients of `layerNormForward`.
#[napi(catch_unwind)]
pub fn layer_norm_backward(
    dy: Handle,
    x: Handle,
    weight: Handle,
    mean: Handle,
    rstd: Handle,
    want_parameters: bool,
) -> Result<LayerNormGradients> {
    let engine = Engine::process();
    let (x, rest) = norm::layer_norm_backward(engine, dy, x, weight, (mean, rstd), want_parameters).or_throw()?;
    Ok(LayerNormGradients { x, weight: rest.map(|(weight, _)| weight), bias: rest.map(|(_, bias)| bias) })
}

/// How rotary frequencies are stretched for longer sequences than a model was trained on, as in Hugging Face's transformers.
#[napi(object)]
pub struct RopeScaling {
    /// Which of the four formulas.
    #[napi(ts_type = "\"linear\" | \"dynamic\" | \"llama3\" | \"yarn\"")]
    pub kind: String,
    /// Stretch.
    pub factor: f64,
    /// Positions that the model was trained on: all but "linear".
    pub original_positions: Option<f64>,
    /// "llama3": wavelengths beyond `originalPositions / lowFrequencyFactor` are stretched. Default: 1.
    pub low_frequency_factor: Option<f64>,
    /// "llama3": wavelengths below `originalPositions / highFrequencyFactor` are kept. Default: 4.
    pub high_frequency_factor: Option<f64>,
    /// "yarn": rotations above which a frequency is kept. Default: 32.
    pub beta_fast: Option<f64>,
    /// "yarn": rotations below which it is stretched. Default: 1.
    pub beta_slow: Option<f64>,
    /// "yarn": whether these bounds are rounded outwards to whole pairs. Default: true.
    pub truncate: Option<bool>,
    /// "yarn": factor of cosines and sines. Default: `0.1·ln(factor) + 1`, and 1 for factors up to 1.
    pub attention_factor: Option<f64>,
}

impl RopeScaling {
    fn convert(&self, op: &'static str) -> nibble_engine::Result<positions::Scaling> {
        let factor = self.factor;
        let original = || {
            let missing = || Error::option(op, "originalPositions", "missing", "the number of positions trained on");
            self.original_positions.ok_or_else(missing)
        };
        match self.kind.as_str() {
            "linear" => Ok(positions::Scaling::Linear { factor }),
            "dynamic" => Ok(positions::Scaling::DynamicNtk { factor, original: original()? }),
            "llama3" => Ok(positions::Scaling::Llama3 {
                factor,
                low: self.low_frequency_factor.unwrap_or(1.0),
                high: self.high_frequency_factor.unwrap_or(4.0),
                original: original()?,
            }),
            "yarn" => Ok(positions::Scaling::Yarn {
                factor,
                original: original()?,
                beta_fast: self.beta_fast.unwrap_or(32.0),
                beta_slow: self.beta_slow.unwrap_or(1.0),
                truncate: self.truncate.unwrap_or(true),
                attention: self.attention_factor.unwrap_or(0.1 * factor.max(1.0).ln() + 1.0),
            }),
            other => {
                let expected = "one of \"linear\", \"dynamic\", \"llama3\", \"yarn\"";
                Err(Error::option(op, "kind", format!("\"{other}\""), expected))
            }
        }
    }
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
    /// Pairs `2i, 2i + 1` (GPT-J) instead of `i, i + rotary/2` (Llama). Default: false.
    pub interleaved: Option<bool>,
    /// Elements of a head that are turned, the first ones. Default: all.
    pub rotary: Option<f64>,
    /// Stretch of the frequencies. Default: none.
    pub scaling: Option<RopeScaling>,
}

/// Rotary positions (Su et al. 2021) on `x[batch·length, heads·headDim]`: positions offset, offset + 1, …
#[napi(catch_unwind)]
pub fn rope(x: Handle, options: RopeOptions) -> Result<Handle> {
    const OP: &str = "rope";
    let options = positions::RopeOptions {
        length: count(OP, "length", options.length).or_throw()?,
        heads: count(OP, "heads", options.heads).or_throw()?,
        theta: options.theta,
        offset: count_or(OP, "offset", options.offset, 0).or_throw()?,
        inverse: options.inverse.unwrap_or(false),
        pairs: if options.interleaved.unwrap_or(false) { Pairs::Interleaved } else { Pairs::HalfSplit },
        rotary: options.rotary.map(|rotary| count(OP, "rotary", rotary)).transpose().or_throw()?,
        scaling: options.scaling.map(|scaling| scaling.convert(OP)).transpose().or_throw()?,
    };
    positions::rope(Engine::process(), x, options).or_throw()
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
