//! Sums, means, largest elements and norms, in a fixed order: partial results first, then the results of those.

use super::{Launch, Source};
use crate::cpu::reduce::{Over, Reduction};

pub(super) static SOURCE: Source =
    Source { file: "reduce.wgsl", text: concat!(include_str!("shared.wgsl"), include_str!("reduce.wgsl")) };

/// Elements of a partial result over everything.
pub const BLOCK: usize = 8192;
/// Rows of a partial result down columns: those of the processor, whose sums therefore have the same bits.
pub const ROWS: usize = 128;

/// Which pass it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// The only one.
    Only,
    /// The first: its results are joined further.
    First,
    /// The last: its elements are results.
    Last,
}

/// What is joined, and how many elements make a result in the end.
#[derive(Debug, Clone, Copy)]
pub struct Joining {
    /// What is made of them.
    pub kind: Reduction,
    /// Elements of a result.
    pub count: usize,
}

impl Joining {
    fn params(self, n: usize, elements: usize, y_start: usize, pass: Pass) -> Vec<u32> {
        let squared = self.kind == Reduction::Norm && matches!(pass, Pass::Only | Pass::First);
        let finish = match self.kind {
            Reduction::Mean if matches!(pass, Pass::Only | Pass::Last) => 1,
            Reduction::Norm if matches!(pass, Pass::Only | Pass::Last) => 2,
            _ => 0,
        };
        let is_max = self.kind == Reduction::Max;
        let start = if is_max { f32::NEG_INFINITY } else { 0.0 };
        let sizes = [n, elements, y_start].map(|size| size as u32);
        let how =
            [u32::from(squared), u32::from(is_max), finish, start.to_bits(), (self.count as f32).to_bits(), 0, 0, 0];
        [&sizes[..], &how].concat()
    }
}

/// `x[rows, n]`, of which there are `elements`, → `y[rows]` from `y_start` on
pub fn along_rows(j: Joining, [rows, n]: [usize; 2], elements: usize, y_start: usize, pass: Pass) -> Launch {
    Launch::rows(&SOURCE, "along_rows", rows, &j.params(n, elements, y_start, pass))
}

/// `x[rows, n]` → `y[⌈rows / block⌉, n]`
pub fn down_columns(j: Joining, [rows, n]: [usize; 2], block: usize, pass: Pass) -> Launch {
    let mut params = j.params(n, rows * n, 0, pass);
    params[10] = block as u32;
    Launch::flat(&SOURCE, "down_columns", rows.div_ceil(block).max(1) * n, &params)
}

/// `x[rows, n]` → the place of the first largest of each row, i32
pub fn argmax_along_rows(rows: usize, n: usize) -> Launch {
    Launch::rows(&SOURCE, "argmax_along_rows", rows, &[&[n as u32][..], &[0; 10]].concat())
}

/// `x[.., n]`, `elements` of them, → the place of the first largest of each column, i32
pub fn argmax_down_columns(n: usize, elements: usize) -> Launch {
    Launch::flat(&SOURCE, "argmax_down_columns", n, &[&[n as u32, elements as u32][..], &[0; 9]].concat())
}

fn places(kind: Reduction, over: Over, n: usize, count: usize) -> [u32; 11] {
    let kind = match kind {
        Reduction::Sum => 0,
        Reduction::Mean => 1,
        Reduction::Max => 2,
        Reduction::Norm => 3,
    };
    let over = match over {
        Over::All => 0,
        Over::Rows => 1,
        Over::Columns => 2,
    };
    [n as u32, 0, 0, 0, 0, 0, 0, (count as f32).to_bits(), kind, over, 0]
}

/// `x[elements]` in rows of `n`, results → 1 where an element equals its result, else 0
pub fn equal(over: Over, n: usize, elements: usize) -> Launch {
    Launch::flat(&SOURCE, "equal", elements, &places(Reduction::Max, over, n, 0))
}

/// `x[elements]` in rows of `n`, `dy`, the results, how many elements equal each (or the results again) → `dx[elements]`
pub fn spread(kind: Reduction, over: Over, n: usize, elements: usize, count: usize) -> Launch {
    Launch::flat(&SOURCE, "spread", elements, &places(kind, over, n, count))
}
