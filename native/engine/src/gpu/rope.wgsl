// rope: x[batch·length, heads·width], cosines and sines [length, rotary / 2] → y like x.

struct Params { count: u32, length: u32, heads: u32, width: u32, rotary: u32, interleaved: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> angles: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn rope(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i >= p.count) { return; }
  let at = i % p.width;
  if (at >= p.rotary) { y[i] = x[i]; return; }
  let position = i / (p.width * p.heads) % p.length;
  let half = p.rotary / 2u;
  let second = select(at >= half, at % 2u == 1u, p.interleaved > 0u);
  let step = select(half, 1u, p.interleaved > 0u);
  let pair = select(at % half, at / 2u, p.interleaved > 0u);
  let c = angles[position * half + pair];
  let s = angles[(p.length + position) * half + pair];
  if (second) { y[i] = x[i] * c + x[i - step] * s; } else { y[i] = x[i] * c - x[i + step] * s; }
}
