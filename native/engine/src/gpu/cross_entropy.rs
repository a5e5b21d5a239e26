//! Softmax cross-entropy of a chunk of logits: a workgroup for each row.

use super::{Launch, Source};

pub(super) static SOURCE: Source = Source {
    file: "cross_entropy.wgsl",
    text: concat!(include_str!("shared.wgsl"), include_str!("cross_entropy.wgsl")),
};

/// The target that does not count.
pub const IGNORED: u32 = u32::MAX;

/// `logits[rows, n]`, `targets[tokens]`, `losses[tokens]`, both from `first` on; with a scale the logits become their gradient
pub fn loss([rows, n]: [usize; 2], first: usize, scale: Option<f32>, smoothing: f32) -> Launch {
    let wanted = u32::from(scale.is_some());
    let numbers = [scale.unwrap_or(0.0), smoothing].map(f32::to_bits);
    Launch::rows(&SOURCE, "loss", rows, &[n as u32, first as u32, wanted, numbers[0], numbers[1]])
}
