//! Rotary positions.

use super::rules;
use crate::cpu::rope as cpu;
use crate::dtype::DType;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
use crate::gpu::rope::{self as gpu, Heads};

pub use cpu::{Pairs, Scaling};

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
    /// Which elements make a pair.
    pub pairs: Pairs,
    /// Elements of a head that are turned, the first ones; all of them when not given.
    pub rotary: Option<usize>,
    /// Stretch of the frequencies.
    pub scaling: Option<Scaling>,
}

impl RopeOptions {
    /// Whole heads, half-split pairs, from position 0.
    pub fn new(length: usize, heads: usize, theta: f64) -> Self {
        let (offset, inverse, pairs) = (0, false, Pairs::HalfSplit);
        RopeOptions { length, heads, theta, offset, inverse, pairs, rotary: None, scaling: None }
    }
}

/// `x[batch·length, heads·width]` → the same shape, every head rotated by its position.
pub fn rope(e: &Engine, x: Handle, options: RopeOptions) -> Result<Handle> {
    let RopeOptions { length, heads, theta, offset, inverse, pairs, rotary, scaling } = options;
    let mut args = rules::ROPE.of(e).know([("length", length), ("heads", heads)])?;
    let (op, x) = (args.op, args.take(x)?);
    let [half] = args.dims(["half"])?;
    let width = 2 * half;
    if !(theta.is_finite() && theta > 0.0) {
        return Err(Error::option(op, "theta", theta, "a finite number above 0"));
    }
    let rotary = rotary.unwrap_or(width);
    if rotary > width || !rotary.is_multiple_of(2) {
        return Err(Error::option(op, "rotary", rotary, format!("an even number of at most {width}")));
    }
    if let Some(scaling) = scaling {
        check(op, scaling, rotary)?;
    }
    // Cosines and sines.
    let _charge = e.charge(op, crate::Device::Cpu, crate::Category::Workspace, op, length * rotary * 4)?;
    let angles = cpu::Angles::new(&cpu::Turns { rotary, theta, offset, scaling }, length, inverse);
    if let Some(far) = args.far()? {
        let (y, words) = (far.output(&x.shape)?, angles.words());
        let there = far.upload(&[words.len()], DType::F32, bytemuck::cast_slice(&words))?;
        let interleaved = pairs == Pairs::Interleaved;
        far.run(&gpu::rope(x.elements(), Heads { length, heads, width, rotary, interleaved }), &[&x, &there, &y])?;
        return e.keep(y);
    }
    let mut y = e.output(op, &x.shape)?;
    if width > 0 {
        cpu::rotate(&e.cancel(op), &x.read(op, "x")?, (heads, width), pairs, &angles, y.f32())?;
    }
    y.keep(e)
}

/// Every number of a scaling is above 0, and what is divided by is not 0.
fn check(op: &'static str, scaling: Scaling, rotary: usize) -> Result<()> {
    let numbers = match scaling {
        Scaling::Linear { factor } => vec![("factor", factor)],
        Scaling::DynamicNtk { factor, original } => vec![("factor", factor), ("originalPositions", original)],
        Scaling::Llama3 { factor, low, high, original } => vec![
            ("factor", factor),
            ("lowFrequencyFactor", low),
            ("highFrequencyFactor", high),
            ("originalPositions", original),
        ],
        Scaling::Yarn { factor, original, beta_fast, beta_slow, attention, .. } => vec![
            ("factor", factor),
            ("originalPositions", original),
            ("betaFast", beta_fast),
            ("betaSlow", beta_slow),
            ("attentionFactor", attention),
        ],
    };
    for (name, value) in numbers {
        if !(value.is_finite() && value > 0.0) {
            return Err(Error::option(op, name, value, "a finite number above 0"));
        }
    }
    match scaling {
        Scaling::Llama3 { low, high, .. } if low == high => {
            Err(Error::option(op, "highFrequencyFactor", high, "another number than lowFrequencyFactor"))
        }
        Scaling::DynamicNtk { .. } if rotary <= 2 => {
            Err(Error::option(op, "rotary", rotary, "more than 2 for the dynamic scaling"))
        }
        _ => Ok(()),
    }
}
