//! Softmax over the last dimension, and its logarithm: a workgroup for each row.

use super::{Launch, Source};

pub(super) static SOURCE: Source =
    Source { file: "softmax.wgsl", text: concat!(include_str!("shared.wgsl"), include_str!("softmax.wgsl")) };

/// `x[rows, n]` → `y[rows, n]`: softmax or its logarithm
pub fn forward(log: bool, rows: usize, n: usize) -> Launch {
    Launch::rows(&SOURCE, "forward", rows, &[n as u32, u32::from(log)])
}

/// `dy[rows, n]`, `y[rows, n]` → `dx[rows, n]`
pub fn backward(log: bool, rows: usize, n: usize) -> Launch {
    Launch::rows(&SOURCE, "backward", rows, &[n as u32, u32::from(log)])
}
