//! Element by element, and a vector with every row.

use super::{Launch, Source};

pub(super) static SOURCE: Source =
    Source { file: "elementwise.wgsl", text: concat!(include_str!("shared.wgsl"), include_str!("elementwise.wgsl")) };

/// What two numbers become; the order is the kernel's.
#[derive(Debug, Clone, Copy)]
pub enum Zip {
    /// `a + b`.
    Add,
    /// `a − b`.
    Subtract,
    /// `a · b`.
    Multiply,
    /// `a / b`.
    Divide,
    /// `a + alpha·b`.
    AddScaled(f32),
    /// `alpha·a + beta·b`.
    Mix(f32, f32),
}

/// What a number becomes; the order is the kernel's.
#[derive(Debug, Clone, Copy)]
pub enum Map {
    /// `factor · x`.
    Scale(f32),
    /// `x + value`.
    Add(f32),
    /// `e^x`.
    Exp,
    /// `ln x`.
    Log,
    /// `√x`.
    Sqrt,
    /// Brought into a range.
    Clamp(f32, f32),
}

impl Zip {
    fn words(self) -> [u32; 3] {
        match self {
            Zip::Add => [0, 0, 0],
            Zip::Subtract => [1, 0, 0],
            Zip::Multiply => [2, 0, 0],
            Zip::Divide => [3, 0, 0],
            Zip::AddScaled(alpha) => [4, alpha.to_bits(), 0],
            Zip::Mix(alpha, beta) => [5, alpha.to_bits(), beta.to_bits()],
        }
    }
}

impl Map {
    fn words(self) -> [u32; 3] {
        match self {
            Map::Scale(factor) => [0, factor.to_bits(), 0],
            Map::Add(value) => [1, value.to_bits(), 0],
            Map::Exp => [2, 0, 0],
            Map::Log => [3, 0, 0],
            Map::Sqrt => [4, 0, 0],
            Map::Clamp(low, high) => [5, low.to_bits(), high.to_bits()],
        }
    }
}

/// `a[count]`, `b[period]`, again and again → `y[count]`
pub fn zip(what: Zip, count: usize, period: usize) -> Launch {
    Launch::flat(&SOURCE, "zip", count, &[&what.words()[..], &[period as u32]].concat())
}

/// `target[count]` changed in place by `b[count]`
pub fn update(what: Zip, count: usize) -> Launch {
    Launch::flat(&SOURCE, "update", count, &[&what.words()[..], &[count as u32]].concat())
}

/// `x[count]` → `y[count]`
pub fn map(what: Map, count: usize) -> Launch {
    Launch::flat(&SOURCE, "map", count, &what.words())
}

/// `target[count]` changed in place
pub fn change(what: Map, count: usize) -> Launch {
    Launch::flat(&SOURCE, "change", count, &what.words())
}
