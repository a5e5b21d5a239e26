// dropout: x[count] → y[count], four elements by the four words of a counter of Philox 4×32-10 (Salmon et al. 2011).

struct Params { quads: u32, count: u32, threshold: u32, drops_all: u32, factor: f32, seed0: u32, seed1: u32, offset0: u32, offset1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// The upper half of a product of 64 bits.
fn upper(a: u32, b: u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u);
}

fn philox(counter: u32) -> vec4u {
  var words = vec4u(counter, 0u, p.offset0, p.offset1);
  var key = vec2u(p.seed0, p.seed1);
  for (var round = 0u; round < 10u; round++) {
    let a = vec2u(upper(words.x, 0xd2511f53u), words.x * 0xd2511f53u);
    let b = vec2u(upper(words.z, 0xcd9e8d57u), words.z * 0xcd9e8d57u);
    words = vec4u(b.x ^ words.y ^ key.x, b.y, a.x ^ words.w ^ key.y, a.y);
    key += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return words;
}

@compute @workgroup_size(256)
fn dropout(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let quad = group_number(group, groups) * 256u + local;
  if (quad >= p.quads) { return; }
  let words = philox(quad);
  for (var n = 0u; n < 4u; n++) {
    let i = 4u * quad + n;
    if (i < p.count) { y[i] = select(p.factor * x[i], 0.0, p.drops_all > 0u || words[n] < p.threshold); }
  }
}
