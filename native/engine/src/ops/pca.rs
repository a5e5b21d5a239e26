//! Principal components.

use crate::cpu::gemm::{self, MatRef};
use crate::dtype::DType;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};

/// What [`pca_fit`] returns.
#[derive(Debug, Clone, Copy)]
pub struct PcaResult {
    /// `[d]`
    pub mean: Handle,
    /// `[k, d]`, by falling variance; of each the entry of largest size is positive.
    pub components: Handle,
    /// `[k]`
    pub variances: Handle,
    /// Of all `d` directions together.
    pub total_variance: f64,
}

/// `x[n, d]` → mean, the `k` directions of largest variance, their variances; in double precision.
pub fn pca_fit(e: &Engine, x: Handle, k: usize) -> Result<PcaResult> {
    const OP: &str = "pcaFit";
    let x = e.tensor(OP, "x", x)?;
    x.expect(OP, "x", DType::F32)?;
    let [n, d] = x.dims(OP, "x", ["n", "d"])?;
    if n < 2 || d == 0 {
        return Err(Error::shape(OP, "x", &x.shape, "[n, d] with n ≥ 2 and d ≥ 1"));
    }
    if k == 0 || k > n.min(d) {
        return Err(Error::option(OP, "k", k, format!("1 … {}", n.min(d))));
    }
    let x = x.read::<f32>(OP, "x")?;
    if let Some(at) = x.iter().position(|x| !x.is_finite()) {
        let what = format!("x holds {} at row {}, column {}", x[at], at / d, at % d);
        return Err(Error::Numerics { op: OP, what, advice: "Every element must be finite".into() });
    }
    let gram = n.min(d);
    let bytes = (n * d + 3 * gram * gram) * size_of::<f64>();
    let _charge = e.charge(OP, crate::Device::Cpu, crate::Category::Workspace, OP, bytes)?;
    e.cancel(OP).check()?;
    let pca = nibble_linalg::pca(&x, n, d, k).map_err(|what| Error::Numerics {
        op: OP,
        what,
        advice: "Look at the rows of x".into(),
    })?;
    let store = |shape: &[usize], values: &[f64]| {
        let mut out = e.output(OP, shape)?;
        for (out, &value) in out.f32().iter_mut().zip(values) {
            *out = value as f32;
        }
        Ok(out)
    };
    let (mean, components) = (store(&[d], &pca.mean)?, store(&[k, d], &pca.components)?);
    let variances = store(&[k], &pca.variances)?;
    Ok(PcaResult {
        mean: mean.keep(e)?,
        components: components.keep(e)?,
        variances: variances.keep(e)?,
        total_variance: pca.total_variance,
    })
}

/// `(x[n, d] − mean[d]) · components[k, d]ᵀ` → `[n, k]`
pub fn pca_project(e: &Engine, x: Handle, mean: Handle, components: Handle) -> Result<Handle> {
    const OP: &str = "pcaProject";
    let (x, mean) = (e.tensor(OP, "x", x)?, e.tensor(OP, "mean", mean)?);
    let components = e.tensor(OP, "components", components)?;
    for (name, t) in [("x", &x), ("mean", &mean), ("components", &components)] {
        t.expect(OP, name, DType::F32)?;
    }
    let [n, d] = x.dims(OP, "x", ["n", "d"])?;
    mean.expect_shape(OP, "mean", &[d])?;
    let [k, columns] = components.dims(OP, "components", ["k", "d"])?;
    if columns != d {
        return Err(Error::shape(OP, "components", &components.shape, format!("[k, {d}]")));
    }
    let mut y = e.output(OP, &[n, k])?;
    let mut centred = e.workspace(OP, n * d)?;
    let mean = mean.read::<f32>(OP, "mean")?;
    let x = x.read::<f32>(OP, "x")?;
    for (out, x) in centred.f32().chunks_exact_mut(d.max(1)).zip(x.chunks_exact(d.max(1))) {
        for ((out, &x), &mean) in out.iter_mut().zip(x).zip(mean.iter()) {
            *out = x - mean;
        }
    }
    let left = MatRef { data: centred.f32(), transposed: false, stride: d };
    let right = MatRef { data: &components.read(OP, "components")?, transposed: true, stride: d };
    gemm::matmul(n, k, d, left, right, 1.0, y.f32(), false, &e.cancel(OP))?;
    y.keep(e)
}
