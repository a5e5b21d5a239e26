// adamwStep: p[count], g, m, v → p, m, v in place.

struct Params {
  count: u32, beta1: f32, rest1: f32, beta2: f32, rest2: f32, keep: f32, rate: f32, correction: f32, epsilon: f32, scale: f32,
}
@group(0) @binding(0) var<uniform> o: Params;
@group(0) @binding(1) var<storage, read_write> p: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> m: array<f32>;
@group(0) @binding(4) var<storage, read_write> v: array<f32>;

@compute @workgroup_size(256)
fn update(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i >= o.count) { return; }
  let slope = g[i] * o.scale;
  let first = o.beta1 * m[i] + o.rest1 * slope;
  let second = o.beta2 * v[i] + o.rest2 * slope * slope;
  m[i] = first;
  v[i] = second;
  p[i] = p[i] * o.keep - o.rate * first / (sqrt(second) * o.correction + o.epsilon);
}
