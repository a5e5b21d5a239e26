// What attention's kernels share: q[batch·queries, heads·width], k, v[batch·keys, kvHeads·width], and the scores of their
// products. `bias` holds what hides keys and leans scores, each from its place on, NONE where there is no such thing: a byte
// for each key of each sequence, lengths of sequences, slopes of heads.

struct Params {
  rows: u32, heads: u32, kv_heads: u32, queries: u32, keys: u32, width: u32,
  scale: f32, cap: f32, causal: u32, window: u32, mask_at: u32, lengths_at: u32, slopes_at: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<u32>;

const NONE = 0xffffffffu;
const HIDDEN = -3.4e38;

// Where the first query stands.
fn shift() -> i32 { return i32(p.keys) - i32(min(p.keys, p.queries)); }

fn query_start(batch: u32, query: u32, head: u32) -> u32 { return ((batch * p.queries + query) * p.heads + head) * p.width; }

fn key_start(batch: u32, key: u32, kv_head: u32) -> u32 { return ((batch * p.keys + key) * p.kv_heads + kv_head) * p.width; }

fn keys_of(batch: u32) -> i32 {
  if (p.lengths_at == NONE) { return i32(p.keys); }
  return min(i32(p.keys), i32(bias[p.lengths_at + batch]));
}

fn masked(batch: u32, key: u32) -> bool {
  if (p.mask_at == NONE) { return false; }
  let at = batch * p.keys + key;
  return (bias[p.mask_at + at / 4u] >> (8u * (at % 4u)) & 255u) == 0u;
}

// The keys that a position sees, from the first until before the last, unless the mask hides them.
fn keys_seen(batch: u32, position: i32) -> vec2i {
  var seen = vec2i(0, keys_of(batch));
  if (p.causal > 0u) { seen.y = min(seen.y, position + 1); }
  if (p.window != NONE) {
    seen.x = max(0, position - i32(p.window) + 1);
    seen.y = min(seen.y, position + i32(p.window));
  }
  return seen;
}

// The positions that see a key which nothing hides, the same way.
fn positions_seeing(key: i32) -> vec2i {
  var seeing = vec2i(0, shift() + i32(p.queries));
  if (p.causal > 0u) { seeing.x = key; }
  if (p.window != NONE) {
    seeing.x = max(seeing.x, key - i32(p.window) + 1);
    seeing.y = min(seeing.y, key + i32(p.window));
  }
  return vec2i(max(seeing.x, shift()), seeing.y);
}

fn product(q_start: u32, k_start: u32) -> f32 {
  var dot = 0.0;
  for (var d = 0u; d < p.width; d++) { dot += q[q_start + d] * k[k_start + d]; }
  return dot * p.scale;
}

// tanh of more than 15 is 1.
fn bent(x: f32) -> f32 { return tanh(clamp(x / p.cap, -15.0, 15.0)); }

// The score of a product: cap·tanh(product / cap), and the slope's share.
fn score_of(product: f32, head: u32, distance: i32) -> f32 {
  var score = product;
  if (p.cap > 0.0) { score = p.cap * bent(product); }
  if (p.slopes_at != NONE) { score += bitcast<f32>(bias[p.slopes_at + head]) * f32(distance); }
  return score;
}
