//! Rounding to an integer grid; all groups have `size` columns.

/// `(free level, clamped level, zero point)` of a weight.
fn level(w: f64, scale: f64, zero: f64, top: f64) -> (f64, f64, f64) {
    let zero = zero.round_ties_even().clamp(0.0, top);
    let free = (w / scale).round_ties_even() + zero;
    (free, free.clamp(0.0, top), zero)
}

/// `s·(clamp(round(w/s) + z, 0, top) − z)`
pub fn forward(w: &[f64], scales: &[f64], zeros: &[f64], size: usize, top: f64) -> Vec<f64> {
    let each = |(i, &w): (usize, &f64)| {
        let (_, q, zero) = level(w, scales[i / size], zeros[i / size], top);
        scales[i / size] * (q - zero)
    };
    w.iter().enumerate().map(each).collect()
}

/// Straight-through gradients by the weight, the scales and the zero points.
pub fn backward(dy: &[f64], w: &[f64], scales: &[f64], zeros: &[f64], size: usize, top: f64) -> [Vec<f64>; 3] {
    let (mut dw, mut ds, mut dz) = (vec![0.0; w.len()], vec![0.0; scales.len()], vec![0.0; scales.len()]);
    for (i, (&w, &dy)) in w.iter().zip(dy).enumerate() {
        let (group, scale) = (i / size, scales[i / size]);
        let (free, q, zero) = level(w, scale, zeros[group], top);
        if (0.0..=top).contains(&free) {
            dw[i] = dy;
            ds[group] += dy * ((w / scale).round_ties_even() - w / scale);
        } else {
            ds[group] += dy * (q - zero);
            dz[group] -= dy * scale;
        }
    }
    [dw, ds, dz]
}
