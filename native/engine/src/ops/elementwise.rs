//! Element by element, row by row.

use std::sync::Arc;

use crate::cancel::Cancel;
use crate::cpu::elementwise as cpu;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
use crate::gpu;
use crate::memory::Category;
use crate::tensor::{Storage, Tensor};

/// `a + b`, of one shape.
pub fn add(e: &Engine, a: Handle, b: Handle) -> Result<Handle> {
    const OP: &str = "add";
    let (a, b) = pair(e, OP, ("a", a), ("b", b))?;
    match (a.storage.gpu(), b.storage.gpu()) {
        (None, None) => on_cpu(e, OP, &a, &b, |a, b| a + b),
        (Some(x), Some(y)) if x.device() == y.device() => {
            e.cancel(OP).check()?;
            let charge = e.charge(OP, x.device(), Category::Activations, OP, a.bytes())?;
            let sum = gpu::elementwise::add(x, y, a.elements()).map_err(|failure| {
                failure.into_error(OP, x.device(), || e.refused(OP, a.bytes(), Category::Activations))
            })?;
            let storage = Arc::new(Storage::on_gpu(sum, charge));
            e.keep(Tensor { storage, shape: a.shape.clone(), dtype: a.dtype })
        }
        _ => {
            let name = a.storage.device().name();
            let what = format!("a is on \"{name}\" and b on \"{}\"", b.storage.device().name());
            Err(Error::Unsupported {
                op: OP,
                what,
                advice: format!("Move both to one device: toDevice(b, \"{name}\")"),
            })
        }
    }
}

/// `a · b` element by element, of one shape.
pub fn multiply(e: &Engine, a: Handle, b: Handle) -> Result<Handle> {
    binary(e, "multiply", (a, b), |a, b| a * b)
}

fn binary(
    e: &Engine,
    op: &'static str,
    (a, b): (Handle, Handle),
    f: impl Fn(f32, f32) -> f32 + Sync,
) -> Result<Handle> {
    let (a, b) = pair(e, op, ("a", a), ("b", b))?;
    on_cpu(e, op, &a, &b, f)
}

fn on_cpu(e: &Engine, op: &'static str, a: &Tensor, b: &Tensor, f: impl Fn(f32, f32) -> f32 + Sync) -> Result<Handle> {
    let mut y = e.output(op, &a.shape)?;
    cpu::zip(&e.cancel(op), &a.read(op, "a")?, &b.read(op, "b")?, y.f32(), f)?;
    y.keep(e)
}

fn pair(
    e: &Engine,
    op: &'static str,
    (a_name, a): (&'static str, Handle),
    (b_name, b): (&'static str, Handle),
) -> Result<(Tensor, Tensor)> {
    let (a, b) = (e.tensor(op, a_name, a)?, e.tensor(op, b_name, b)?);
    a.expect(op, a_name, crate::DType::F32)?;
    b.expect(op, b_name, crate::DType::F32)?;
    b.expect_shape(op, b_name, &a.shape)?;
    Ok((a, b))
}

/// `factor · x`.
pub fn scale(e: &Engine, x: Handle, factor: f64) -> Result<Handle> {
    const OP: &str = "scale";
    let x = e.tensor(OP, "a", x)?;
    x.expect(OP, "a", crate::DType::F32)?;
    let mut y = e.output(OP, &x.shape)?;
    let factor = factor as f32;
    cpu::map(&e.cancel(OP), &x.read(OP, "a")?, y.f32(), |x| factor * x)?;
    y.keep(e)
}

/// `target += alpha · b`, in place.
pub fn add_in_place(e: &Engine, target: Handle, b: Handle, alpha: f64) -> Result<()> {
    const OP: &str = "addInPlace";
    let (target, b) = pair(e, OP, ("target", target), ("b", b))?;
    let alpha = alpha as f32;
    if target.shares_with(&b) {
        return cpu::scale_in_place(&e.cancel(OP), &mut target.write(OP, "target")?, 1.0 + alpha);
    }
    let b = b.read::<f32>(OP, "b")?;
    cpu::update(&e.cancel(OP), &mut target.write(OP, "target")?, &b, |y, b| y + alpha * b)
}

/// `target *= factor`, in place.
pub fn scale_in_place(e: &Engine, target: Handle, factor: f64) -> Result<()> {
    const OP: &str = "scaleInPlace";
    let target = e.tensor(OP, "target", target)?;
    cpu::scale_in_place(&e.cancel(OP), &mut target.write(OP, "target")?, factor as f32)
}

/// `target = min(max(target, low), high)`, in place; part of an optimizer's step, so nothing interrupts it.
pub fn clamp_in_place(e: &Engine, target: Handle, low: f64, high: f64) -> Result<()> {
    const OP: &str = "clampInPlace";
    let target = e.tensor(OP, "target", target)?;
    if low.is_nan() || high.is_nan() || low > high {
        return Err(Error::option(OP, "low", low, format!("at most high, which is {high}")));
    }
    let (low, high) = (low as f32, high as f32);
    cpu::map_in_place(&Cancel::never(OP), &mut target.write(OP, "target")?, |x| x.clamp(low, high))
}

/// `x[.., n] + bias[n]`.
pub fn add_bias(e: &Engine, x: Handle, bias: Handle) -> Result<Handle> {
    const OP: &str = "addBias";
    let (x, bias) = (e.tensor(OP, "x", x)?, e.tensor(OP, "bias", bias)?);
    x.expect(OP, "x", crate::DType::F32)?;
    bias.expect(OP, "bias", crate::DType::F32)?;
    bias.expect_shape(OP, "bias", &[x.rows().1])?;
    let mut y = e.output(OP, &x.shape)?;
    cpu::add_bias(&e.cancel(OP), &x.read(OP, "x")?, &bias.read(OP, "bias")?, y.f32())?;
    y.keep(e)
}

/// `x[m, n]` → `[n]`.
pub fn sum_rows(e: &Engine, x: Handle) -> Result<Handle> {
    const OP: &str = "sumRows";
    let x = e.tensor(OP, "x", x)?;
    x.expect(OP, "x", crate::DType::F32)?;
    let [m, n] = x.dims(OP, "x", ["m", "n"])?;
    let mut y = e.output(OP, &[n])?;
    let mut partial = e.workspace(OP, cpu::sum_rows_blocks(m) * n)?;
    cpu::sum_rows(&e.cancel(OP), &x.read(OP, "x")?, partial.f32(), y.f32())?;
    y.keep(e)
}

/// The sum of all elements, in double precision and a fixed order.
pub fn sum(e: &Engine, x: Handle) -> Result<f64> {
    const OP: &str = "sum";
    let x = e.tensor(OP, "x", x)?;
    cpu::sum(&e.cancel(OP), &x.read(OP, "x")?, |x| x)
}

/// `silu(gate) · up`.
pub fn swiglu_forward(e: &Engine, gate: Handle, up: Handle) -> Result<Handle> {
    const OP: &str = "swigluForward";
    let (gate, up) = pair(e, OP, ("gate", gate), ("up", up))?;
    let mut y = e.output(OP, &gate.shape)?;
    cpu::swiglu_forward(&e.cancel(OP), &gate.read(OP, "gate")?, &up.read(OP, "up")?, y.f32())?;
    y.keep(e)
}

/// Gradients of [`swiglu_forward`]: of `gate` and of `up`.
pub fn swiglu_backward(e: &Engine, dy: Handle, gate: Handle, up: Handle) -> Result<(Handle, Handle)> {
    const OP: &str = "swigluBackward";
    let (gate, up) = pair(e, OP, ("gate", gate), ("up", up))?;
    let dy = e.tensor(OP, "dy", dy)?;
    dy.expect(OP, "dy", crate::DType::F32)?;
    dy.expect_shape(OP, "dy", &gate.shape)?;
    let (mut dgate, mut dup) = (e.gradient(OP, &gate.shape)?, e.gradient(OP, &gate.shape)?);
    let inputs = (&*dy.read(OP, "dy")?, &*gate.read(OP, "gate")?, &*up.read(OP, "up")?);
    cpu::swiglu_backward(&e.cancel(OP), inputs, dgate.f32(), dup.f32())?;
    Ok((dgate.keep(e)?, dup.keep(e)?))
}

/// Softmax over the last dimension.
pub fn softmax(e: &Engine, x: Handle) -> Result<Handle> {
    const OP: &str = "softmax";
    let x = e.tensor(OP, "x", x)?;
    x.expect(OP, "x", crate::DType::F32)?;
    if x.shape.is_empty() {
        return Err(Error::shape(OP, "x", &x.shape, "at least one dimension"));
    }
    let mut y = e.output(OP, &x.shape)?;
    cpu::softmax(&e.cancel(OP), &x.read(OP, "x")?, x.rows().1, y.f32())?;
    y.keep(e)
}
