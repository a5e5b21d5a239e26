//! Elements of one type to those of another.

use super::{Launch, Source};
use crate::dtype::DType;

pub(super) static SOURCE: Source =
    Source { file: "cast.wgsl", text: concat!(include_str!("shared.wgsl"), include_str!("cast.wgsl")) };

/// The kernel's number of a type.
fn number(dtype: DType) -> u32 {
    match dtype {
        DType::F32 => 0,
        DType::F16 => 1,
        DType::BF16 => 2,
        DType::I32 => 3,
        DType::I8 => 4,
        DType::U8 => 5,
    }
}

/// `x[count]` → `y[count]`
pub fn cast(count: usize, from: DType, to: DType) -> Launch {
    let words = (count * to.size()).div_ceil(size_of::<u32>());
    Launch::flat(&SOURCE, "convert", words, &[count as u32, number(from), number(to)])
}
