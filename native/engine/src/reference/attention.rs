//! Causal attention (Vaswani et al. 2017, equation 1) with grouped heads (Ainslie et al. 2023).

use crate::cpu::attention::Sizes;

/// `y[batch·queries, heads·width]` and `log Σ e^score` as `[batch, heads, queries]`.
pub fn attention(s: &Sizes, q: &[f64], k: &[f64], v: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut y = vec![0.0; q.len()];
    let mut lse = Vec::new();
    for batch in 0..s.batch {
        for head in 0..s.heads {
            let kv = head / (s.heads / s.kv_heads);
            for i in 0..s.queries {
                let query = &q[((batch * s.queries + i) * s.heads + head) * s.width..][..s.width];
                let row =
                    |x: &[f64], j: usize| x[((batch * s.keys + j) * s.kv_heads + kv) * s.width..][..s.width].to_vec();
                let seen = s.keys - s.queries + i + 1;
                let scores: Vec<f64> = (0..seen)
                    .map(|j| row(k, j).iter().zip(query).map(|(k, q)| k * q).sum::<f64>() * f64::from(s.scale))
                    .collect();
                let sum: f64 = scores.iter().map(|score| score.exp()).sum();
                lse.push(sum.ln());
                let out = &mut y[((batch * s.queries + i) * s.heads + head) * s.width..][..s.width];
                for (j, score) in scores.iter().enumerate() {
                    for (out, v) in out.iter_mut().zip(row(v, j)) {
                        *out += score.exp() / sum * v;
                    }
                }
            }
        }
    }
    (y, lse)
}
