//! Rotary positions (Su et al. 2021).

use crate::cpu::rope::{Pairs, Turns};

/// `x[batch·length, heads·width]`: the pairs of each head's first `rotary` elements are turned by `position·frequency`.
pub fn rope(x: &[f64], length: usize, heads: usize, width: usize, pairs: Pairs, turns: &Turns) -> Vec<f64> {
    let (frequencies, factor) = turns.frequencies(length);
    let half = turns.rotary / 2;
    let mut y = x.to_vec();
    for row in 0..x.len() / (heads * width) {
        let position = (turns.offset + row % length) as f64;
        for head in 0..heads {
            let at = (row * heads + head) * width;
            for (i, frequency) in frequencies.iter().enumerate() {
                let (first, second) = match pairs {
                    Pairs::HalfSplit => (at + i, at + half + i),
                    Pairs::Interleaved => (at + 2 * i, at + 2 * i + 1),
                };
                let angle = position * frequency;
                let (a, b) = (x[first], x[second]);
                y[first] = factor * (a * angle.cos() - b * angle.sin());
                y[second] = factor * (b * angle.cos() + a * angle.sin());
            }
        }
    }
    y
}
