// softmax, logSoftmax: x[rows, n] → y[rows, n]; dy, y → dx.

struct Params { rows: u32, n: u32, log: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read> result: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = group_number(group, groups);
  if (row >= p.rows) { return; }
  let start = row * p.n;
  var top = -3.4e38;
  for (var i = local; i < p.n; i += 256u) { top = max(top, x[start + i]); }
  let shift = largest(local, top);
  var sum = 0.0;
  for (var i = local; i < p.n; i += 256u) { sum += exp(x[start + i] - shift); }
  let all = total(local, sum);
  for (var i = local; i < p.n; i += 256u) {
    let z = x[start + i] - shift;
    if (p.log > 0u) { y[start + i] = z - log(all); } else { y[start + i] = exp(z) / all; }
  }
}

@compute @workgroup_size(256)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = group_number(group, groups);
  if (row >= p.rows) { return; }
  let start = row * p.n;
  var along = 0.0;
  for (var i = local; i < p.n; i += 256u) {
    along += x[start + i] * select(result[start + i], 1.0, p.log > 0u);
  }
  let sum = total(local, along);
  for (var i = local; i < p.n; i += 256u) {
    let dy = x[start + i];
    let y = result[start + i];
    dx[start + i] = select(y * (dy - sum), dy - exp(y) * sum, p.log > 0u);
  }
}
