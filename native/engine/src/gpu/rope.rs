//! Rotary positions: an invocation for each pair or element that is kept.

use super::{Launch, Source};

pub(super) static SOURCE: Source =
    Source { file: "rope.wgsl", text: concat!(include_str!("shared.wgsl"), include_str!("rope.wgsl")) };

/// What rows look like.
#[derive(Debug, Clone, Copy)]
pub struct Heads {
    /// Positions of a sequence.
    pub length: usize,
    /// Heads of a row.
    pub heads: usize,
    /// Elements of a head.
    pub width: usize,
    /// Elements of a head that are turned.
    pub rotary: usize,
    /// Whether neighbours make a pair; halves otherwise.
    pub interleaved: bool,
}

/// `x[count]`, `angles[2, length, rotary / 2]`, cosines first → `y[count]`
pub fn rope(count: usize, h: Heads) -> Launch {
    let sizes = [h.length, h.heads, h.width, h.rotary, usize::from(h.interleaved)].map(|size| size as u32);
    Launch::flat(&SOURCE, "rope", count, &sizes)
}
