//! AdamW (Loshchilov and Hutter 2019): moments, bias correction and decoupled decay in one pass.

use crate::cpu::multi::{self, Parameter};
use crate::error::Result;

/// Numbers of one step.
#[derive(Debug, Clone, Copy)]
pub struct AdamW {
    /// η.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// ε, added after the square root.
    pub epsilon: f64,
    /// λ: the parameter shrinks by η·λ.
    pub weight_decay: f64,
    /// Number of the step, from 1.
    pub step: f64,
    /// Multiplies every gradient (clipping, averaging).
    pub gradient_scale: f64,
}

/// The numbers of a step as the inner loop wants them.
#[derive(Clone, Copy)]
pub(crate) struct Factors {
    beta1: f32,
    rest1: f32,
    beta2: f32,
    rest2: f32,
    keep: f32,
    rate: f32,
    correction: f32,
    epsilon: f32,
    scale: f32,
}

impl Factors {
    pub(crate) fn new(o: &AdamW) -> Self {
        Factors {
            beta1: o.beta1 as f32,
            rest1: (1.0 - o.beta1) as f32,
            beta2: o.beta2 as f32,
            rest2: (1.0 - o.beta2) as f32,
            keep: (1.0 - o.learning_rate * o.weight_decay) as f32,
            rate: (o.learning_rate / (1.0 - o.beta1.powf(o.step))) as f32,
            correction: (1.0 / (1.0 - o.beta2.powf(o.step)).sqrt()) as f32,
            epsilon: o.epsilon as f32,
            scale: o.gradient_scale as f32,
        }
    }

    /// All of them, in the order in which a kernel on a GPU takes them.
    pub(crate) fn numbers(&self) -> [f32; 9] {
        let Factors { beta1, rest1, beta2, rest2, keep, rate, correction, epsilon, scale } = *self;
        [beta1, rest1, beta2, rest2, keep, rate, correction, epsilon, scale]
    }

    /// One element: parameter and both moments.
    #[inline(always)]
    pub(super) fn step(&self, p: &mut f32, g: f32, m: &mut f32, v: &mut f32) {
        let g = g * self.scale;
        *m = self.beta1 * *m + self.rest1 * g;
        *v = self.beta2 * *v + self.rest2 * g * g;
        *p = *p * self.keep - self.rate * *m / (v.sqrt() * self.correction + self.epsilon);
    }
}

/// `m ← β1·m + (1−β1)·g`, `v ← β2·v + (1−β2)·g²`,
/// `p ← p·(1 − η·λ) − η·m̂ / (√v̂ + ε)` with `m̂ = m / (1−β1^t)`, `v̂ = v / (1−β2^t)`; all parameters in one pass.
pub fn step(op: &'static str, parameters: Vec<Parameter<'_, 2>>, options: &AdamW) -> Result<()> {
    let factors = Factors::new(options);
    multi::update(
        op,
        parameters,
        #[inline(always)]
        |Parameter { p, g, states: [m, v] }| {
            for (((p, &g), m), v) in p.iter_mut().zip(*g).zip(m.iter_mut()).zip(v.iter_mut()) {
                factors.step(p, g, m, v);
            }
        },
    )
}
