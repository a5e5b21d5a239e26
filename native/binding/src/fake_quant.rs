//! Weights rounded to an integer grid in floating point.

use napi_derive::napi;
use nibble_engine::Engine;
use nibble_engine::ops::fake_quant as ops;

use crate::convert::count;
use crate::error::{OrThrow, Result};
use crate::tensor::Handle;

fn convert(op: &'static str, bits: f64, group: f64) -> Result<ops::GridOptions> {
    Ok(ops::GridOptions { bits: count(op, "bits", bits).or_throw()?, group: count(op, "group", group).or_throw()? })
}

/// `s·(clamp(round(w/s) + z, 0, 2^bits − 1) − z)`: `w[rows, columns]`, `scales` and `zeroPoints[rows, groups]`, `group`
/// columns a group (0: the row). Zero points are rounded first.
#[napi(catch_unwind)]
pub fn fake_quant_forward(w: Handle, scales: Handle, zero_points: Handle, bits: f64, group: f64) -> Result<Handle> {
    let options = convert("fakeQuantForward", bits, group)?;
    ops::fake_quant_forward(Engine::process(), [w, scales, zero_points], options).or_throw()
}

/// What `fakeQuantBackward` returns.
#[napi(object)]
pub struct FakeQuantGradients {
    /// `[rows, columns]`: `dy` inside the grid, 0 outside.
    pub w: Handle,
    /// `[rows, groups]`: `round(w/s) − w/s` inside, `q − z` outside.
    pub scales: Handle,
    /// `[rows, groups]`: 0 inside, `−s` outside.
    pub zero_points: Handle,
}

/// Straight-through gradients of `fakeQuantForward` for `dy[rows, columns]`.
#[napi(catch_unwind)]
pub fn fake_quant_backward(
    dy: Handle,
    w: Handle,
    scales: Handle,
    zero_points: Handle,
    bits: f64,
    group: f64,
) -> Result<FakeQuantGradients> {
    let options = convert("fakeQuantBackward", bits, group)?;
    let made = ops::fake_quant_backward(Engine::process(), dy, [w, scales, zero_points], options).or_throw()?;
    Ok(FakeQuantGradients { w: made.w, scales: made.scales, zero_points: made.zero_points })
}

/// The packed codes `clamp(round(w/s) + z, 0, 2^bits − 1)` on given grids, "weights".
#[napi(catch_unwind)]
pub fn codes_on_grid(w: Handle, scales: Handle, zero_points: Handle, bits: f64, group: f64) -> Result<Handle> {
    let options = convert("codesOnGrid", bits, group)?;
    ops::codes_on_grid(Engine::process(), [w, scales, zero_points], options).or_throw()
}
