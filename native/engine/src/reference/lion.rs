//! Lion (Chen et al. 2023, algorithm 2).

use crate::cpu::lion::Lion;

/// One step on `p` and `m`.
pub fn lion(p: &mut [f64], g: &[f64], m: &mut [f64], o: &Lion) {
    for i in 0..p.len() {
        let g = g[i] * o.gradient_scale;
        let direction = o.beta1 * m[i] + (1.0 - o.beta1) * g;
        let sign = if direction == 0.0 { 0.0 } else { direction.signum() };
        p[i] -= o.learning_rate * (sign + o.weight_decay * p[i]);
        m[i] = o.beta2 * m[i] + (1.0 - o.beta2) * g;
    }
}
