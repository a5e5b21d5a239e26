//! Lion (Chen et al. 2023, "Symbolic discovery of optimization algorithms", algorithm 2): the sign of a momentum.

use crate::cpu::multi::{self, Parameter};
use crate::error::Result;

/// Numbers of one step.
#[derive(Debug, Clone, Copy)]
pub struct Lion {
    /// η.
    pub learning_rate: f64,
    /// Share of the momentum in the direction.
    pub beta1: f64,
    /// Decay of the momentum.
    pub beta2: f64,
    /// λ: the parameter shrinks by η·λ.
    pub weight_decay: f64,
    /// Multiplies every gradient (clipping, averaging).
    pub gradient_scale: f64,
}

/// `p ← p·(1 − η·λ) − η·sign(β1·m + (1−β1)·g)`, then `m ← β2·m + (1−β2)·g`; sign(0) is 0.
pub fn step(op: &'static str, parameters: Vec<Parameter<'_, 1>>, o: &Lion) -> Result<()> {
    let (beta1, rest1) = (o.beta1 as f32, (1.0 - o.beta1) as f32);
    let (beta2, rest2) = (o.beta2 as f32, (1.0 - o.beta2) as f32);
    let (keep, rate) = ((1.0 - o.learning_rate * o.weight_decay) as f32, o.learning_rate as f32);
    let scale = o.gradient_scale as f32;
    multi::update(
        op,
        parameters,
        #[inline(always)]
        |Parameter { p, g, states: [m] }| {
            for ((p, &g), m) in p.iter_mut().zip(*g).zip(m.iter_mut()) {
                let g = g * scale;
                let direction = beta1 * *m + rest1 * g;
                let sign = if direction == 0.0 { direction } else { 1f32.copysign(direction) };
                *p = *p * keep - rate * sign;
                *m = beta2 * *m + rest2 * g;
            }
        },
    )
}
