// activation: x[count] (+ bias[period]) → y[count], and dy, x → dx; gated: gate, up → y, and dy, gate, up → dgate, dup.

struct Params { count: u32, kind: u32, period: u32 }
@group(0) @binding(0) var<uniform> p: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> behind: array<f32>;
@group(0) @binding(3) var<storage, read> third: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;
@group(0) @binding(5) var<storage, read_write> dup: array<f32>;

// 1 / (1 + e^−x); e^80 is the largest power that is surely finite.
fn sigmoid(x: f32) -> f32 { return 1.0 / (1.0 + exp(min(-x, 80.0))); }

// Value and derivative.
fn relu(x: f32) -> vec2f { if (x > 0.0) { return vec2f(x, 1.0); } return vec2f(0.0 * x, 0.0); }

fn silu(x: f32) -> vec2f {
  let s = sigmoid(x);
  return vec2f(x * s, s * (1.0 + x * (1.0 - s)));
}

// erfc as on the processor (Press et al., Numerical Recipes, §6.2).
fn gelu(x: f32) -> vec2f {
  let z = abs(x) * 0.70710678;
  let t = 1.0 / (1.0 + 0.5 * z);
  var q = ((((0.17087277 * t - 0.82215223) * t + 1.4885159) * t - 1.135204) * t + 0.27886807) * t;
  q = ((((q - 0.18628806) * t + 0.09678418) * t + 0.37409196) * t + 1.0000237) * t - 1.2655122;
  let tail = 0.5 * t * exp(max(q - z * z, -87.0));
  let phi = select(tail, 1.0 - tail, x > 0.0);
  return vec2f(x * phi, phi + x * 0.3989423 * exp(max(-z * z, -87.0)));
}

fn gelu_tanh(x: f32) -> vec2f {
  let s = sigmoid(1.595769 * (x + 0.044715 * x * x * x));
  return vec2f(x * s, s + x * s * (1.0 - s) * 1.595769 * (1.0 + 3.0 * 0.044715 * x * x));
}

fn activation(x: f32) -> vec2f {
  switch p.kind {
    case 0u: { return relu(x); }
    case 1u: { return silu(x); }
    case 2u: { return gelu(x); }
    default: { return gelu_tanh(x); }
  }
}

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i >= p.count) { return; }
  var at = x[i];
  if (p.period > 0u) { at += bias[i % p.period]; }
  y[i] = activation(at).x;
}

@compute @workgroup_size(256)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i >= p.count) { return; }
  var at = behind[i];
  if (p.period > 0u) { at += third[i % p.period]; }
  dx[i] = dy[i] * activation(at).y;
}

@compute @workgroup_size(256)
fn gated_forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i < p.count) { y[i] = activation(x[i]).x * bias[i]; }
}

@compute @workgroup_size(256)
fn gated_backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i >= p.count) { return; }
  let at = activation(behind[i]);
  dx[i] = dy[i] * third[i] * at.y;
  dup[i] = dy[i] * at.x;
}
