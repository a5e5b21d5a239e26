//! Element by element, row by row; dense matrix multiply.

use napi_derive::napi;
use nibble_engine::ops::{elementwise as ops, matmul as dense};
use nibble_engine::{Engine, Precision};

use crate::error::{OrThrow, Result};
use crate::tensor::Handle;

/// `a + b`, of one shape. Also on "gpu".
#[napi(catch_unwind)]
pub fn add(a: Handle, b: Handle) -> Result<Handle> {
    ops::add(Engine::process(), a, b).or_throw()
}

/// `a · b` element by element, of one shape.
#[napi(catch_unwind)]
pub fn multiply(a: Handle, b: Handle) -> Result<Handle> {
    ops::multiply(Engine::process(), a, b).or_throw()
}

/// `factor · a`.
#[napi(catch_unwind)]
pub fn scale(a: Handle, factor: f64) -> Result<Handle> {
    ops::scale(Engine::process(), a, factor).or_throw()
}

/// `target += alpha · b`.
#[napi(catch_unwind)]
pub fn add_in_place(target: Handle, b: Handle, alpha: f64) -> Result<()> {
    ops::add_in_place(Engine::process(), target, b, alpha).or_throw()
}

/// `target *= factor`.
#[napi(catch_unwind)]
pub fn scale_in_place(target: Handle, factor: f64) -> Result<()> {
    ops::scale_in_place(Engine::process(), target, factor).or_throw()
}

/// `target = min(max(target, low), high)`.
#[napi(catch_unwind)]
pub fn clamp_in_place(target: Handle, low: f64, high: f64) -> Result<()> {
    ops::clamp_in_place(Engine::process(), target, low, high).or_throw()
}

/// `x[.., n] + bias[n]`.
#[napi(catch_unwind)]
pub fn add_bias(x: Handle, bias: Handle) -> Result<Handle> {
    ops::add_bias(Engine::process(), x, bias).or_throw()
}

/// `[m, n]` → `[n]`.
#[napi(catch_unwind)]
pub fn sum_rows(x: Handle) -> Result<Handle> {
    ops::sum_rows(Engine::process(), x).or_throw()
}

/// The sum of all elements, in double precision and a fixed order.
#[napi(catch_unwind)]
pub fn sum(x: Handle) -> Result<f64> {
    ops::sum(Engine::process(), x).or_throw()
}

/// `silu(gate) · up`.
#[napi(catch_unwind)]
pub fn swiglu_forward(gate: Handle, up: Handle) -> Result<Handle> {
    ops::swiglu_forward(Engine::process(), gate, up).or_throw()
}

/// Gradients of `swigluForward`.
#[napi(object)]
pub struct SwigluGradients {
    /// Of `gate`.
    pub gate: Handle,
    /// Of `up`.
    pub up: Handle,
}

/// Gradients of `swigluForward`.
#[napi(catch_unwind)]
pub fn swiglu_backward(dy: Handle, gate: Handle, up: Handle) -> Result<SwigluGradients> {
    let (gate, up) = ops::swiglu_backward(Engine::process(), dy, gate, up).or_throw()?;
    Ok(SwigluGradients { gate, up })
}

/// Softmax over the last dimension.
#[napi(catch_unwind)]
pub fn softmax(x: Handle) -> Result<Handle> {
    ops::softmax(Engine::process(), x).or_throw()
}

/// Options of `matmul`.
#[napi(object)]
pub struct MatmulOptions {
    /// Take A's transpose. Default: false.
    pub transpose_a: Option<bool>,
    /// Take B's transpose. Default: false.
    pub transpose_b: Option<bool>,
    /// Factor of the product. Default: 1.
    pub alpha: Option<f64>,
    /// Add to this tensor, in place, and return it.
    pub into: Option<Handle>,
    /// What operands are rounded to. Default: "f32".
    #[napi(ts_type = "Precision")]
    pub precision: Option<String>,
}

/// `alpha·op(A)·op(B)`, plus C when `into` is given (in place, and returned). Leading dimensions are folded into rows.
#[napi(catch_unwind)]
pub fn matmul(a: Handle, b: Handle, options: Option<MatmulOptions>) -> Result<Handle> {
    dense::matmul(Engine::process(), a, b, convert(options)?).or_throw()
}

pub(crate) fn convert(options: Option<MatmulOptions>) -> Result<dense::MatmulOptions> {
    let mut all = dense::MatmulOptions::default();
    if let Some(given) = options {
        all.transpose_a = given.transpose_a.unwrap_or(false);
        all.transpose_b = given.transpose_b.unwrap_or(false);
        all.alpha = given.alpha.unwrap_or(1.0);
        all.into = given.into;
        all.precision = Precision::parse("matmul", given.precision.as_deref()).or_throw()?;
    }
    Ok(all)
}
