//! The loss.

use napi_derive::napi;
use nibble_engine::ops::cross_entropy;
use nibble_engine::{Engine, Error, Precision};

use crate::error::{OrThrow, Result};
use crate::tensor::Handle;

/// Options of `linearCrossEntropy`.
#[napi(object)]
pub struct CrossEntropyOptions {
    /// Targets of this value are not counted. Default: −100.
    pub ignore_index: Option<f64>,
    /// Also the gradient of `x`. Default: false.
    pub want_input: Option<bool>,
    /// Also the gradient of `weight`. Default: false.
    pub want_weight: Option<bool>,
    /// Also each token's loss. Default: false.
    pub want_token_losses: Option<bool>,
    /// The gradients are of this times the loss. Default: 1.
    pub gradient_scale: Option<f64>,
    /// What operands are rounded to. Default: "f32".
    #[napi(ts_type = "Precision")]
    pub precision: Option<String>,
    /// ε: the target counts 1 − ε, all words together ε. Default: 0.
    pub label_smoothing: Option<f64>,
}

/// What `linearCrossEntropy` returns.
#[napi(object)]
pub struct CrossEntropyResult {
    /// The sum over counted tokens (not the mean).
    pub loss: f64,
    /// Number of counted tokens.
    pub tokens: f64,
    /// Each token's loss; 0 where not counted.
    pub token_losses: Option<Handle>,
    /// Gradient of `x`.
    pub input: Option<Handle>,
    /// Gradient of `weight`.
    pub weight: Option<Handle>,
}

/// Softmax cross-entropy of `x·weightᵀ`, with its gradients, in chunks of tokens: the logits never exist whole.
/// `x[.., d]`, `weight[vocabulary, d]`, `targets` i32 `[tokens]`.
#[napi(catch_unwind)]
pub fn linear_cross_entropy(
    x: Handle,
    weight: Handle,
    targets: Handle,
    options: Option<CrossEntropyOptions>,
) -> Result<CrossEntropyResult> {
    let mut all = cross_entropy::CrossEntropyOptions::default();
    if let Some(given) = options {
        if let Some(index) = given.ignore_index {
            all.ignore_index = ignore_index(index).or_throw()?;
        }
        all.want_input = given.want_input.unwrap_or(false);
        all.want_weight = given.want_weight.unwrap_or(false);
        all.want_token_losses = given.want_token_losses.unwrap_or(false);
        all.gradient_scale = given.gradient_scale.unwrap_or(1.0);
        all.precision = Precision::parse("linearCrossEntropy", given.precision.as_deref()).or_throw()?;
        all.label_smoothing = given.label_smoothing.unwrap_or(0.0);
    }
    let result = cross_entropy::linear_cross_entropy(Engine::process(), x, weight, targets, all).or_throw()?;
    Ok(CrossEntropyResult {
        loss: result.loss,
        tokens: result.tokens as f64,
        token_losses: result.token_losses,
        input: result.input,
        weight: result.weight,
    })
}

fn ignore_index(value: f64) -> nibble_engine::Result<i32> {
    let index = value as i32;
    if f64::from(index) == value {
        Ok(index)
    } else {
        Err(Error::option("linearCrossEntropy", "ignoreIndex", value, "a 32-bit whole number"))
    }
}
