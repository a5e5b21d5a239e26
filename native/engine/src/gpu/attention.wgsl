// attention: q[batch·queries, heads·width], k, v[batch·keys, kvHeads·width] → y like q, log_sum_exp[batch, heads, queries].
// A workgroup for each query of each head; 256 keys at a time, with the running maximum and denominator of Milakov and
// Gimelshein 2018.

struct Params {
  rows: u32, heads: u32, kv_heads: u32, queries: u32, keys: u32, width: u32,
  scale: f32, cap: f32, causal: u32, window: u32, has_mask: u32, has_lengths: u32, has_slopes: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;
@group(0) @binding(4) var<storage, read> key_mask: array<u32>;
@group(0) @binding(5) var<storage, read> lengths: array<u32>;
@group(0) @binding(6) var<storage, read> slopes: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;
@group(0) @binding(8) var<storage, read_write> log_sum_exp: array<f32>;

const HIDDEN = -3.4e38;

var<workgroup> weights: array<f32, 256>;
var<workgroup> sums: array<f32, 1024>;

// cap·tanh(x / cap); tanh of more than 15 is 1.
fn capped(x: f32) -> f32 {
  if (p.cap == 0.0) { return x; }
  return p.cap * tanh(clamp(x / p.cap, -15.0, 15.0));
}

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = group_number(group, groups);
  if (row >= p.rows) { return; }
  let query = row % p.queries;
  let head = row / p.queries % p.heads;
  let batch = row / (p.queries * p.heads);
  let position = i32(query) + i32(p.keys) - i32(min(p.keys, p.queries));
  let q_start = ((batch * p.queries + query) * p.heads + head) * p.width;
  let kv_row = p.kv_heads * p.width;
  let kv_start = batch * p.keys * kv_row + head / (p.heads / p.kv_heads) * p.width;

  // Keys from first to last are seen, unless the mask hides them.
  var last = i32(p.keys);
  if (p.has_lengths > 0u) { last = min(last, i32(lengths[batch])); }
  if (p.causal > 0u) { last = min(last, position + 1); }
  var first = 0;
  if (p.window != 0xffffffffu) {
    first = max(0, position - i32(p.window) + 1);
    last = min(last, position + i32(p.window));
  }

  for (var d = local; d < p.width; d += 256u) { sums[d] = 0.0; }
  var top = HIDDEN;
  var denominator = 0.0;
  for (var start = first; start < last; start += 256) {
    let key = start + i32(local);
    var score = HIDDEN;
    var seen = key < last;
    if (seen && p.has_mask > 0u) {
      let at = batch * p.keys + u32(key);
      seen = (key_mask[at / 4u] >> (8u * (at % 4u)) & 255u) != 0u;
    }
    if (seen) {
      let k_start = kv_start + u32(key) * kv_row;
      var dot = 0.0;
      for (var d = 0u; d < p.width; d++) { dot += q[q_start + d] * k[k_start + d]; }
      score = capped(dot * p.scale);
      if (p.has_slopes > 0u) { score += slopes[head] * f32(key - position); }
    }
    let highest = max(top, largest(local, score));
    let weight = select(0.0, exp(score - highest), seen);
    weights[local] = weight;
    let added = total(local, weight);
    let shrink = exp(max(top - highest, -87.0)) * select(1.0, 0.0, top == HIDDEN);
    denominator = denominator * shrink + added;
    top = highest;
    let count = u32(min(256, last - start));
    for (var d = local; d < p.width; d += 256u) {
      var sum = sums[d] * shrink;
      for (var j = 0u; j < count; j++) { sum += weights[j] * v[kv_start + u32(start + i32(j)) * kv_row + d]; }
      sums[d] = sum;
    }
    workgroupBarrier();
  }
  for (var d = local; d < p.width; d += 256u) { y[q_start + d] = select(0.0, sums[d] / denominator, denominator > 0.0); }
  if (local == 0u) { log_sum_exp[row] = select(HIDDEN, top + log(denominator), denominator > 0.0); }
}
