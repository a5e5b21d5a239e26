//! Rotary positions.

use crate::cpu::rope as cpu;
use crate::dtype::DType;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};

/// Options of [`rope`].
#[derive(Debug, Clone, Copy)]
pub struct RopeOptions {
    /// Positions of a sequence.
    pub length: usize,
    /// Heads of a row.
    pub heads: usize,
    /// Base of the frequencies.
    pub theta: f64,
    /// Position of a sequence's first row.
    pub offset: usize,
    /// Rotate back: the gradient.
    pub inverse: bool,
}

/// `x[batch·length, heads·width]` → the same shape, every head rotated by its position.
pub fn rope(e: &Engine, x: Handle, options: RopeOptions) -> Result<Handle> {
    const OP: &str = "rope";
    let RopeOptions { length, heads, theta, offset, inverse } = options;
    let x = e.tensor(OP, "x", x)?;
    x.expect(OP, "x", DType::F32)?;
    if !(theta.is_finite() && theta > 0.0) {
        return Err(Error::option(OP, "theta", theta, "a finite number above 0"));
    }
    let (rows, row) = x.rows();
    if heads == 0 || row == 0 || !row.is_multiple_of(2 * heads) {
        return Err(Error::shape(OP, "x", &x.shape, format!("[batch·length, {heads}·width] with an even width")));
    }
    if length == 0 || !rows.is_multiple_of(length) {
        return Err(Error::shape(OP, "x", &x.shape, format!("a multiple of length = {length} rows")));
    }
    let width = row / heads;
    // Cosines and sines.
    let _charge = e.charge(OP, crate::Device::Cpu, crate::Category::Workspace, OP, length * width * 4)?;
    let angles = cpu::Angles::new(length, width, theta, offset, inverse);
    let mut y = e.output(OP, &x.shape)?;
    cpu::rotate(&e.cancel(OP), &x.read(OP, "x")?, heads, &angles, y.f32())?;
    y.keep(e)
}
