//! AdamW (Loshchilov and Hutter 2019, algorithm 2), with the decay multiplied by the learning rate as in PyTorch.

use crate::cpu::adamw::AdamW;

/// One step on `p`, `m` and `v`.
pub fn adamw(p: &mut [f64], g: &[f64], m: &mut [f64], v: &mut [f64], o: &AdamW) {
    for i in 0..p.len() {
        let g = g[i] * o.gradient_scale;
        m[i] = o.beta1 * m[i] + (1.0 - o.beta1) * g;
        v[i] = o.beta2 * v[i] + (1.0 - o.beta2) * g * g;
        let first = m[i] / (1.0 - o.beta1.powf(o.step));
        let second = v[i] / (1.0 - o.beta2.powf(o.step));
        p[i] -= o.learning_rate * o.weight_decay * p[i];
        p[i] -= o.learning_rate * first / (second.sqrt() + o.epsilon);
    }
}
