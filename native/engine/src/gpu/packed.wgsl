// Linear layers whose weight[rows, columns] is packed: x[m, columns] → x·wᵀ, dy[m, rows] → dy·w. Codes are decoded where a tile
// is loaded. dequantize: the weight as numbers.

@group(0) @binding(4) var<storage, read> x: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> numbers: array<f32>;

fn left_at(batch: u32, row: u32, k: u32) -> f32 { return x[row * p.k + k]; }

fn right_at(batch: u32, k: u32, column: u32) -> f32 {
  if (p.backward > 0u) { return weight(k, column); }
  return weight(column, k);
}

fn finish(batch: u32, row: u32, column: u32, sum: f32) { y[row * p.n + column] = sum; }

// m: how many numbers there are
@compute @workgroup_size(256)
fn dequantize(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i < p.m) { numbers[i] = weight(i / p.columns, i % p.columns); }
}
