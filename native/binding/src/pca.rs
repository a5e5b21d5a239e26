//! Principal components.

use napi_derive::napi;
use nibble_engine::Engine;
use nibble_engine::ops::pca as ops;

use crate::convert::count;
use crate::error::{OrThrow, Result};
use crate::tensor::Handle;

/// What `pcaFit` returns.
#[napi(object)]
pub struct PcaResult {
    /// `[d]`.
    pub mean: Handle,
    /// `[k, d]` by falling variance; of each the entry of largest size is positive.
    pub components: Handle,
    /// `[k]`, with divisor n − 1.
    pub variances: Handle,
    /// Of all `d` directions together.
    pub total_variance: f64,
}

/// The `k` directions of largest variance of `x[n, d]`, through the smaller of its two Gram matrices, in double
/// precision.
#[napi(catch_unwind)]
pub fn pca_fit(x: Handle, k: f64) -> Result<PcaResult> {
    let k = count("pcaFit", "k", k).or_throw()?;
    let pca = ops::pca_fit(Engine::process(), x, k).or_throw()?;
    Ok(PcaResult {
        mean: pca.mean,
        components: pca.components,
        variances: pca.variances,
        total_variance: pca.total_variance,
    })
}

/// `(x[n, d] − mean[d]) · components[k, d]ᵀ` → `[n, k]`.
#[napi(catch_unwind)]
pub fn pca_project(x: Handle, mean: Handle, components: Handle) -> Result<Handle> {
    ops::pca_project(Engine::process(), x, mean, components).or_throw()
}
