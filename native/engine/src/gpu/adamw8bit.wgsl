// adamw8bitStep: a workgroup for each block of 256 numbers of p[count], with codes of both moments (u8) and their scales, in
// place. maps: values and middles of the signed map, then of the unsigned one, 256 each.

struct Params {
  blocks: u32, beta1: f32, rest1: f32, beta2: f32, rest2: f32, keep: f32, rate: f32, correction: f32, epsilon: f32, scale: f32,
  count: u32,
}
@group(0) @binding(0) var<uniform> o: Params;
@group(0) @binding(1) var<storage, read_write> p: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> m_codes: array<u32>;
@group(0) @binding(4) var<storage, read_write> m_scales: array<f32>;
@group(0) @binding(5) var<storage, read_write> v_codes: array<u32>;
@group(0) @binding(6) var<storage, read_write> v_scales: array<f32>;
@group(0) @binding(7) var<storage, read> maps: array<f32>;

const SIGNED = 0u;
const UNSIGNED = 512u;

var<workgroup> codes: array<vec2u, 256>;

// How many middles are below: the nearest code, the lower of two.
fn nearest(map: u32, x: f32) -> u32 {
  var code = 0u;
  for (var step = 128u; step > 0u; step >>= 1u) {
    if (maps[map + 256u + code + step - 1u] < x) { code += step; }
  }
  return code;
}

fn reciprocal(x: f32) -> f32 { if (x > 0.0) { return 1.0 / x; } return 0.0; }

@compute @workgroup_size(256)
fn update(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let block = group_number(group, groups);
  if (block >= o.blocks) { return; }
  let i = block * 256u + local;
  let shift = 8u * (i % 4u);
  var first = 0.0;
  var second = 0.0;
  if (i < o.count) {
    let slope = g[i] * o.scale;
    first = o.beta1 * (maps[SIGNED + (m_codes[i / 4u] >> shift & 255u)] * m_scales[block]) + o.rest1 * slope;
    second = o.beta2 * (maps[UNSIGNED + (v_codes[i / 4u] >> shift & 255u)] * v_scales[block]) + o.rest2 * slope * slope;
    p[i] = p[i] * o.keep - o.rate * first / (sqrt(second) * o.correction + o.epsilon);
  }
  let m_scale = largest(local, abs(first));
  let v_scale = largest(local, abs(second));
  codes[local] = vec2u(nearest(SIGNED, first * reciprocal(m_scale)), nearest(UNSIGNED, second * reciprocal(v_scale)));
  workgroupBarrier();
  if (local == 0u) {
    m_scales[block] = m_scale;
    v_scales[block] = v_scale;
  }
  if (local % 4u == 0u && i < o.count) {
    var word = vec2u(0u);
    for (var n = 0u; n < 4u; n++) { word |= codes[local + n] << vec2u(8u * n); }
    m_codes[i / 4u] = word.x;
    v_codes[i / 4u] = word.y;
  }
}
