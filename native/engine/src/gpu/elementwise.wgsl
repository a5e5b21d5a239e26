// add, subtract, multiply, divide: a[count], b[period] repeated → y[count]; addInPlace.
// scale, addScalar, exp, log, sqrt: x[count] → y[count]; scaleInPlace, clampInPlace.

struct Params { count: u32, kind: u32, first: f32, second: f32, period: u32 }
@group(0) @binding(0) var<uniform> p: Params;

@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> mapped: array<f32>;
@group(0) @binding(1) var<storage, read_write> target_: array<f32>;

fn joined(a: f32, b: f32) -> f32 {
  switch p.kind {
    case 0u: { return a + b; }
    case 1u: { return a - b; }
    case 2u: { return a * b; }
    case 3u: { return a / b; }
    case 4u: { return a + p.first * b; }
    default: { return p.first * a + p.second * b; }
  }
}

fn changed(x: f32) -> f32 {
  switch p.kind {
    case 0u: { return p.first * x; }
    case 1u: { return x + p.first; }
    case 2u: { return exp(x); }
    case 3u: { return log(x); }
    case 4u: { return sqrt(x); }
    default: { return clamp(x, p.first, p.second); }
  }
}

@compute @workgroup_size(256)
fn zip(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i < p.count) { y[i] = joined(a[i], b[i % p.period]); }
}

@compute @workgroup_size(256)
fn update(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i < p.count) { target_[i] = joined(target_[i], b[i]); }
}

@compute @workgroup_size(256)
fn map(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i < p.count) { mapped[i] = changed(a[i]); }
}

@compute @workgroup_size(256)
fn change(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i < p.count) { target_[i] = changed(target_[i]); }
}
