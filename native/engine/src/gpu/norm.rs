//! Root-mean-square and layer normalization: a workgroup for each row.

use super::{Launch, Source};

pub(super) static SOURCE: Source =
    Source { file: "norm.wgsl", text: concat!(include_str!("shared.wgsl"), include_str!("norm.wgsl")) };

/// `x[rows, n]`, `weight[n]` → `y[rows, n]`, `rstd[rows]`
pub fn rms_norm_forward(rows: usize, n: usize, epsilon: f32) -> Launch {
    Launch::rows(&SOURCE, "rms_norm_forward", rows, &[n as u32, epsilon.to_bits(), 0])
}

/// `x[rows, n]`, `residual[rows, n]`, `weight[n]` → `sum[rows, n]`, `y[rows, n]`, `rstd[rows]`
pub fn add_rms_norm_forward(rows: usize, n: usize, epsilon: f32) -> Launch {
    Launch::rows(&SOURCE, "add_rms_norm_forward", rows, &[n as u32, epsilon.to_bits(), 0])
}

/// `dy[rows, n]`, `x[rows, n]`, `weight[n]`, `rstd[rows]` → `dx[rows, n]`
pub fn rms_norm_backward(rows: usize, n: usize) -> Launch {
    Launch::rows(&SOURCE, "rms_norm_backward", rows, &[n as u32, 0, 0])
}

/// `dy[rows, n]`, `x[rows, n]`, `rstd[rows]` → `dweight[n]`
pub fn rms_norm_backward_weight(rows: usize, n: usize) -> Launch {
    Launch::flat(&SOURCE, "rms_norm_backward_weight", n, &[rows as u32, 0, 0])
}

/// `x[rows, n]`, `weight[n]`, the bias or `weight` again → `y[rows, n]`, `mean[rows]`, `rstd[rows]`
pub fn layer_norm_forward(rows: usize, n: usize, epsilon: f32, bias: bool) -> Launch {
    Launch::rows(&SOURCE, "layer_norm_forward", rows, &[n as u32, epsilon.to_bits(), u32::from(bias)])
}

/// `dy[rows, n]`, `x[rows, n]`, `weight[n]`, `mean[rows]`, `rstd[rows]` → `dx[rows, n]`
pub fn layer_norm_backward(rows: usize, n: usize) -> Launch {
    Launch::rows(&SOURCE, "layer_norm_backward", rows, &[n as u32, 0, 0])
}

/// `dy[rows, n]`, `x[rows, n]`, `mean[rows]`, `rstd[rows]` → `dweight[n]`, `dbias[n]`
pub fn layer_norm_backward_parameters(rows: usize, n: usize) -> Launch {
    Launch::flat(&SOURCE, "layer_norm_backward_parameters", n, &[rows as u32, 0, 0])
}
