// sgdStep: p[count], g and, with momentum, m → p, m in place.

struct Params { count: u32, rate: f32, momentum: f32, decay: f32, scale: f32, of_g: f32, of_m: f32 }
@group(0) @binding(0) var<uniform> o: Params;
@group(0) @binding(1) var<storage, read_write> p: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> m: array<f32>;

@compute @workgroup_size(256)
fn update(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i >= o.count) { return; }
  let slope = g[i] * o.scale + o.decay * p[i];
  let momentum = o.momentum * m[i] + slope;
  m[i] = momentum;
  p[i] -= o.rate * (o.of_g * slope + o.of_m * momentum);
}

@compute @workgroup_size(256)
fn update_plain(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i < o.count) { p[i] -= o.rate * (g[i] * o.scale + o.decay * p[i]); }
}
