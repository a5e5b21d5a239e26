// matmul, batchedMatmul: alpha·a·b (+ y) (+ bias[n]) (+ residual[m, n]) → y[m, n], with a and b as they lie or transposed.

struct Params {
  m: u32, n: u32, k: u32, left_k_together: u32, right_k_together: u32,
  a_batch: u32, a_row: u32, a_column: u32, b_batch: u32, b_row: u32, b_column: u32,
  alpha: f32, accumulate: u32, bias: u32, residual: u32, y_start: u32, a_start: u32, b_start: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

fn left_at(batch: u32, row: u32, k: u32) -> f32 {
  return a[p.a_start + batch * p.a_batch + row * p.a_row + k * p.a_column];
}

fn right_at(batch: u32, k: u32, column: u32) -> f32 {
  return b[p.b_start + batch * p.b_batch + k * p.b_row + column * p.b_column];
}

fn finish(batch: u32, row: u32, column: u32, sum: f32) {
  let at = p.y_start + (batch * p.m + row) * p.n + column;
  var value = p.alpha * sum;
  if (p.accumulate > 0u) { value += y[at]; }
  if (p.bias > 0u) { value += bias[column]; }
  if (p.residual > 0u) { value += residual[row * p.n + column]; }
  y[at] = value;
}
