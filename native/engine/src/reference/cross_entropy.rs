//! Softmax cross-entropy of a linear layer.

use super::matmul::matmul;

/// Each token's `log Σ e^z − (1 − smoothing)·z[target] − smoothing·mean(z)`; 0 where the target is `None`.
pub fn linear_cross_entropy(
    x: &[f64],
    weight: &[f64],
    width: usize,
    targets: &[Option<usize>],
    smoothing: f64,
) -> Vec<f64> {
    let vocabulary = weight.len() / width;
    let logits = matmul([targets.len(), vocabulary, width], (x, false), (weight, true));
    let loss = |(row, target): (&[f64], &Option<usize>)| match target {
        Some(target) => {
            let mean = row.iter().sum::<f64>() / vocabulary as f64;
            row.iter().map(|z| z.exp()).sum::<f64>().ln() - (1.0 - smoothing) * row[*target] - smoothing * mean
        }
        None => 0.0,
    };
    logits.chunks(vocabulary).zip(targets).map(loss).collect()
}
