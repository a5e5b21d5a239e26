//! Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks").

use super::matmul::matmul;
use crate::cpu::muon::{EPSILON, ITERATIONS, Muon, QUINTIC};

/// One step on `p[rows, columns]` and its momentum.
pub fn muon(p: &mut [f64], g: &[f64], momentum: &mut [f64], [rows, columns]: [usize; 2], o: &Muon) {
    let mut update = vec![0.0; p.len()];
    for i in 0..p.len() {
        let g = g[i] * o.gradient_scale;
        momentum[i] = o.momentum * momentum[i] + (1.0 - o.momentum) * g;
        update[i] = if o.nesterov { (1.0 - o.momentum) * g + o.momentum * momentum[i] } else { momentum[i] };
    }
    let update = newton_schulz(&update, rows, columns);
    for (p, u) in p.iter_mut().zip(update) {
        *p -= o.learning_rate * (o.weight_decay * *p + o.adjust.factor(rows, columns) * u);
    }
}

/// `X ← a·X + (b·A + c·A²)·X` with `A = X·Xᵀ`, from `x / (‖x‖ + ε)`.
pub fn newton_schulz(x: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    let [a, b, c] = QUINTIC;
    let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt() + EPSILON;
    let mut x: Vec<f64> = x.iter().map(|x| x / norm).collect();
    for _ in 0..ITERATIONS {
        let gram = matmul([rows, rows, columns], (&x, false), (&x, true));
        let square = matmul([rows, rows, rows], (&gram, false), (&gram, false));
        let both: Vec<f64> = gram.iter().zip(&square).map(|(gram, square)| b * gram + c * square).collect();
        let next = matmul([rows, columns, rows], (&both, false), (&x, false));
        x = x.iter().zip(next).map(|(x, next)| a * x + next).collect();
    }
    x
}
