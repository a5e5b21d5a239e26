//! Linear layers whose weight is packed.

use super::matmul::{TILE, grid};
use super::{Launch, Source};
use crate::format::{Layout, int};

pub(super) static SOURCE: Source = Source {
    file: "packed.wgsl",
    text: concat!(
        include_str!("shared.wgsl"),
        include_str!("packed_weight.wgsl"),
        include_str!("packed.wgsl"),
        include_str!("tile.wgsl")
    ),
};
pub(super) static SCALES: Source = Source {
    file: "packed_scales.wgsl",
    text: concat!(include_str!("shared.wgsl"), include_str!("packed_weight.wgsl"), include_str!("packed_scales.wgsl")),
};

/// Codes, zero points (scales again where there are none), scales, `x[m, columns]` → `y[m, rows]`
pub fn forward(m: usize, w: Layout) -> Launch {
    let (entry, groups) = grid(1, m, w.rows);
    Launch { source: &SOURCE, entry, params: params([m, w.rows, w.columns], w, false), groups }
}

/// Codes, zero points (scales again where there are none), scales, `dy[m, rows]` → `dx[m, columns]`
pub fn backward_input(m: usize, w: Layout) -> Launch {
    let (entry, groups) = grid(1, m, w.columns);
    Launch { source: &SOURCE, entry, params: params([m, w.columns, w.rows], w, true), groups }
}

/// Codes, zero points (scales again where there are none), scales → the weight `[rows, columns]`
pub fn dequantize(w: Layout) -> Launch {
    Launch::flat(&SOURCE, "dequantize", w.rows * w.columns, &params([0; 3], w, false)[1..])
}

/// Codes and zero points of an integer format, `dy[m, rows]`, `x[m, columns]` → `ds[rows, groups]`
pub fn backward_scales(m: usize, w: Layout) -> Launch {
    let groups = [int::groups(w.columns, w.group), w.rows.div_ceil(TILE), 1];
    Launch { source: &SCALES, entry: "grouped", params: params([m, w.rows, w.columns], w, false), groups }
}

/// `dy[tokens, channels]`, `y[tokens, channels]`, `scales[channels]` → `ds[channels]`
pub fn backward_scales_from_output(tokens: usize, channels: usize) -> Launch {
    Launch::flat(&SCALES, "from_output", channels, &[&[tokens as u32][..], &[0; 26]].concat())
}

fn params([m, n, k]: [usize; 3], w: Layout, backward: bool) -> Vec<u32> {
    let bits = w.format.bits();
    let (together, turned) = (usize::from(!backward), usize::from(backward));
    let group = if w.group == 0 { w.columns } else { w.group }.max(1);
    let layout = [w.columns, bits, int::row_bytes(w.columns, bits), group, int::groups(w.columns, w.group)];
    let sizes = [&[m, n, k, 1, together, turned], &layout[..], &[usize::from(!w.format.is_integer())]].concat();
    let levels = w.format.table().map_or([0.0; 16], |table| table.levels);
    sizes.into_iter().map(|size| size as u32).chain(levels.map(f32::to_bits)).collect()
}
