//! Element by element, row by row.

/// `silu(gate)·up`
pub fn swiglu(gate: &[f64], up: &[f64]) -> Vec<f64> {
    gate.iter().zip(up).map(|(g, u)| g / (1.0 + (-g).exp()) * u).collect()
}

/// Softmax of each row of `n`.
pub fn softmax(x: &[f64], n: usize) -> Vec<f64> {
    let mut y = Vec::new();
    for row in x.chunks(n) {
        let sum: f64 = row.iter().map(|v| v.exp()).sum();
        y.extend(row.iter().map(|v| v.exp() / sum));
    }
    y
}

/// `Σ` over rows of `n`.
pub fn sum_rows(x: &[f64], n: usize) -> Vec<f64> {
    (0..n).map(|j| x.chunks(n).map(|row| row[j]).sum()).collect()
}
