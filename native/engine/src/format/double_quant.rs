//! Double quantization of NF4's scales (Dettmers et al., "QLoRA", 2023, §3): their mean is taken off, the rest becomes
//! eight-bit codes of a dynamic map in blocks of 256. Bytes equal those of bitsandbytes' CPU path.

use std::sync::LazyLock;

/// Scales that share a scale.
pub const BLOCK: usize = 256;

/// Steps between −1 and 1 to which numbers are rounded before the nearest code is looked up, as bitsandbytes does.
const STEPS: f32 = 65535.0;

/// The signed dynamic map, ascending: seven decades, each with twice the values of the one below it.
pub fn dynamic_map() -> &'static [f32; 256] {
    static MAP: LazyLock<[f32; 256]> = LazyLock::new(|| make_map(true));
    &MAP
}

/// The unsigned dynamic map, ascending: the same decades with twice as many values each.
pub fn unsigned_dynamic_map() -> &'static [f32; 256] {
    static MAP: LazyLock<[f32; 256]> = LazyLock::new(|| make_map(false));
    &MAP
}

fn make_map(signed: bool) -> [f32; 256] {
    let mut values = vec![0.0f32, 1.0];
    for decade in 0..7 {
        let count = if signed { 1usize << decade } else { 2 << decade };
        let step = 0.9f32 / count as f32;
        // The edges of `count` equal intervals of [0.1, 1], each half counted from its own end.
        let edge = |i: usize| {
            if i <= count / 2 { step.mul_add(i as f32, 0.1) } else { step.mul_add(-((count - i) as f32), 1.0) }
        };
        let factor = 10f64.powi(decade - 6) as f32;
        for i in 0..count {
            let middle = (edge(i) + edge(i + 1)) / 2.0;
            values.push(middle * factor);
            if signed {
                values.push(-(middle * factor));
            }
        }
    }
    values.sort_by(f32::total_cmp);
    std::array::from_fn(|i| values[i])
}

/// Scales in eight bits.
#[derive(Debug, Clone, PartialEq)]
pub struct NestedScales {
    /// Indices into [`dynamic_map`].
    pub codes: Vec<u8>,
    /// The largest magnitude of each block.
    pub scales: Vec<f32>,
    /// The mean.
    pub offset: f32,
}

/// `scales[n]` → codes, one scale for each 256 of them, and their mean.
///
/// The mean is summed in f64: it is the exact mean rounded once, while bitsandbytes' depends on the order in which
/// PyTorch adds on the machine at hand (they differ by an ulp or two, if at all).
pub fn quantize_scales_nested(scales: &[f32]) -> NestedScales {
    let sum: f64 = scales.iter().map(|&scale| f64::from(scale)).sum();
    quantize_around(scales, (sum / scales.len().max(1) as f64) as f32)
}

/// [`quantize_scales_nested`] with a given mean.
pub fn quantize_around(scales: &[f32], offset: f32) -> NestedScales {
    let map = dynamic_map();
    let middles: [f32; 255] = std::array::from_fn(|i| (map[i] + map[i + 1]) / 2.0);
    let mut nested = NestedScales { codes: Vec::with_capacity(scales.len()), scales: Vec::new(), offset };
    for block in scales.chunks(BLOCK) {
        let largest = block.iter().fold(0.0f32, |largest, scale| largest.max((scale - offset).abs()));
        nested.scales.push(largest);
        if largest == 0.0 {
            nested.codes.extend(block.iter().map(|_| 0));
            continue;
        }
        let reciprocal = 1.0 / largest;
        nested.codes.extend(block.iter().map(|scale| {
            let x = ((scale - offset) * reciprocal).clamp(-1.0, 1.0);
            let step = ((x + 1.0) * 0.5 * STEPS + 0.5).trunc();
            let rounded = -1.0 + 2.0 * step / STEPS;
            middles.partition_point(|&middle| middle < rounded) as u8
        }));
    }
    nested
}

/// Scale number `i`.
#[inline(always)]
pub(super) fn decode(code: u8, scales: &[f32], i: usize, offset: f32) -> f32 {
    dynamic_map()[usize::from(code)] * scales[i / BLOCK] + offset
}
