//! Sums, means, largest elements, norms.

use napi_derive::napi;
use nibble_engine::Engine;
use nibble_engine::ops::reduce as ops;

use crate::convert::count;
use crate::error::{OrThrow, Result};
use crate::tensor::Handle;

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

/// Sum, mean, largest or 2-norm of all elements (→ `[1]`), of each column (over rows: `[.., n]` → `[n]`) or of each row (over
/// columns: `[.., n]` → `[..]`); accumulated in double precision.
#[napi(catch_unwind)]
pub fn reduce_forward(
    x: Handle,
    #[napi(ts_arg_type = "Reduction")] kind: String,
    #[napi(ts_arg_type = "Over")] over: String,
) -> Result<Handle> {
    const OP: &str = "reduceForward";
    let (kind, over) = (ops::parse_kind(OP, &kind).or_throw()?, ops::parse_over(OP, &over).or_throw()?);
    ops::reduce_forward(Engine::process(), x, kind, over).or_throw()
}

/// Gradient of `reduceForward`, from its result; a largest element's is shared by those that equal it.
#[napi(catch_unwind)]
pub fn reduce_backward(
    x: Handle,
    dy: Handle,
    y: Handle,
    #[napi(ts_arg_type = "Reduction")] kind: String,
    #[napi(ts_arg_type = "Over")] over: String,
) -> Result<Handle> {
    const OP: &str = "reduceBackward";
    let (kind, over) = (ops::parse_kind(OP, &kind).or_throw()?, ops::parse_over(OP, &over).or_throw()?);
    ops::reduce_backward(Engine::process(), x, dy, y, kind, over).or_throw()
}

/// Place of the first largest element, i32: of all (`[1]`), of each column (`[n]`) or of each row (`[..]`).
#[napi(catch_unwind)]
pub fn argmax(x: Handle, #[napi(ts_arg_type = "Over")] over: String) -> Result<Handle> {
    let over = ops::parse_over("argmax", &over).or_throw()?;
    ops::argmax(Engine::process(), x, over).or_throw()
}

/// What `topK` returns.
#[napi(object)]
pub struct TopKResult {
    /// The `k` largest of each row, falling: `[.., k]`.
    pub values: Handle,
    /// Their places, i32 `[.., k]`.
    pub indices: Handle,
}

/// The `k` largest of each row of `x[.., n]`; of equal ones the first come first.
#[napi(catch_unwind)]
pub fn top_k(x: Handle, k: f64) -> Result<TopKResult> {
    let k = count("topK", "k", k).or_throw()?;
    let (values, indices) = ops::top_k(Engine::process(), x, k).or_throw()?;
    Ok(TopKResult { values, indices })
}
