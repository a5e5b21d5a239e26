//! Row by row.

/// Softmax of each row of `n`.
pub fn softmax(x: &[f64], n: usize) -> Vec<f64> {
    let mut y = Vec::new();
    for row in x.chunks(n.max(1)) {
        let sum: f64 = row.iter().map(|v| v.exp()).sum();
        y.extend(row.iter().map(|v| v.exp() / sum));
    }
    y
}

/// `Σ` over rows of `n`.
pub fn sum_rows(x: &[f64], n: usize) -> Vec<f64> {
    (0..n).map(|j| x.chunks(n).map(|row| row[j]).sum()).collect()
}
