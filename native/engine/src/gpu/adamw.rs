//! AdamW.

use super::{Launch, Source};
use crate::cpu::adamw::{AdamW, Factors};

pub(super) static SOURCE: Source =
    Source { file: "adamw.wgsl", text: concat!(include_str!("shared.wgsl"), include_str!("adamw.wgsl")) };

/// `p[count]`, `g`, `m`, `v`, changed in place but for `g`
pub fn step(count: usize, options: &AdamW) -> Launch {
    Launch::flat(&SOURCE, "update", count, &Factors::new(options).numbers().map(f32::to_bits))
}
