//! Root-mean-square normalization (Zhang and Sennrich 2019, equation 4).

/// `x / √(mean(x²) + epsilon) · weight` for each row.
pub fn rms_norm(x: &[f64], weight: &[f64], epsilon: f64) -> Vec<f64> {
    let n = weight.len();
    let mut y = Vec::new();
    for row in x.chunks(n) {
        let rms = (row.iter().map(|v| v * v).sum::<f64>() / n as f64 + epsilon).sqrt();
        y.extend(row.iter().zip(weight).map(|(v, w)| v / rms * w));
    }
    y
}
