//! The scales of double quantization.

use super::{Launch, Source};

pub(super) static SOURCE: Source =
    Source { file: "double_quant.wgsl", text: concat!(include_str!("shared.wgsl"), include_str!("double_quant.wgsl")) };

/// `codes[count]` u8, `scales[⌈count / 256⌉]`, the dynamic map → `numbers[count]`
pub fn decode(count: usize, offset: f32) -> Launch {
    Launch::flat(&SOURCE, "decode", count, &[offset.to_bits()])
}
