//! Copies of words: blocks of rows, rows by number, dimensions in another order.

use super::{Launch, Source};

pub(super) static SOURCE: Source =
    Source { file: "copy.wgsl", text: concat!(include_str!("shared.wgsl"), include_str!("copy.wgsl")) };

/// Where blocks lie: the first word, and words from one block to the next.
#[derive(Debug, Clone, Copy)]
pub struct Blocks {
    /// The first word.
    pub start: usize,
    /// From a block to the next.
    pub stride: usize,
}

/// `count` blocks of `width` words of one tensor → another
pub fn blocks(count: usize, width: usize, from: Blocks, to: Blocks) -> Launch {
    let places = [from.start, from.stride, to.start, to.stride].map(|place| place as u32);
    Launch::flat(&SOURCE, "blocks", count * width, &[&[width as u32], &places[..]].concat())
}

/// `ids[n]`, `table[.., width]` → `y[n, width]`, in words
pub fn gather(n: usize, width: usize) -> Launch {
    Launch::flat(&SOURCE, "gather", n * width, &[width as u32, 0, 0, 0, 0])
}

/// Which rows are added where: the plan of [`scatter_add`], and how many rows change.
pub fn scatter_plan(ids: &[i32]) -> (Vec<u32>, usize) {
    let mut order: Vec<u32> = (0..ids.len() as u32).collect();
    order.sort_by_key(|&i| ids[i as usize]);
    let mut pairs: Vec<u32> = Vec::new();
    for (at, &i) in order.iter().enumerate() {
        let row = ids[i as usize] as u32;
        if pairs.len() < 2 || pairs[pairs.len() - 2] != row {
            pairs.extend([row, at as u32]);
        }
    }
    let rows = pairs.len() / 2;
    pairs.extend([0, ids.len() as u32]);
    pairs.extend(order);
    (pairs, rows)
}

/// The plan, `dy[n, width]` added to `into`, of which `rows` rows change
pub fn scatter_add(rows: usize, width: usize) -> Launch {
    Launch::rows(&SOURCE, "scatter_add", rows, &[width as u32, 0, 0, 0, 0])
}

/// `words` of one value
pub fn fill(words: usize, value: u32) -> Launch {
    Launch::flat(&SOURCE, "fill", words, &[0, value, 0, 0, 0])
}

/// The most dimensions of [`permute`].
pub const MOST_DIMENSIONS: usize = 8;

/// `x` → `y`, whose dimensions are these, with the steps that they make in `x`
pub fn permute(shape: &[usize], strides: &[usize]) -> Launch {
    let mut params = [0; 7 + 2 * MOST_DIMENSIONS];
    params[0] = shape.len() as u32;
    for (i, (size, stride)) in shape.iter().zip(strides).enumerate() {
        params[7 + 2 * i] = *size as u32;
        params[8 + 2 * i] = *stride as u32;
    }
    Launch::flat(&SOURCE, "permute", shape.iter().product(), &params)
}
