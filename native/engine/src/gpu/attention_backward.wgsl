// attention's gradients (Dao et al. 2022, algorithm 4): with p = e^(score − lse) and ds = p·(dy·v − delta), delta = dy·y,
// dq = scale·ds·k, dk = scale·dsᵀ·q, dv = pᵀ·dy. A workgroup for each row of dq, then one for each row of dk and dv: sums
// run in one order, and nothing is added by two.

// lse and delta of each query of each head.
@group(0) @binding(1) var<storage, read> of_output: array<f32>;
@group(0) @binding(2) var<storage, read> output: array<f32>;
@group(0) @binding(3) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(4) var<storage, read_write> made: array<f32>;

@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read> moments: array<f32>;
@group(0) @binding(7) var<storage, read_write> dq: array<f32>;
@group(0) @binding(7) var<storage, read_write> dk: array<f32>;
@group(0) @binding(8) var<storage, read_write> dv: array<f32>;

var<workgroup> shares: array<f32, 256>;
var<workgroup> slopes: array<f32, 256>;
var<workgroup> sums: array<f32, 1024>;
var<workgroup> value_sums: array<f32, 1024>;

@compute @workgroup_size(256)
fn backward_moments(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = group_number(group, groups) * 256u + local;
  if (row >= p.rows) { return; }
  let start = query_start(row / (p.queries * p.heads), row % p.queries, row / p.queries % p.heads);
  var delta = 0.0;
  for (var d = 0u; d < p.width; d++) { delta += of_output[start + d] * output[start + d]; }
  made[2u * row] = log_sum_exp[row];
  made[2u * row + 1u] = delta;
}

// p and ds of a query and a key that it sees.
fn slope(batch: u32, head: u32, query: u32, key: u32) -> vec2f {
  let q_start = query_start(batch, query, head);
  let k_start = key_start(batch, key, head / (p.heads / p.kv_heads));
  let row = (batch * p.heads + head) * p.queries + query;
  let x = product(q_start, k_start);
  let share = exp(min(score_of(x, head, i32(key) - shift() - i32(query)) - moments[2u * row], 80.0));
  var along = 0.0;
  for (var d = 0u; d < p.width; d++) { along += dy[q_start + d] * v[k_start + d]; }
  var ds = share * (along - moments[2u * row + 1u]);
  if (p.cap > 0.0) { let t = bent(x); ds *= 1.0 - t * t; }
  return vec2f(share, ds);
}

@compute @workgroup_size(256)
fn backward_queries(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = group_number(group, groups);
  if (row >= p.rows) { return; }
  let query = row % p.queries;
  let head = row / p.queries % p.heads;
  let batch = row / (p.queries * p.heads);
  let kv_head = head / (p.heads / p.kv_heads);
  let seen = keys_seen(batch, shift() + i32(query));
  for (var d = local; d < p.width; d += 256u) { sums[d] = 0.0; }
  for (var start = seen.x; start < seen.y; start += 256) {
    let key = start + i32(local);
    var ds = 0.0;
    if (key < seen.y && !masked(batch, u32(key))) { ds = slope(batch, head, query, u32(key)).y; }
    slopes[local] = ds;
    workgroupBarrier();
    let count = u32(min(256, seen.y - start));
    for (var d = local; d < p.width; d += 256u) {
      var sum = sums[d];
      for (var j = 0u; j < count; j++) { sum += slopes[j] * k[key_start(batch, u32(start) + j, kv_head) + d]; }
      sums[d] = sum;
    }
    workgroupBarrier();
  }
  let q_start = query_start(batch, query, head);
  for (var d = local; d < p.width; d += 256u) { dq[q_start + d] = p.scale * sums[d]; }
}

// rows: keys of each head of keys
@compute @workgroup_size(256)
fn backward_keys(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = group_number(group, groups);
  if (row >= p.rows) { return; }
  let kv_head = row % p.kv_heads;
  let key = row / p.kv_heads % p.keys;
  let batch = row / (p.kv_heads * p.keys);
  let members = p.heads / p.kv_heads;
  var seeing = positions_seeing(i32(key)) - vec2i(shift());
  if (i32(key) >= keys_of(batch) || masked(batch, key)) { seeing = vec2i(0); }
  for (var d = local; d < p.width; d += 256u) { sums[d] = 0.0; value_sums[d] = 0.0; }
  for (var member = 0u; member < members; member++) {
    let head = kv_head * members + member;
    for (var start = seeing.x; start < seeing.y; start += 256) {
      let query = start + i32(local);
      var both = vec2f(0.0);
      if (query < seeing.y) { both = slope(batch, head, u32(query), key); }
      shares[local] = both.x;
      slopes[local] = both.y;
      workgroupBarrier();
      let count = u32(min(256, seeing.y - start));
      for (var d = local; d < p.width; d += 256u) {
        var sum = sums[d];
        var value_sum = value_sums[d];
        for (var j = 0u; j < count; j++) {
          let at = query_start(batch, u32(start) + j, head) + d;
          sum += slopes[j] * q[at];
          value_sum += shares[j] * dy[at];
        }
        sums[d] = sum;
        value_sums[d] = value_sum;
      }
      workgroupBarrier();
    }
  }
  let k_start = key_start(batch, key, kv_head);
  for (var d = local; d < p.width; d += 256u) {
    dk[k_start + d] = p.scale * sums[d];
    dv[k_start + d] = value_sums[d];
  }
}
