//! Rotary positions (Su et al. 2021), half-split pairs as in Llama checkpoints of Hugging Face.

use crate::cancel::Cancel;
use crate::cpu::pool;
use crate::error::Result;

/// Cosines and sines `[length, width / 2]` of the angles `position·theta^(−2i/width)`.
pub struct Angles {
    /// Elements of a head.
    pub width: usize,
    /// Positions.
    pub length: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Angles {
    /// The angles of positions `offset`, `offset + 1`, …; negated for the inverse rotation.
    pub fn new(length: usize, width: usize, theta: f64, offset: usize, inverse: bool) -> Self {
        let half = width / 2;
        let sign = if inverse { -1.0 } else { 1.0 };
        let mut angles = Angles { width, length, cos: vec![0.0; length * half], sin: vec![0.0; length * half] };
        for i in 0..half {
            let frequency = theta.powf(-2.0 * i as f64 / width as f64);
            for position in 0..length {
                let (sin, cos) = ((offset + position) as f64 * frequency).sin_cos();
                angles.cos[position * half + i] = cos as f32;
                angles.sin[position * half + i] = (sign * sin) as f32;
            }
        }
        angles
    }
}

/// Rotates every head of every row of `x[batch·length, heads·width]`.
pub fn rotate(cancel: &Cancel, x: &[f32], heads: usize, angles: &Angles, y: &mut [f32]) -> Result<()> {
    let (width, half) = (angles.width, angles.width / 2);
    let row = heads * width;
    pool::rows(
        cancel,
        y,
        row,
        #[inline(always)]
        |first, y| {
            for (n, (y, x)) in y.chunks_exact_mut(row).zip(x[first * row..].chunks_exact(row)).enumerate() {
                let position = (first + n) % angles.length;
                let cos = &angles.cos[position * half..][..half];
                let sin = &angles.sin[position * half..][..half];
                for (y, x) in y.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                    let ((y1, y2), (x1, x2)) = (y.split_at_mut(half), x.split_at(half));
                    for i in 0..half {
                        y1[i] = x1[i] * cos[i] - x2[i] * sin[i];
                        y2[i] = x2[i] * cos[i] + x1[i] * sin[i];
                    }
                }
            }
        },
    )
}
