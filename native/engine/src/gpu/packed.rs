//! Linear layers whose weight is packed.

use super::matmul::grid;
use super::{Launch, Source};
use crate::format::{Layout, int};

static SOURCE: Source = Source {
    file: "packed.wgsl",
    text: concat!(include_str!("shared.wgsl"), include_str!("packed.wgsl"), include_str!("tile.wgsl")),
};

/// `x[m, columns]`, codes, scales, zero points (scales again where there are none) → `y[m, rows]`
pub fn forward(m: usize, w: Layout) -> Launch {
    launch([m, w.rows, w.columns], w, false)
}

/// `dy[m, rows]`, codes, scales, zero points (scales again where there are none) → `dx[m, columns]`
pub fn backward_input(m: usize, w: Layout) -> Launch {
    launch([m, w.columns, w.rows], w, true)
}

fn launch([m, n, k]: [usize; 3], w: Layout, backward: bool) -> Launch {
    let (entry, groups) = grid(1, m, n);
    let bits = w.format.bits();
    let (together, turned) = (usize::from(!backward), usize::from(backward));
    let group = if w.group == 0 { w.columns } else { w.group }.max(1);
    let layout = [w.columns, bits, int::row_bytes(w.columns, bits), group, int::groups(w.columns, w.group)];
    let sizes = [&[m, n, k, 1, together, turned], &layout[..], &[usize::from(!w.format.is_integer())]].concat();
    let levels = w.format.table().map_or([0.0; 16], |table| table.levels);
    let params = sizes.into_iter().map(|size| size as u32).chain(levels.map(f32::to_bits)).collect();
    Launch { source: &SOURCE, entry, params, groups }
}
