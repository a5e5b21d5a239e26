//! Attention (Vaswani et al. 2017, equation 1) with grouped heads (Ainslie et al. 2023), masks and biases.

use crate::cpu::attention::{Bias, Sizes};

/// `y[batch·queries, heads·width]` and `log Σ e^score` as `[batch, heads, queries]`; 0 and −10^30 where no key is seen.
pub fn attention(s: &Sizes, bias: &Bias<'_>, q: &[f64], k: &[f64], v: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut y = vec![0.0; q.len()];
    let mut lse = Vec::new();
    for batch in 0..s.batch {
        for head in 0..s.heads {
            let kv = head / (s.heads / s.kv_heads);
            for i in 0..s.queries {
                let query = &q[((batch * s.queries + i) * s.heads + head) * s.width..][..s.width];
                let row =
                    |x: &[f64], j: usize| x[((batch * s.keys + j) * s.kv_heads + kv) * s.width..][..s.width].to_vec();
                let position = (s.keys.saturating_sub(s.queries) + i) as i64;
                let score = |j: usize| {
                    let mut score = row(k, j).iter().zip(query).map(|(k, q)| k * q).sum::<f64>() * f64::from(s.scale);
                    if let Some(cap) = s.soft_cap.map(f64::from) {
                        score = cap * (score / cap).tanh();
                    }
                    score + bias.slopes.map_or(0.0, |slopes| f64::from(slopes[head]) * (j as i64 - position) as f64)
                };
                let sees = |j: &usize| {
                    let distance = position - *j as i64;
                    (!s.causal || distance >= 0)
                        && s.window.is_none_or(|window| distance.abs() < window as i64)
                        && bias.key_mask.is_none_or(|mask| mask[batch * s.keys + j] != 0)
                        && bias.lengths.is_none_or(|lengths| (*j as i64) < i64::from(lengths[batch]))
                };
                let seen: Vec<usize> = (0..s.keys).filter(sees).collect();
                let sum: f64 = seen.iter().map(|&j| score(j).exp()).sum();
                lse.push(if seen.is_empty() { -1e30 } else { sum.ln() });
                let out = &mut y[((batch * s.queries + i) * s.heads + head) * s.width..][..s.width];
                for j in seen {
                    let p = score(j).exp() / sum;
                    out.iter_mut().zip(row(v, j)).for_each(|(out, v)| *out += p * v);
                }
            }
        }
    }
    (y, lse)
}
