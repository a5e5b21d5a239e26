//! Stochastic gradient descent, as PyTorch's documentation states it (dampening 0).

use crate::cpu::sgd::Sgd;

/// One step on `p` and `m`, which is 0 before the first.
pub fn sgd(p: &mut [f64], g: &[f64], m: &mut [f64], o: &Sgd) {
    for i in 0..p.len() {
        let g = g[i] * o.gradient_scale + o.weight_decay * p[i];
        m[i] = o.momentum * m[i] + g;
        p[i] -= o.learning_rate * if o.nesterov { g + o.momentum * m[i] } else { m[i] };
    }
}
