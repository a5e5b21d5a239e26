// rmsNorm, addRmsNorm, layerNorm, forward and backward: x[rows, n], weight[n], bias[n] → y[rows, n], mean[rows], rstd[rows].
// Forward and dx: a workgroup for each row; gradients of weight and bias: an invocation for each column.

struct Params { first: u32, second: u32, epsilon: f32, bias: u32 }
@group(0) @binding(0) var<uniform> p: Params;

@group(0) @binding(1) var<storage, read> in1: array<f32>;
@group(0) @binding(2) var<storage, read> in2: array<f32>;
@group(0) @binding(3) var<storage, read> in3: array<f32>;
@group(0) @binding(4) var<storage, read> in4: array<f32>;
@group(0) @binding(5) var<storage, read> in5: array<f32>;
@group(0) @binding(3) var<storage, read_write> out3: array<f32>;
@group(0) @binding(4) var<storage, read_write> out4: array<f32>;
@group(0) @binding(5) var<storage, read_write> out5: array<f32>;
@group(0) @binding(6) var<storage, read_write> out6: array<f32>;

// in: x, weight; out: y, rstd
@compute @workgroup_size(256)
fn rms_norm_forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = group_number(group, groups);
  let n = p.second;
  if (row >= p.first) { return; }
  var squares = 0.0;
  for (var i = local; i < n; i += 256u) { let x = in1[row * n + i]; squares += x * x; }
  let rstd = 1.0 / sqrt(total(local, squares) / f32(n) + p.epsilon);
  for (var i = local; i < n; i += 256u) { out3[row * n + i] = in1[row * n + i] * rstd * in2[i]; }
  if (local == 0u) { out4[row] = rstd; }
}

// in: x, residual, weight; out: sum, y, rstd
@compute @workgroup_size(256)
fn add_rms_norm_forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = group_number(group, groups);
  let n = p.second;
  if (row >= p.first) { return; }
  var squares = 0.0;
  for (var i = local; i < n; i += 256u) {
    let x = in1[row * n + i] + in2[row * n + i];
    out4[row * n + i] = x;
    squares += x * x;
  }
  let rstd = 1.0 / sqrt(total(local, squares) / f32(n) + p.epsilon);
  for (var i = local; i < n; i += 256u) { out5[row * n + i] = out4[row * n + i] * rstd * in3[i]; }
  if (local == 0u) { out6[row] = rstd; }
}

// in: dy, x, weight, rstd; out: dx
@compute @workgroup_size(256)
fn rms_norm_backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = group_number(group, groups);
  let n = p.second;
  if (row >= p.first) { return; }
  let rstd = in4[row];
  var along = 0.0;
  for (var i = local; i < n; i += 256u) { along += in1[row * n + i] * in3[i] * in2[row * n + i]; }
  let mean = total(local, along) * rstd * rstd / f32(n);
  for (var i = local; i < n; i += 256u) {
    let at = row * n + i;
    out5[at] = rstd * (in1[at] * in3[i] - in2[at] * mean);
  }
}

// in: dy, x, rstd; out: dweight
@compute @workgroup_size(256)
fn rms_norm_backward_weight(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  let n = p.first;
  if (i >= n) { return; }
  var sum = 0.0;
  for (var row = 0u; row < p.second; row++) { sum += in1[row * n + i] * in2[row * n + i] * in3[row]; }
  out4[i] = sum;
}

// in: x, weight, bias; out: y, mean, rstd
@compute @workgroup_size(256)
fn layer_norm_forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = group_number(group, groups);
  let n = p.second;
  if (row >= p.first) { return; }
  var sum = 0.0;
  for (var i = local; i < n; i += 256u) { sum += in1[row * n + i]; }
  let mean = total(local, sum) / f32(n);
  var squares = 0.0;
  for (var i = local; i < n; i += 256u) { let x = in1[row * n + i] - mean; squares += x * x; }
  let rstd = 1.0 / sqrt(total(local, squares) / f32(n) + p.epsilon);
  for (var i = local; i < n; i += 256u) {
    var y = (in1[row * n + i] - mean) * rstd * in2[i];
    if (p.bias > 0u) { y += in3[i]; }
    out4[row * n + i] = y;
  }
  if (local == 0u) { out5[row] = mean; out6[row] = rstd; }
}

// in: dy, x, weight, mean, rstd; out: dx
@compute @workgroup_size(256)
fn layer_norm_backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = group_number(group, groups);
  let n = p.second;
  if (row >= p.first) { return; }
  let mean = in4[row];
  let rstd = in5[row];
  var sum = 0.0;
  var along = 0.0;
  for (var i = local; i < n; i += 256u) {
    let g = in1[row * n + i] * in3[i];
    sum += g;
    along += g * (in2[row * n + i] - mean) * rstd;
  }
  let level = total(local, sum) / f32(n);
  let slope = total(local, along) / f32(n);
  for (var i = local; i < n; i += 256u) {
    let at = row * n + i;
    out6[at] = rstd * (in1[at] * in3[i] - level - (in2[at] - mean) * rstd * slope);
  }
}

// in: dy, x, mean, rstd; out: dweight, dbias
@compute @workgroup_size(256)
fn layer_norm_backward_parameters(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  let n = p.first;
  if (i >= n) { return; }
  var along = 0.0;
  var sum = 0.0;
  for (var row = 0u; row < p.second; row++) {
    let g = in1[row * n + i];
    along += g * (in2[row * n + i] - in3[row]) * in4[row];
    sum += g;
  }
  out5[i] = along;
  out6[i] = sum;
}
