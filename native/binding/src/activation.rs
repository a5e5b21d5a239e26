//! Activation functions, softmax, dropout.

use napi_derive::napi;
use nibble_engine::ops::{activation as ops, dropout as drops, softmax as rows};
use nibble_engine::{Engine, Error};

use crate::error::{OrThrow, Result};
use crate::tensor::Handle;

/// `f(x[.., n] + bias[n])` for f = relu, silu, gelu (by the error function) or geluTanh (its approximation).
#[napi(catch_unwind)]
pub fn activation_forward(
    x: Handle,
    bias: Option<Handle>,
    #[napi(ts_arg_type = "Activation")] kind: String,
) -> Result<Handle> {
    let kind = ops::parse("activationForward", &kind).or_throw()?;
    ops::activation_forward(Engine::process(), x, bias, kind).or_throw()
}

/// Gradient of `activationForward` by `x`; that by `bias` is its sum over rows.
#[napi(catch_unwind)]
pub fn activation_backward(
    dy: Handle,
    x: Handle,
    bias: Option<Handle>,
    #[napi(ts_arg_type = "Activation")] kind: String,
) -> Result<Handle> {
    let kind = ops::parse("activationBackward", &kind).or_throw()?;
    ops::activation_backward(Engine::process(), dy, x, bias, kind).or_throw()
}

/// `f(gate) · up`: with silu this is SwiGLU, with gelu GEGLU (Shazeer 2020).
#[napi(catch_unwind)]
pub fn gated_activation_forward(
    gate: Handle,
    up: Handle,
    #[napi(ts_arg_type = "Activation")] kind: String,
) -> Result<Handle> {
    let kind = ops::parse("gatedActivationForward", &kind).or_throw()?;
    ops::gated_forward(Engine::process(), gate, up, kind).or_throw()
}

/// Gradients of `gatedActivationForward`.
#[napi(object)]
pub struct GatedActivationGradients {
    /// Of `gate`.
    pub gate: Handle,
    /// Of `up`.
    pub up: Handle,
}

/// Gradients of `gatedActivationForward`.
#[napi(catch_unwind)]
pub fn gated_activation_backward(
    dy: Handle,
    gate: Handle,
    up: Handle,
    #[napi(ts_arg_type = "Activation")] kind: String,
) -> Result<GatedActivationGradients> {
    let kind = ops::parse("gatedActivationBackward", &kind).or_throw()?;
    let (gate, up) = ops::gated_backward(Engine::process(), dy, gate, up, kind).or_throw()?;
    Ok(GatedActivationGradients { gate, up })
}

/// Softmax over the last dimension.
#[napi(catch_unwind)]
pub fn softmax(x: Handle) -> Result<Handle> {
    rows::softmax_forward(Engine::process(), x).or_throw()
}

/// Gradient of `softmax` from its result.
#[napi(catch_unwind)]
pub fn softmax_backward(dy: Handle, y: Handle) -> Result<Handle> {
    rows::softmax_backward(Engine::process(), dy, y).or_throw()
}

/// Logarithm of the softmax over the last dimension.
#[napi(catch_unwind)]
pub fn log_softmax(x: Handle) -> Result<Handle> {
    rows::log_softmax_forward(Engine::process(), x).or_throw()
}

/// Gradient of `logSoftmax` from its result.
#[napi(catch_unwind)]
pub fn log_softmax_backward(dy: Handle, y: Handle) -> Result<Handle> {
    rows::log_softmax_backward(Engine::process(), dy, y).or_throw()
}

/// `x` with elements dropped with probability `p`, the others divided by `1 − p`. (seed, offset) name the random stream
/// (Philox 4×32-10): applied with the same to the output's gradient, it is the gradient.
#[napi(catch_unwind)]
pub fn dropout(x: Handle, p: f64, seed: f64, offset: f64) -> Result<Handle> {
    let stream = (word("seed", seed).or_throw()?, word("offset", offset).or_throw()?);
    drops::dropout(Engine::process(), x, p, stream).or_throw()
}

/// A safe integer as 64 bits.
fn word(name: &'static str, value: f64) -> nibble_engine::Result<u64> {
    if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_991.0 {
        Ok(value as i64 as u64)
    } else {
        Err(Error::option("dropout", name, value, "a safe integer"))
    }
}
