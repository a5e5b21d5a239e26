//! Attention with grouped heads, masks and biases: a workgroup for each query of each head, or for each key of each of its
//! heads.

use super::{Launch, Source};
use crate::cpu::attention::Sizes;

pub(super) static FORWARD: Source = Source {
    file: "attention.wgsl",
    text: concat!(include_str!("shared.wgsl"), include_str!("attention_scores.wgsl"), include_str!("attention.wgsl")),
};
pub(super) static BACKWARD: Source = Source {
    file: "attention_backward.wgsl",
    text: concat!(
        include_str!("shared.wgsl"),
        include_str!("attention_scores.wgsl"),
        include_str!("attention_backward.wgsl")
    ),
};

/// The widest head that the kernels take.
pub const MOST_WIDTH: usize = 1024;
/// Wider windows see all.
const MOST_WINDOW: usize = 1 << 30;
/// The place of what is not there.
const NONE: u32 = u32::MAX;

/// Where in their tensor, in words, lie the mask of keys, the lengths and the slopes; none where not given.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bias {
    /// Bytes `[batch, keys]`.
    pub mask: Option<usize>,
    /// `[batch]`
    pub lengths: Option<usize>,
    /// `[heads]`
    pub slopes: Option<usize>,
}

fn params(s: &Sizes, bias: Bias) -> Vec<u32> {
    let sizes = [s.heads, s.kv_heads, s.queries, s.keys, s.width].map(|size| size as u32);
    let window = s.window.map_or(NONE, |window| window.min(MOST_WINDOW) as u32);
    let cap = s.soft_cap.unwrap_or(0.0);
    let places = [bias.mask, bias.lengths, bias.slopes].map(|place| place.map_or(NONE, |place| place as u32));
    [&sizes[..], &[s.scale.to_bits(), cap.to_bits(), u32::from(s.causal), window], &places].concat()
}

fn of_queries(s: &Sizes) -> usize {
    s.batch * s.heads * s.queries
}

/// `q`, `k`, `v`, the bias or `q` again → `y`, `log_sum_exp[batch, heads, queries]`
pub fn forward(s: &Sizes, bias: Bias) -> Launch {
    Launch::rows(&FORWARD, "forward", of_queries(s), &params(s, bias))
}

/// `dy`, `y`, `log_sum_exp` → `moments[batch, heads, queries, 2]`
pub fn backward_moments(s: &Sizes) -> Launch {
    Launch::flat(&BACKWARD, "backward_moments", of_queries(s), &params(s, Bias::default()))
}

/// `q`, `k`, `v`, the bias or `q` again, `dy`, `moments` → `dq`
pub fn backward_queries(s: &Sizes, bias: Bias) -> Launch {
    Launch::rows(&BACKWARD, "backward_queries", of_queries(s), &params(s, bias))
}

/// `q`, `k`, `v`, the bias or `q` again, `dy`, `moments` → `dk`, `dv`
pub fn backward_keys(s: &Sizes, bias: Bias) -> Launch {
    Launch::rows(&BACKWARD, "backward_keys", s.batch * s.kv_heads * s.keys, &params(s, bias))
}
