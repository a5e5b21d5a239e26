//! Root-mean-square normalization.

use crate::cpu::{elementwise, norm as cpu};
use crate::dtype::DType;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// `x[.., n]` · `weight[n]` → `y[.., n]`, `rstd[rows]`
pub fn rms_norm_forward(e: &Engine, x: Handle, weight: Handle, epsilon: f64) -> Result<(Handle, Handle)> {
    const OP: &str = "rmsNormForward";
    let (x, weight) = (e.tensor(OP, "x", x)?, e.tensor(OP, "weight", weight)?);
    let rows = check(OP, &x, &weight)?;
    if !(epsilon.is_finite() && epsilon >= 0.0) {
        return Err(Error::option(OP, "epsilon", epsilon, "a finite number that is not negative"));
    }
    let (mut y, mut rstd) = (e.output(OP, &x.shape)?, e.output(OP, &[rows])?);
    let (x, weight) = (x.read(OP, "x")?, weight.read(OP, "weight")?);
    cpu::rms_norm_forward(&e.cancel(OP), &x, &weight, epsilon as f32, y.f32(), rstd.f32())?;
    Ok((y.keep(e)?, rstd.keep(e)?))
}

/// Gradients of [`rms_norm_forward`]: of `x`, and of `weight` when wanted.
pub fn rms_norm_backward(
    e: &Engine,
    dy: Handle,
    x: Handle,
    weight: Handle,
    rstd: Handle,
    want_weight: bool,
) -> Result<(Handle, Option<Handle>)> {
    const OP: &str = "rmsNormBackward";
    let (dy, x) = (e.tensor(OP, "dy", dy)?, e.tensor(OP, "x", x)?);
    let (weight, rstd) = (e.tensor(OP, "weight", weight)?, e.tensor(OP, "rstd", rstd)?);
    let rows = check(OP, &x, &weight)?;
    dy.expect(OP, "dy", DType::F32)?;
    dy.expect_shape(OP, "dy", &x.shape)?;
    rstd.expect(OP, "rstd", DType::F32)?;
    rstd.expect_shape(OP, "rstd", &[rows])?;
    let cancel = e.cancel(OP);
    let n = weight.elements();
    let mut dx = e.gradient(OP, &x.shape)?;
    let (dy, x) = (dy.read::<f32>(OP, "dy")?, x.read::<f32>(OP, "x")?);
    let (weight, rstd) = (weight.read::<f32>(OP, "weight")?, rstd.read::<f32>(OP, "rstd")?);
    cpu::rms_norm_backward_input(&cancel, (&dy, &x, &weight, &rstd), dx.f32())?;
    let dweight = if want_weight {
        let mut dweight = e.gradient(OP, &[n])?;
        let mut partial = e.workspace(OP, rows.div_ceil(cpu::ROWS) * n)?;
        cpu::rms_norm_backward_weight(&cancel, (&dy, &x, &rstd), n, partial.f32())?;
        elementwise::add_up_rows(partial.f32(), dweight.f32());
        Some(dweight)
    } else {
        None
    };
    let dx = dx.keep(e)?;
    Ok((dx, dweight.map(|dweight| dweight.keep(e)).transpose()?))
}

fn check(op: &'static str, x: &Tensor, weight: &Tensor) -> Result<usize> {
    x.expect(op, "x", DType::F32)?;
    weight.expect(op, "weight", DType::F32)?;
    let (rows, n) = x.rows();
    if x.shape.is_empty() || n == 0 {
        return Err(Error::shape(op, "x", &x.shape, "[.., n] with n > 0"));
    }
    weight.expect_shape(op, "weight", &[n])?;
    Ok(rows)
}
