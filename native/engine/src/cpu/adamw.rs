//! AdamW (Loshchilov and Hutter 2019): moments, bias correction and decoupled decay in one pass.

use crate::cancel::Cancel;
use crate::cpu::pool;
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

/// A parameter with its gradient and its moments.
pub struct Parameter<'a> {
    /// The parameter.
    pub p: &'a mut [f32],
    /// Its gradient.
    pub g: &'a [f32],
    /// First moment.
    pub m: &'a mut [f32],
    /// Second moment.
    pub v: &'a mut [f32],
}

/// `m ← β1·m + (1−β1)·g`, `v ← β2·v + (1−β2)·g²`,
/// `p ← p·(1 − η·λ) − η·m̂ / (√v̂ + ε)` with `m̂ = m / (1−β1^t)`, `v̂ = v / (1−β2^t)`; all parameters in one pass.
pub fn step(cancel: &Cancel, parameters: &mut [Parameter<'_>], options: &AdamW) -> Result<()> {
    let (beta1, beta2) = (options.beta1 as f32, options.beta2 as f32);
    let (rest1, rest2) = ((1.0 - options.beta1) as f32, (1.0 - options.beta2) as f32);
    let keep = (1.0 - options.learning_rate * options.weight_decay) as f32;
    let rate = (options.learning_rate / (1.0 - options.beta1.powf(options.step))) as f32;
    let correction = (1.0 / (1.0 - options.beta2.powf(options.step)).sqrt()) as f32;
    let (epsilon, scale) = (options.epsilon as f32, options.gradient_scale as f32);
    let mut blocks = cut(parameters, pool::rows_per_task(4));
    pool::blocks(
        cancel,
        &mut blocks,
        1,
        1,
        #[inline(always)]
        |_, blocks| {
            for Parameter { p, g, m, v } in blocks {
                for (((p, &g), m), v) in p.iter_mut().zip(*g).zip(m.iter_mut()).zip(v.iter_mut()) {
                    let g = g * scale;
                    *m = beta1 * *m + rest1 * g;
                    *v = beta2 * *v + rest2 * g * g;
                    *p = *p * keep - rate * *m / (v.sqrt() * correction + epsilon);
                }
            }
        },
    )
}

/// All parameters in blocks of at most `size` elements.
fn cut<'a>(parameters: &'a mut [Parameter<'_>], size: usize) -> Vec<Parameter<'a>> {
    let blocks = parameters.iter_mut().flat_map(|parameter| {
        let Parameter { p, g, m, v } = parameter;
        let moments = m.chunks_mut(size).zip(v.chunks_mut(size));
        p.chunks_mut(size).zip(g.chunks(size)).zip(moments).map(|((p, g), (m, v))| Parameter { p, g, m, v })
    });
    blocks.collect()
}
