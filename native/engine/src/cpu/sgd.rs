//! Stochastic gradient descent with momentum, Nesterov's variant and weight decay, as in PyTorch.

use crate::cpu::multi::{self, Parameter};
use crate::error::Result;

/// Numbers of one step.
#[derive(Debug, Clone, Copy)]
pub struct Sgd {
    /// η.
    pub learning_rate: f64,
    /// μ; 0 is plain descent.
    pub momentum: f64,
    /// Look ahead by one more momentum (Sutskever et al. 2013).
    pub nesterov: bool,
    /// λ, added to the gradient as λ·p (not decoupled).
    pub weight_decay: f64,
    /// Multiplies every gradient (clipping, averaging).
    pub gradient_scale: f64,
}

/// `g ← g + λ·p`, `m ← μ·m + g` (m starts at 0), `p ← p − η·(g + μ·m)` with Nesterov, `p − η·m` without.
pub fn step(op: &'static str, parameters: Vec<Parameter<'_, 1>>, o: &Sgd) -> Result<()> {
    let (rate, momentum, decay) = (o.learning_rate as f32, o.momentum as f32, o.weight_decay as f32);
    let scale = o.gradient_scale as f32;
    // p moves by g and m: (1, μ) is Nesterov, (0, 1) is not.
    let (of_g, of_m) = if o.nesterov { (1.0, momentum) } else { (0.0, 1.0) };
    multi::update(
        op,
        parameters,
        #[inline(always)]
        |Parameter { p, g, states: [m] }| {
            for ((p, &g), m) in p.iter_mut().zip(*g).zip(m.iter_mut()) {
                let g = g * scale + decay * *p;
                *m = momentum * *m + g;
                *p -= rate * (of_g * g + of_m * *m);
            }
        },
    )
}

/// [`step`] without momentum, which needs no state: `p ← p − η·(g + λ·p)`.
pub fn step_plain(op: &'static str, parameters: Vec<Parameter<'_, 0>>, o: &Sgd) -> Result<()> {
    let (rate, decay, scale) = (o.learning_rate as f32, o.weight_decay as f32, o.gradient_scale as f32);
    multi::update(
        op,
        parameters,
        #[inline(always)]
        |Parameter { p, g, .. }| {
            for (p, &g) in p.iter_mut().zip(*g) {
                *p -= rate * (g * scale + decay * *p);
            }
        },
    )
}
