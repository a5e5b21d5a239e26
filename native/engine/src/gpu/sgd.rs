//! Stochastic gradient descent.

use super::{Launch, Source};
use crate::cpu::sgd::Sgd;

pub(super) static SOURCE: Source =
    Source { file: "sgd.wgsl", text: concat!(include_str!("shared.wgsl"), include_str!("sgd.wgsl")) };

fn params(o: &Sgd) -> [u32; 6] {
    let momentum = o.momentum as f32;
    let (of_g, of_m) = if o.nesterov { (1.0, momentum) } else { (0.0, 1.0) };
    [o.learning_rate as f32, momentum, o.weight_decay as f32, o.gradient_scale as f32, of_g, of_m].map(f32::to_bits)
}

/// `p[count]`, `g`, `m`, changed in place but for `g`
pub fn step(count: usize, options: &Sgd) -> Launch {
    Launch::flat(&SOURCE, "update", count, &params(options))
}

/// `p[count]`, changed in place, `g`
pub fn step_plain(count: usize, options: &Sgd) -> Launch {
    Launch::flat(&SOURCE, "update_plain", count, &params(options))
}
