//! Root-mean-square normalization (Zhang and Sennrich 2019, equation 4), layer normalization (Ba et al. 2016).

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

/// `(x − mean) / √(variance + epsilon) · weight + bias` for each row.
pub fn layer_norm(x: &[f64], weight: &[f64], bias: &[f64], epsilon: f64) -> Vec<f64> {
    let n = weight.len();
    let mut y = Vec::new();
    for row in x.chunks(n) {
        let mean = row.iter().sum::<f64>() / n as f64;
        let deviation = (row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64 + epsilon).sqrt();
        y.extend(row.iter().zip(weight).zip(bias).map(|((v, w), b)| (v - mean) / deviation * w + b));
    }
    y
}
