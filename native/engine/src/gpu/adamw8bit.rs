//! AdamW with moments of eight bits: a workgroup for each block.

use super::{Launch, Source};
use crate::cpu::adamw::{AdamW, Factors};
use crate::cpu::adamw8bit::{BLOCK, Codebook};

pub(super) static SOURCE: Source =
    Source { file: "adamw8bit.wgsl", text: concat!(include_str!("shared.wgsl"), include_str!("adamw8bit.wgsl")) };

/// `p[count]`, `g`, codes and scales of the first moment, of the second, [`maps`]; changed in place but for `g` and the maps
pub fn step(count: usize, options: &AdamW) -> Launch {
    let factors = Factors::new(options).numbers().map(f32::to_bits);
    Launch::rows(&SOURCE, "update", count.div_ceil(BLOCK), &[&factors[..], &[count as u32]].concat())
}

/// Values and middles of the map of first moments, then of second ones.
pub fn maps() -> Vec<f32> {
    [Codebook::signed(), Codebook::unsigned()]
        .into_iter()
        .flat_map(|map| map.values().iter().chain(map.middles()))
        .copied()
        .collect()
}
