//! Root-mean-square and layer normalization.

use super::rules;
use crate::cpu::{norm as cpu, reduce};
use crate::engine::{Engine, Fresh, Handle};
use crate::error::{Error, Result};
use crate::gpu::norm as gpu;

/// `x[.., n]` · `weight[n]` → `y[.., n]`, `rstd[rows]`
pub fn rms_norm_forward(e: &Engine, x: Handle, weight: Handle, epsilon: f64) -> Result<(Handle, Handle)> {
    let mut args = rules::RMS_NORM_FORWARD.of(e);
    let (op, x, weight) = (args.op, args.take(x)?, args.take(weight)?);
    let [rows, n] = args.dims(["rows", "n"])?;
    let epsilon = expect_epsilon(op, epsilon)?;
    if let Some(far) = args.far()? {
        let (y, rstd) = (far.output(&x.shape)?, far.output(&[rows])?);
        far.run(&gpu::rms_norm_forward(rows, n, epsilon), &[&x, &weight, &y, &rstd])?;
        return Ok((e.keep(y)?, e.keep(rstd)?));
    }
    let (mut y, mut rstd) = (e.output(op, &x.shape)?, e.output(op, &[rows])?);
    let (x, weight) = (x.read(op, "x")?, weight.read(op, "weight")?);
    cpu::rms_norm_forward(&e.cancel(op), &x, &weight, epsilon, y.f32(), rstd.f32())?;
    Ok((y.keep(e)?, rstd.keep(e)?))
}

/// What [`add_rms_norm_forward`] returns.
#[derive(Debug, Clone, Copy)]
pub struct AddRmsNorm {
    /// `x + residual`.
    pub sum: Handle,
    /// Its normalization.
    pub y: Handle,
    /// `1 / √(mean(sum²) + epsilon)` of each row.
    pub rstd: Handle,
}

/// [`rms_norm_forward`] of `x + residual`, in one pass over memory; its gradient is that of the sum's normalization.
pub fn add_rms_norm_forward(
    e: &Engine,
    x: Handle,
    residual: Handle,
    weight: Handle,
    epsilon: f64,
) -> Result<AddRmsNorm> {
    let mut args = rules::ADD_RMS_NORM_FORWARD.of(e);
    let (op, x, residual, weight) = (args.op, args.take(x)?, args.take(residual)?, args.take(weight)?);
    let [rows, n] = args.dims(["rows", "n"])?;
    let epsilon = expect_epsilon(op, epsilon)?;
    if let Some(far) = args.far()? {
        let (sum, y, rstd) = (far.output(&x.shape)?, far.output(&x.shape)?, far.output(&[rows])?);
        let launch = gpu::add_rms_norm_forward(rows, n, epsilon);
        far.run(&launch, &[&x, &residual, &weight, &sum, &y, &rstd])?;
        return Ok(AddRmsNorm { sum: e.keep(sum)?, y: e.keep(y)?, rstd: e.keep(rstd)? });
    }
    let (mut sum, mut y, mut rstd) = (e.output(op, &x.shape)?, e.output(op, &x.shape)?, e.output(op, &[rows])?);
    let inputs = (&*x.read(op, "x")?, &*residual.read(op, "residual")?, &*weight.read(op, "weight")?);
    cpu::add_rms_norm_forward(&e.cancel(op), inputs, epsilon, (sum.f32(), y.f32(), rstd.f32()))?;
    Ok(AddRmsNorm { sum: sum.keep(e)?, y: y.keep(e)?, rstd: rstd.keep(e)? })
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
    let mut args = rules::RMS_NORM_BACKWARD.of(e);
    let (op, dy, x) = (args.op, args.take(dy)?, args.take(x)?);
    let (weight, rstd) = (args.take(weight)?, args.take(rstd)?);
    let [rows, n] = args.dims(["rows", "n"])?;
    if let Some(far) = args.far()? {
        let dx = far.gradient(&x.shape)?;
        far.run(&gpu::rms_norm_backward(rows, n), &[&dy, &x, &weight, &rstd, &dx])?;
        if !want_weight {
            return Ok((e.keep(dx)?, None));
        }
        let dweight = far.gradient(&[n])?;
        far.run(&gpu::rms_norm_backward_weight(rows, n), &[&dy, &x, &rstd, &dweight])?;
        return Ok((e.keep(dx)?, Some(e.keep(dweight)?)));
    }
    let cancel = e.cancel(op);
    let mut dx = e.gradient(op, &x.shape)?;
    let (dy, x) = (dy.read::<f32>(op, "dy")?, x.read::<f32>(op, "x")?);
    let (weight, rstd) = (weight.read::<f32>(op, "weight")?, rstd.read::<f32>(op, "rstd")?);
    let mut partial = sums(e, op, want_weight, rows, n)?;
    let part = partial.as_mut().map_or(&mut [][..], |partial| partial.f32());
    cpu::rms_norm_backward(&cancel, (&dy, &x, &weight, &rstd), dx.f32(), part)?;
    let dweight = match partial {
        None => None,
        Some(mut partial) => {
            let mut dweight = e.gradient(op, &[n])?;
            reduce::add_up_rows(partial.f32(), dweight.f32());
            Some(dweight.keep(e)?)
        }
    };
    Ok((dx.keep(e)?, dweight))
}

/// What [`layer_norm_forward`] returns.
#[derive(Debug, Clone, Copy)]
pub struct LayerNorm {
    /// The result.
    pub y: Handle,
    /// Mean of each row.
    pub mean: Handle,
    /// `1 / √(variance + epsilon)` of each row.
    pub rstd: Handle,
}

/// `x[.., n]` · `weight[n]` · `bias[n]`, which may be left out → `y[.., n]`, `mean[rows]`, `rstd[rows]`
pub fn layer_norm_forward(
    e: &Engine,
    x: Handle,
    weight: Handle,
    bias: Option<Handle>,
    epsilon: f64,
) -> Result<LayerNorm> {
    let mut args = rules::LAYER_NORM_FORWARD.of(e);
    let (op, x, weight, bias) = (args.op, args.take(x)?, args.take(weight)?, args.take_some(bias)?);
    let [rows, n] = args.dims(["rows", "n"])?;
    let epsilon = expect_epsilon(op, epsilon)?;
    if let Some(far) = args.far()? {
        let (y, mean, rstd) = (far.output(&x.shape)?, far.output(&[rows])?, far.output(&[rows])?);
        let launch = gpu::layer_norm_forward(rows, n, epsilon, bias.is_some());
        far.run(&launch, &[&x, &weight, bias.as_ref().unwrap_or(&weight), &y, &mean, &rstd])?;
        return Ok(LayerNorm { y: e.keep(y)?, mean: e.keep(mean)?, rstd: e.keep(rstd)? });
    }
    let (mut y, mut mean, mut rstd) = (e.output(op, &x.shape)?, e.output(op, &[rows])?, e.output(op, &[rows])?);
    let bias = bias.as_ref().map(|bias| bias.read::<f32>(op, "bias")).transpose()?;
    let inputs = (&*x.read(op, "x")?, &*weight.read(op, "weight")?, bias.as_deref());
    cpu::layer_norm_forward(&e.cancel(op), inputs, epsilon, (y.f32(), mean.f32(), rstd.f32()))?;
    Ok(LayerNorm { y: y.keep(e)?, mean: mean.keep(e)?, rstd: rstd.keep(e)? })
}

/// Gradients of [`layer_norm_forward`]: of `x`, and of `weight` and `bias` when wanted.
pub fn layer_norm_backward(
    e: &Engine,
    dy: Handle,
    x: Handle,
    weight: Handle,
    (mean, rstd): (Handle, Handle),
    want_parameters: bool,
) -> Result<(Handle, Option<(Handle, Handle)>)> {
    let mut args = rules::LAYER_NORM_BACKWARD.of(e);
    let (op, dy, x, weight) = (args.op, args.take(dy)?, args.take(x)?, args.take(weight)?);
    let (mean, rstd) = (args.take(mean)?, args.take(rstd)?);
    let [rows, n] = args.dims(["rows", "n"])?;
    if let Some(far) = args.far()? {
        let dx = far.gradient(&x.shape)?;
        far.run(&gpu::layer_norm_backward(rows, n), &[&dy, &x, &weight, &mean, &rstd, &dx])?;
        if !want_parameters {
            return Ok((e.keep(dx)?, None));
        }
        let (dweight, dbias) = (far.gradient(&[n])?, far.gradient(&[n])?);
        let launch = gpu::layer_norm_backward_parameters(rows, n);
        far.run(&launch, &[&dy, &x, &mean, &rstd, &dweight, &dbias])?;
        return Ok((e.keep(dx)?, Some((e.keep(dweight)?, e.keep(dbias)?))));
    }
    let cancel = e.cancel(op);
    let mut dx = e.gradient(op, &x.shape)?;
    let (dy, x, weight) = (dy.read::<f32>(op, "dy")?, x.read::<f32>(op, "x")?, weight.read::<f32>(op, "weight")?);
    let moments = (&*mean.read(op, "mean")?, &*rstd.read(op, "rstd")?);
    let mut partial = sums(e, op, want_parameters, rows, 2 * n)?;
    let part = partial.as_mut().map_or(&mut [][..], |partial| partial.f32());
    cpu::layer_norm_backward(&cancel, (&dy, &x, &weight), moments, dx.f32(), part)?;
    let gradients = match partial {
        None => None,
        Some(mut partial) => {
            let mut both = e.workspace(op, 2 * n)?;
            reduce::add_up_rows(partial.f32(), both.f32());
            let (mut dweight, mut dbias) = (e.gradient(op, &[n])?, e.gradient(op, &[n])?);
            dweight.f32().copy_from_slice(&both.f32()[..n]);
            dbias.f32().copy_from_slice(&both.f32()[n..]);
            Some((dweight.keep(e)?, dbias.keep(e)?))
        }
    };
    Ok((dx.keep(e)?, gradients))
}

/// Room for partial sums over blocks of rows, when they are wanted.
fn sums(e: &Engine, op: &'static str, wanted: bool, rows: usize, n: usize) -> Result<Option<Fresh>> {
    wanted.then(|| e.workspace(op, rows.div_ceil(cpu::ROWS) * n)).transpose()
}

fn expect_epsilon(op: &'static str, epsilon: f64) -> Result<f32> {
    if epsilon.is_finite() && epsilon >= 0.0 {
        Ok(epsilon as f32)
    } else {
        Err(Error::option(op, "epsilon", epsilon, "a finite number that is not negative"))
    }
}
