//! Dropout.

use super::rules;
use crate::cpu::dropout as cpu;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
use crate::gpu::dropout as gpu;

/// `x` with elements set to 0 with probability `p` and the others divided by `1 − p`. The same (seed, offset) drops the same
/// elements: applied to the output's gradient, it is the gradient.
pub fn dropout(e: &Engine, x: Handle, p: f64, (seed, offset): (u64, u64)) -> Result<Handle> {
    let mut args = rules::DROPOUT.of(e);
    let (op, x) = (args.op, args.take(x)?);
    if !(0.0..=1.0).contains(&p) {
        return Err(Error::option(op, "p", p, "a number from 0 to 1"));
    }
    if let Some(far) = args.far()? {
        let y = far.output(&x.shape)?;
        far.run(&gpu::dropout(x.elements(), cpu::threshold(p), cpu::factor(p), (seed, offset)), &[&x, &y])?;
        return e.keep(y);
    }
    let mut y = e.output(op, &x.shape)?;
    cpu::dropout(&e.cancel(op), &x.read(op, "x")?, p, (seed, offset), y.f32())?;
    y.keep(e)
}
