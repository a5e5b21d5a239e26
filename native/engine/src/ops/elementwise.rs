//! Element by element, and a vector with every row.

use super::rules::{self, Rule};
use crate::cancel::Cancel;
use crate::cpu::elementwise as cpu;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
use crate::gpu::elementwise::{self as gpu, Map, Zip};

/// `a[.., n] + b`, where `b` has the shape of `a` or is a vector `[n]` for every row.
pub fn add(e: &Engine, a: Handle, b: Handle) -> Result<Handle> {
    binary(e, [&rules::ADD, &rules::ADD_VECTOR], (a, b), Zip::Add, |a, b| a + b)
}

/// `a − b`, as [`add`].
pub fn subtract(e: &Engine, a: Handle, b: Handle) -> Result<Handle> {
    binary(e, [&rules::SUBTRACT, &rules::SUBTRACT_VECTOR], (a, b), Zip::Subtract, |a, b| a - b)
}

/// `a · b`, as [`add`].
pub fn multiply(e: &Engine, a: Handle, b: Handle) -> Result<Handle> {
    binary(e, [&rules::MULTIPLY, &rules::MULTIPLY_VECTOR], (a, b), Zip::Multiply, |a, b| a * b)
}

/// `a / b`, as [`add`].
pub fn divide(e: &Engine, a: Handle, b: Handle) -> Result<Handle> {
    binary(e, [&rules::DIVIDE, &rules::DIVIDE_VECTOR], (a, b), Zip::Divide, |a, b| a / b)
}

fn binary(
    e: &Engine,
    [same, vector]: [&'static Rule; 2],
    (a, b): (Handle, Handle),
    kernel: Zip,
    f: impl Fn(f32, f32) -> f32 + Sync,
) -> Result<Handle> {
    let op = same.op;
    let dimensions = |name, h| e.tensor(op, name, h).map(|t| t.shape.len());
    let is_vector = dimensions("b", b)? == 1 && dimensions("a", a)? > 1;
    let mut args = if is_vector { vector } else { same }.of(e);
    let (a, b) = (args.take(a)?, args.take(b)?);
    if let Some(far) = args.far()? {
        let y = far.output(&a.shape)?;
        far.run(&gpu::zip(kernel, a.elements(), b.elements()), &[&a, &b, &y])?;
        return e.keep(y);
    }
    let mut y = e.output(op, &a.shape)?;
    let (a, b) = (a.read(op, "a")?, b.read(op, "b")?);
    let run = if is_vector { cpu::zip_rows } else { cpu::zip };
    run(&e.cancel(op), &a, &b, y.f32(), f)?;
    y.keep(e)
}

fn unary(e: &Engine, rule: &'static Rule, x: Handle, kernel: Map, f: impl Fn(f32) -> f32 + Sync) -> Result<Handle> {
    let mut args = rule.of(e);
    let x = args.take(x)?;
    if let Some(far) = args.far()? {
        let y = far.output(&x.shape)?;
        far.run(&gpu::map(kernel, x.elements()), &[&x, &y])?;
        return e.keep(y);
    }
    let mut y = e.output(rule.op, &x.shape)?;
    cpu::map(&e.cancel(rule.op), &x.read(rule.op, "x")?, y.f32(), f)?;
    y.keep(e)
}

/// `factor · x`.
pub fn scale(e: &Engine, x: Handle, factor: f64) -> Result<Handle> {
    let factor = factor as f32;
    unary(e, &rules::SCALE, x, Map::Scale(factor), move |x| factor * x)
}

/// `x + value`.
pub fn add_scalar(e: &Engine, x: Handle, value: f64) -> Result<Handle> {
    let value = value as f32;
    unary(e, &rules::ADD_SCALAR, x, Map::Add(value), move |x| x + value)
}

/// `e^x`.
pub fn exp(e: &Engine, x: Handle) -> Result<Handle> {
    unary(e, &rules::EXP, x, Map::Exp, crate::cpu::exp::exp)
}

/// `ln x`.
pub fn log(e: &Engine, x: Handle) -> Result<Handle> {
    unary(e, &rules::LOG, x, Map::Log, |x| x.ln())
}

/// `√x`.
pub fn sqrt(e: &Engine, x: Handle) -> Result<Handle> {
    unary(e, &rules::SQRT, x, Map::Sqrt, |x| x.sqrt())
}

/// `target += alpha · b`, in place.
pub fn add_in_place(e: &Engine, target: Handle, b: Handle, alpha: f64) -> Result<()> {
    let mut args = rules::ADD_IN_PLACE.of(e);
    let (op, target, b) = (args.op, args.take(target)?, args.take(b)?);
    let alpha = alpha as f32;
    if let Some(far) = args.far()? {
        let count = target.elements();
        return if target.shares_with(&b) {
            far.run(&gpu::change(Map::Scale(1.0 + alpha), count), &[&target])
        } else {
            far.run(&gpu::update(Zip::AddScaled(alpha), count), &[&target, &b])
        };
    }
    if target.shares_with(&b) {
        return cpu::scale_in_place(&e.cancel(op), &mut target.write(op, "target")?, 1.0 + alpha);
    }
    let b = b.read::<f32>(op, "b")?;
    cpu::update(&e.cancel(op), &mut target.write(op, "target")?, &b, |y, b| y + alpha * b)
}

/// `target *= factor`, in place.
pub fn scale_in_place(e: &Engine, target: Handle, factor: f64) -> Result<()> {
    let mut args = rules::SCALE_IN_PLACE.of(e);
    let (target, factor) = (args.take(target)?, factor as f32);
    if let Some(far) = args.far()? {
        return far.run(&gpu::change(Map::Scale(factor), target.elements()), &[&target]);
    }
    cpu::scale_in_place(&e.cancel(args.op), &mut target.write(args.op, "target")?, factor)
}

/// `target = min(max(target, low), high)`, in place; part of an optimizer's step, so nothing interrupts it.
pub fn clamp_in_place(e: &Engine, target: Handle, low: f64, high: f64) -> Result<()> {
    let mut args = rules::CLAMP_IN_PLACE.of(e);
    let (op, target) = (args.op, args.take(target)?);
    if low.is_nan() || high.is_nan() || low > high {
        return Err(Error::option(op, "low", low, format!("at most high, which is {high}")));
    }
    let (low, high) = (low as f32, high as f32);
    if let Some(far) = args.far()? {
        return far.run(&gpu::change(Map::Clamp(low, high), target.elements()), &[&target]);
    }
    cpu::map_in_place(&Cancel::never(op), &mut target.write(op, "target")?, |x| x.clamp(low, high))
}
