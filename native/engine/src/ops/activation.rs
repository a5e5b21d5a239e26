//! Activation functions: alone, after a bias, or as the gate of a product.

use super::rules;
use crate::cpu::activation as cpu;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
use crate::gpu::activation as gpu;
use crate::tensor::Tensor;

pub use cpu::Activation;

/// The function of this name.
pub fn parse(op: &'static str, name: &str) -> Result<Activation> {
    Activation::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
        let names: Vec<_> = Activation::ALL.iter().map(|kind| format!("\"{}\"", kind.name())).collect();
        Error::option(op, "kind", format!("\"{name}\""), format!("one of {}", names.join(", ")))
    })
}

/// `f(x[.., n] + bias[n])`.
pub fn activation_forward(e: &Engine, x: Handle, bias: Option<Handle>, kind: Activation) -> Result<Handle> {
    let mut args = rules::ACTIVATION_FORWARD.of(e);
    let (op, x, bias) = (args.op, args.take(x)?, args.take_some(bias)?);
    if let Some(far) = args.far()? {
        let y = far.output(&x.shape)?;
        let period = bias.as_ref().map(Tensor::elements);
        far.run(&gpu::forward(kind, x.elements(), period), &[&x, bias.as_ref().unwrap_or(&x), &y])?;
        return e.keep(y);
    }
    let mut y = e.output(op, &x.shape)?;
    let bias = bias.as_ref().map(|bias| bias.read::<f32>(op, "bias")).transpose()?;
    cpu::forward(&e.cancel(op), kind, &x.read(op, "x")?, bias.as_deref(), y.f32())?;
    y.keep(e)
}

/// Gradient of [`activation_forward`] by `x`; that by `bias` is its sum over rows.
pub fn activation_backward(
    e: &Engine,
    dy: Handle,
    x: Handle,
    bias: Option<Handle>,
    kind: Activation,
) -> Result<Handle> {
    let mut args = rules::ACTIVATION_BACKWARD.of(e);
    let (op, dy, x, bias) = (args.op, args.take(dy)?, args.take(x)?, args.take_some(bias)?);
    if let Some(far) = args.far()? {
        let dx = far.gradient(&x.shape)?;
        let period = bias.as_ref().map(Tensor::elements);
        far.run(&gpu::backward(kind, x.elements(), period), &[&dy, &x, bias.as_ref().unwrap_or(&x), &dx])?;
        return e.keep(dx);
    }
    let mut dx = e.gradient(op, &x.shape)?;
    let bias = bias.as_ref().map(|bias| bias.read::<f32>(op, "bias")).transpose()?;
    let inputs = (&*dy.read(op, "dy")?, &*x.read(op, "x")?);
    cpu::backward(&e.cancel(op), kind, inputs, bias.as_deref(), dx.f32())?;
    dx.keep(e)
}

/// `f(gate) · up`: with SiLU this is SwiGLU, with GELU GEGLU (Shazeer 2020).
pub fn gated_forward(e: &Engine, gate: Handle, up: Handle, kind: Activation) -> Result<Handle> {
    let mut args = rules::GATED_FORWARD.of(e);
    let (op, gate, up) = (args.op, args.take(gate)?, args.take(up)?);
    if let Some(far) = args.far()? {
        let y = far.output(&gate.shape)?;
        far.run(&gpu::gated_forward(kind, gate.elements()), &[&gate, &up, &y])?;
        return e.keep(y);
    }
    let mut y = e.output(op, &gate.shape)?;
    cpu::gated_forward(&e.cancel(op), kind, &gate.read(op, "gate")?, &up.read(op, "up")?, y.f32())?;
    y.keep(e)
}

/// Gradients of [`gated_forward`]: of `gate` and of `up`.
pub fn gated_backward(e: &Engine, dy: Handle, gate: Handle, up: Handle, kind: Activation) -> Result<(Handle, Handle)> {
    let mut args = rules::GATED_BACKWARD.of(e);
    let (op, dy, gate, up) = (args.op, args.take(dy)?, args.take(gate)?, args.take(up)?);
    if let Some(far) = args.far()? {
        let (dgate, dup) = (far.gradient(&gate.shape)?, far.gradient(&gate.shape)?);
        far.run(&gpu::gated_backward(kind, gate.elements()), &[&dy, &gate, &up, &dgate, &dup])?;
        return Ok((e.keep(dgate)?, e.keep(dup)?));
    }
    let (mut dgate, mut dup) = (e.gradient(op, &gate.shape)?, e.gradient(op, &gate.shape)?);
    let inputs = (&*dy.read(op, "dy")?, &*gate.read(op, "gate")?, &*up.read(op, "up")?);
    cpu::gated_backward(&e.cancel(op), kind, inputs, dgate.f32(), dup.f32())?;
    Ok((dgate.keep(e)?, dup.keep(e)?))
}
