//! Element by element, and a vector with every row.

use std::sync::Arc;

use super::rules::{self, Rule};
use crate::cancel::Cancel;
use crate::cpu::elementwise as cpu;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
use crate::gpu;
use crate::memory::Category;
use crate::tensor::{Storage, Tensor};

/// `a[.., n] + b`, where `b` has the shape of `a` or is a vector `[n]` for every row.
pub fn add(e: &Engine, a: Handle, b: Handle) -> Result<Handle> {
    const OP: &str = "add";
    let (a, b, vector) = operands(e, [&rules::ADD, &rules::ADD_VECTOR], a, b)?;
    match (a.storage.gpu(), b.storage.gpu()) {
        (None, None) => on_cpu(e, OP, (&a, &b, vector), |a, b| a + b),
        (Some(x), Some(y)) if x.device() == y.device() && !vector => {
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

/// `a − b`, as [`add`].
pub fn subtract(e: &Engine, a: Handle, b: Handle) -> Result<Handle> {
    binary(e, [&rules::SUBTRACT, &rules::SUBTRACT_VECTOR], a, b, |a, b| a - b)
}

/// `a · b`, as [`add`].
pub fn multiply(e: &Engine, a: Handle, b: Handle) -> Result<Handle> {
    binary(e, [&rules::MULTIPLY, &rules::MULTIPLY_VECTOR], a, b, |a, b| a * b)
}

/// `a / b`, as [`add`].
pub fn divide(e: &Engine, a: Handle, b: Handle) -> Result<Handle> {
    binary(e, [&rules::DIVIDE, &rules::DIVIDE_VECTOR], a, b, |a, b| a / b)
}

fn binary(
    e: &Engine,
    rules: [&'static Rule; 2],
    a: Handle,
    b: Handle,
    f: impl Fn(f32, f32) -> f32 + Sync,
) -> Result<Handle> {
    let (a, b, vector) = operands(e, rules, a, b)?;
    on_cpu(e, rules[0].op, (&a, &b, vector), f)
}

/// Both operands, and whether the second is a vector beside rows.
fn operands(e: &Engine, [same, vector]: [&'static Rule; 2], a: Handle, b: Handle) -> Result<(Tensor, Tensor, bool)> {
    let dimensions = |name, h| e.tensor(same.op, name, h).map(|t| t.shape.len());
    let is_vector = dimensions("b", b)? == 1 && dimensions("a", a)? > 1;
    let mut args = if is_vector { vector } else { same }.of(e);
    Ok((args.take(a)?, args.take(b)?, is_vector))
}

fn on_cpu(
    e: &Engine,
    op: &'static str,
    (a, b, vector): (&Tensor, &Tensor, bool),
    f: impl Fn(f32, f32) -> f32 + Sync,
) -> Result<Handle> {
    let mut y = e.output(op, &a.shape)?;
    let (a, b) = (a.read(op, "a")?, b.read(op, "b")?);
    let run = if vector { cpu::zip_rows } else { cpu::zip };
    run(&e.cancel(op), &a, &b, y.f32(), f)?;
    y.keep(e)
}

fn unary(e: &Engine, rule: &'static Rule, x: Handle, f: impl Fn(f32) -> f32 + Sync) -> Result<Handle> {
    let x = rule.of(e).take(x)?;
    let mut y = e.output(rule.op, &x.shape)?;
    cpu::map(&e.cancel(rule.op), &x.read(rule.op, "x")?, y.f32(), f)?;
    y.keep(e)
}

/// `factor · x`.
pub fn scale(e: &Engine, x: Handle, factor: f64) -> Result<Handle> {
    let factor = factor as f32;
    unary(e, &rules::SCALE, x, move |x| factor * x)
}

/// `x + value`.
pub fn add_scalar(e: &Engine, x: Handle, value: f64) -> Result<Handle> {
    let value = value as f32;
    unary(e, &rules::ADD_SCALAR, x, move |x| x + value)
}

/// `e^x`.
pub fn exp(e: &Engine, x: Handle) -> Result<Handle> {
    unary(e, &rules::EXP, x, crate::cpu::exp::exp)
}

/// `ln x`.
pub fn log(e: &Engine, x: Handle) -> Result<Handle> {
    unary(e, &rules::LOG, x, |x| x.ln())
}

/// `√x`.
pub fn sqrt(e: &Engine, x: Handle) -> Result<Handle> {
    unary(e, &rules::SQRT, x, |x| x.sqrt())
}

/// `target += alpha · b`, in place.
pub fn add_in_place(e: &Engine, target: Handle, b: Handle, alpha: f64) -> Result<()> {
    let mut args = rules::ADD_IN_PLACE.of(e);
    let (op, target, b) = (args.op, args.take(target)?, args.take(b)?);
    let alpha = alpha as f32;
    if target.shares_with(&b) {
        return cpu::scale_in_place(&e.cancel(op), &mut target.write(op, "target")?, 1.0 + alpha);
    }
    let b = b.read::<f32>(op, "b")?;
    cpu::update(&e.cancel(op), &mut target.write(op, "target")?, &b, |y, b| y + alpha * b)
}

/// `target *= factor`, in place.
pub fn scale_in_place(e: &Engine, target: Handle, factor: f64) -> Result<()> {
    let mut args = rules::SCALE_IN_PLACE.of(e);
    let target = args.take(target)?;
    cpu::scale_in_place(&e.cancel(args.op), &mut target.write(args.op, "target")?, factor as f32)
}

/// `target = min(max(target, low), high)`, in place; part of an optimizer's step, so nothing interrupts it.
pub fn clamp_in_place(e: &Engine, target: Handle, low: f64, high: f64) -> Result<()> {
    let mut args = rules::CLAMP_IN_PLACE.of(e);
    let (op, target) = (args.op, args.take(target)?);
    if low.is_nan() || high.is_nan() || low > high {
        return Err(Error::option(op, "low", low, format!("at most high, which is {high}")));
    }
    let (low, high) = (low as f32, high as f32);
    cpu::map_in_place(&Cancel::never(op), &mut target.write(op, "target")?, |x| x.clamp(low, high))
}
