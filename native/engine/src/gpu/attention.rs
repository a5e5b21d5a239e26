//! Attention with grouped heads, masks and biases: a workgroup for each query of each head.

use super::{Launch, Source};
use crate::cpu::attention::Sizes;

static SOURCE: Source =
    Source { file: "attention.wgsl", text: concat!(include_str!("shared.wgsl"), include_str!("attention.wgsl")) };

/// The widest head that the kernel takes.
pub const MOST_WIDTH: usize = 1024;

/// `q`, `k`, `v`, then key mask, lengths and slopes, or `q` again → `y`, `log_sum_exp[batch, heads, queries]`; `given`:
/// which of the three there are
pub fn forward(s: &Sizes, given: [bool; 3]) -> Launch {
    let [mask, lengths, slopes] = given.map(u32::from);
    let sizes = [s.heads, s.kv_heads, s.queries, s.keys, s.width].map(|size| size as u32);
    let window = s.window.map_or(u32::MAX, |window| window as u32);
    let cap = s.soft_cap.unwrap_or(0.0);
    let options = [s.scale.to_bits(), cap.to_bits(), u32::from(s.causal), window, mask, lengths, slopes];
    Launch::rows(&SOURCE, "forward", s.batch * s.heads * s.queries, &[&sizes[..], &options].concat())
}
