//! Dropout by counter-based random numbers: the elements that the processor drops.

use super::{Launch, Source};

pub(super) static SOURCE: Source =
    Source { file: "dropout.wgsl", text: concat!(include_str!("shared.wgsl"), include_str!("dropout.wgsl")) };

/// `x[count]` → `y[count]`; an element is dropped where its random word is below `threshold`, the others are multiplied
pub fn dropout(count: usize, threshold: u64, factor: f32, (seed, offset): (u64, u64)) -> Launch {
    let drops_all = u32::try_from(threshold).is_err();
    let words = [seed as u32, (seed >> 32) as u32, offset as u32, (offset >> 32) as u32];
    let how = [count as u32, threshold as u32, u32::from(drops_all), factor.to_bits()];
    Launch::flat(&SOURCE, "dropout", count.div_ceil(4), &[how, words].concat())
}
