//! Random tensors for initial weights, f32; the same for the same seed, whatever the machine and its threads.

use napi_derive::napi;
use nibble_engine::Engine;
use nibble_engine::ops::random as ops;

use crate::convert::{label, shape};
use crate::error::{OrThrow, Result};
use crate::tensor::Handle;

/// Even over `[low, high)`.
#[napi(catch_unwind)]
pub fn tensor_random_uniform(
    shape: Vec<f64>,
    low: f64,
    high: f64,
    seed: f64,
    #[napi(ts_arg_type = "Category")] category: String,
    owner: String,
) -> Result<Handle> {
    const OP: &str = "tensorRandomUniform";
    let shape = self::shape(OP, &shape).or_throw()?;
    let label = label(OP, &category, &owner).or_throw()?;
    ops::tensor_random_uniform(Engine::process(), &shape, [low, high], seed, label).or_throw()
}

/// Normal with mean 0, drawn again while it is more than `cut` standard deviations from it.
#[napi(catch_unwind)]
pub fn tensor_random_truncated_normal(
    shape: Vec<f64>,
    std: f64,
    cut: f64,
    seed: f64,
    #[napi(ts_arg_type = "Category")] category: String,
    owner: String,
) -> Result<Handle> {
    const OP: &str = "tensorRandomTruncatedNormal";
    let shape = self::shape(OP, &shape).or_throw()?;
    let label = label(OP, &category, &owner).or_throw()?;
    ops::tensor_random_truncated_normal(Engine::process(), &shape, std, cut, seed, label).or_throw()
}

/// `[rows, columns]` with orthonormal rows or columns, whichever are fewer, times `gain`.
#[napi(catch_unwind)]
pub fn tensor_random_orthogonal(
    shape: Vec<f64>,
    gain: f64,
    seed: f64,
    #[napi(ts_arg_type = "Category")] category: String,
    owner: String,
) -> Result<Handle> {
    const OP: &str = "tensorRandomOrthogonal";
    let shape = self::shape(OP, &shape).or_throw()?;
    let label = label(OP, &category, &owner).or_throw()?;
    ops::tensor_random_orthogonal(Engine::process(), &shape, gain, seed, label).or_throw()
}
