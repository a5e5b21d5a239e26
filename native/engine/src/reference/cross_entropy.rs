//! Softmax cross-entropy of a linear layer.

use super::matmul::matmul;

/// Each token's `−log softmax(x·weightᵀ)[target]`; 0 where the target is `None`.
pub fn linear_cross_entropy(x: &[f64], weight: &[f64], width: usize, targets: &[Option<usize>]) -> Vec<f64> {
    let vocabulary = weight.len() / width;
    let logits = matmul([targets.len(), vocabulary, width], (x, false), (weight, true));
    let loss = |(row, target): (&[f64], &Option<usize>)| match target {
        Some(target) => row.iter().map(|z| z.exp()).sum::<f64>().ln() - row[*target],
        None => 0.0,
    };
    logits.chunks(vocabulary).zip(targets).map(loss).collect()
}
