//! Rotary positions (Su et al. 2021), half-split pairs.

/// `x[batch·length, heads·width]`: element `i` of a head is paired with element `i + width/2`, and the pair is turned
/// by `position·theta^(−2i/width)`.
pub fn rope(x: &[f64], length: usize, heads: usize, width: usize, theta: f64, offset: usize) -> Vec<f64> {
    let half = width / 2;
    let mut y = vec![0.0; x.len()];
    for row in 0..x.len() / (heads * width) {
        let position = (offset + row % length) as f64;
        for head in 0..heads {
            let at = (row * heads + head) * width;
            for i in 0..half {
                let angle = position * theta.powf(-2.0 * i as f64 / width as f64);
                let (a, b) = (x[at + i], x[at + half + i]);
                y[at + i] = a * angle.cos() - b * angle.sin();
                y[at + half + i] = b * angle.cos() + a * angle.sin();
            }
        }
    }
    y
}
