//! Lion.

use super::{Launch, Source};
use crate::cpu::lion::Lion;

pub(super) static SOURCE: Source =
    Source { file: "lion.wgsl", text: concat!(include_str!("shared.wgsl"), include_str!("lion.wgsl")) };

/// `p[count]`, `g`, `m`, changed in place but for `g`
pub fn step(count: usize, o: &Lion) -> Launch {
    let decays = [o.beta1, 1.0 - o.beta1, o.beta2, 1.0 - o.beta2];
    let rates = [1.0 - o.learning_rate * o.weight_decay, o.learning_rate, o.gradient_scale];
    let params = [&decays[..], &rates].concat();
    Launch::flat(
        &SOURCE,
        "update",
        count,
        &params.into_iter().map(|number| (number as f32).to_bits()).collect::<Vec<_>>(),
    )
}
