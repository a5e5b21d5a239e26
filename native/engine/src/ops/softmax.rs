//! Softmax over the last dimension, and its logarithm.

use super::rules::{self, Rule};
use crate::Cancel;
use crate::cpu::softmax as cpu;
use crate::engine::{Engine, Handle};
use crate::error::Result;
use crate::gpu::softmax as gpu;

/// `y = e^x / Σ e^x` for each row of `x[.., n]`.
pub fn softmax_forward(e: &Engine, x: Handle) -> Result<Handle> {
    forward(e, &rules::SOFTMAX_FORWARD, x, false, cpu::softmax)
}

/// `y = x − log Σ e^x` for each row of `x[.., n]`.
pub fn log_softmax_forward(e: &Engine, x: Handle) -> Result<Handle> {
    forward(e, &rules::LOG_SOFTMAX_FORWARD, x, true, cpu::log_softmax)
}

/// Gradient of [`softmax_forward`] from its result.
pub fn softmax_backward(e: &Engine, dy: Handle, y: Handle) -> Result<Handle> {
    backward(e, &rules::SOFTMAX_BACKWARD, dy, y, false, cpu::softmax_backward)
}

/// Gradient of [`log_softmax_forward`] from its result.
pub fn log_softmax_backward(e: &Engine, dy: Handle, y: Handle) -> Result<Handle> {
    backward(e, &rules::LOG_SOFTMAX_BACKWARD, dy, y, true, cpu::log_softmax_backward)
}

type Kernel = fn(&Cancel, &[f32], usize, &mut [f32]) -> Result<()>;
type Gradient = fn(&Cancel, (&[f32], &[f32]), usize, &mut [f32]) -> Result<()>;

fn forward(e: &Engine, rule: &'static Rule, x: Handle, log: bool, kernel: Kernel) -> Result<Handle> {
    let mut args = rule.of(e);
    let x = args.take(x)?;
    let [rows, n] = args.dims(["rows", "n"])?;
    if let Some(far) = args.far()? {
        let y = far.output(&x.shape)?;
        far.run(&gpu::forward(log, rows, n), &[&x, &y])?;
        return e.keep(y);
    }
    let mut y = e.output(rule.op, &x.shape)?;
    kernel(&e.cancel(rule.op), &x.read(rule.op, "x")?, n, y.f32())?;
    y.keep(e)
}

fn backward(e: &Engine, rule: &'static Rule, dy: Handle, y: Handle, log: bool, kernel: Gradient) -> Result<Handle> {
    let mut args = rule.of(e);
    let (dy, y) = (args.take(dy)?, args.take(y)?);
    let [rows, n] = args.dims(["rows", "n"])?;
    if let Some(far) = args.far()? {
        let dx = far.gradient(&dy.shape)?;
        far.run(&gpu::backward(log, rows, n), &[&dy, &y, &dx])?;
        return e.keep(dx);
    }
    let mut dx = e.gradient(rule.op, &dy.shape)?;
    kernel(&e.cancel(rule.op), (&dy.read(rule.op, "dy")?, &y.read(rule.op, "y")?), n, dx.f32())?;
    dx.keep(e)
}
