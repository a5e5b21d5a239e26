// lionStep: p[count], g, m → p, m in place.

struct Params { count: u32, beta1: f32, rest1: f32, beta2: f32, rest2: f32, keep: f32, rate: f32, scale: f32 }
@group(0) @binding(0) var<uniform> o: Params;
@group(0) @binding(1) var<storage, read_write> p: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> m: array<f32>;

@compute @workgroup_size(256)
fn update(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i >= o.count) { return; }
  let slope = g[i] * o.scale;
  p[i] = p[i] * o.keep - o.rate * sign(o.beta1 * m[i] + o.rest1 * slope);
  m[i] = o.beta2 * m[i] + o.rest2 * slope;
}
