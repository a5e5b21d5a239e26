//! Element by element; dense matrix multiply.

use napi_derive::napi;
use nibble_engine::ops::{elementwise as ops, matmul as dense};
use nibble_engine::{Engine, Precision};

use crate::error::{OrThrow, Result};
use crate::tensor::Handle;

/// `a + b`, of one shape or with a vector `b[n]` for every row of `a[.., n]`.
#[napi(catch_unwind)]
pub fn add(a: Handle, b: Handle) -> Result<Handle> {
    ops::add(Engine::process(), a, b).or_throw()
}

/// `a − b`, as `add`.
#[napi(catch_unwind)]
pub fn subtract(a: Handle, b: Handle) -> Result<Handle> {
    ops::subtract(Engine::process(), a, b).or_throw()
}

/// `a · b` element by element, as `add`.
#[napi(catch_unwind)]
pub fn multiply(a: Handle, b: Handle) -> Result<Handle> {
    ops::multiply(Engine::process(), a, b).or_throw()
}

/// `a / b` element by element, as `add`.
#[napi(catch_unwind)]
pub fn divide(a: Handle, b: Handle) -> Result<Handle> {
    ops::divide(Engine::process(), a, b).or_throw()
}

/// `factor · x`.
#[napi(catch_unwind)]
pub fn scale(x: Handle, factor: f64) -> Result<Handle> {
    ops::scale(Engine::process(), x, factor).or_throw()
}

/// `x + value`.
#[napi(catch_unwind)]
pub fn add_scalar(x: Handle, value: f64) -> Result<Handle> {
    ops::add_scalar(Engine::process(), x, value).or_throw()
}

/// `e^x`.
#[napi(catch_unwind)]
pub fn exp(x: Handle) -> Result<Handle> {
    ops::exp(Engine::process(), x).or_throw()
}

/// `ln x`.
#[napi(catch_unwind)]
pub fn log(x: Handle) -> Result<Handle> {
    ops::log(Engine::process(), x).or_throw()
}

/// `√x`.
#[napi(catch_unwind)]
pub fn sqrt(x: Handle) -> Result<Handle> {
    ops::sqrt(Engine::process(), x).or_throw()
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
    /// `[n]`, added to each row after that.
    pub bias: Option<Handle>,
    /// `[m, n]`, added last.
    pub residual: Option<Handle>,
    /// What operands are rounded to. Default: "f32".
    #[napi(ts_type = "Precision")]
    pub precision: Option<String>,
}

/// `alpha·op(A)·op(B)`, plus C when `into` is given (in place, and returned). Leading dimensions are folded into rows.
#[napi(catch_unwind)]
pub fn matmul(a: Handle, b: Handle, options: Option<MatmulOptions>) -> Result<Handle> {
    dense::matmul(Engine::process(), a, b, convert(options)?).or_throw()
}

/// Options of `batchedMatmul`.
#[napi(object)]
#[derive(Default)]
pub struct BatchedMatmulOptions {
    /// Take the transpose of each of A's matrices. Default: false.
    pub transpose_a: Option<bool>,
    /// Take the transpose of each of B's matrices. Default: false.
    pub transpose_b: Option<bool>,
    /// Default: 1.
    pub alpha: Option<f64>,
    /// What operands are rounded to. Default: "f32".
    #[napi(ts_type = "Precision")]
    pub precision: Option<String>,
}

/// `alpha·op(A[i])·op(B[i])` for each i: A `[batch, m, k]`, B `[batch, k, n]` → `[batch, m, n]`.
#[napi(catch_unwind)]
pub fn batched_matmul(a: Handle, b: Handle, options: Option<BatchedMatmulOptions>) -> Result<Handle> {
    let given = options.unwrap_or_default();
    let options = dense::BatchedOptions {
        transpose_a: given.transpose_a.unwrap_or(false),
        transpose_b: given.transpose_b.unwrap_or(false),
        alpha: given.alpha.unwrap_or(1.0),
        precision: Precision::parse("batchedMatmul", given.precision.as_deref()).or_throw()?,
    };
    dense::batched_matmul(Engine::process(), a, b, options).or_throw()
}

pub(crate) fn convert(options: Option<MatmulOptions>) -> Result<dense::MatmulOptions> {
    let mut all = dense::MatmulOptions::default();
    if let Some(given) = options {
        all.transpose_a = given.transpose_a.unwrap_or(false);
        all.transpose_b = given.transpose_b.unwrap_or(false);
        all.alpha = given.alpha.unwrap_or(1.0);
        all.into = given.into;
        all.bias = given.bias;
        all.residual = given.residual;
        all.precision = Precision::parse("matmul", given.precision.as_deref()).or_throw()?;
    }
    Ok(all)
}
