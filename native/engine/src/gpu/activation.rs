//! Activation functions with their derivatives, alone, after a bias, or as the gate of a product.

use super::{Launch, Source};
use crate::cpu::activation::Activation;

pub(super) static SOURCE: Source =
    Source { file: "activation.wgsl", text: concat!(include_str!("shared.wgsl"), include_str!("activation.wgsl")) };

/// The kernel's number of a function.
fn number(kind: Activation) -> u32 {
    match kind {
        Activation::Relu => 0,
        Activation::Silu => 1,
        Activation::Gelu => 2,
        Activation::GeluTanh => 3,
    }
}

/// `x[count]`, the bias or `x` again → `y[count]`; `bias`: its length
pub fn forward(kind: Activation, count: usize, bias: Option<usize>) -> Launch {
    Launch::flat(&SOURCE, "forward", count, &[number(kind), bias.unwrap_or(0) as u32])
}

/// `dy[count]`, `x[count]`, the bias or `x` again → `dx[count]`
pub fn backward(kind: Activation, count: usize, bias: Option<usize>) -> Launch {
    Launch::flat(&SOURCE, "backward", count, &[number(kind), bias.unwrap_or(0) as u32])
}

/// `gate[count]`, `up[count]` → `y[count]`
pub fn gated_forward(kind: Activation, count: usize) -> Launch {
    Launch::flat(&SOURCE, "gated_forward", count, &[number(kind), 0])
}

/// `dy[count]`, `gate[count]`, `up[count]` → `dgate[count]`, `dup[count]`
pub fn gated_backward(kind: Activation, count: usize) -> Launch {
    Launch::flat(&SOURCE, "gated_backward", count, &[number(kind), 0])
}
