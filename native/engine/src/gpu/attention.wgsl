// attention: → y like q, log_sum_exp[batch, heads, queries]. A workgroup for each query of each head; 256 keys at a time,
// with the running maximum and denominator of Milakov and Gimelshein 2018.

@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read_write> log_sum_exp: array<f32>;

var<workgroup> weights: array<f32, 256>;
var<workgroup> sums: array<f32, 1024>;

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = group_number(group, groups);
  if (row >= p.rows) { return; }
  let query = row % p.queries;
  let head = row / p.queries % p.heads;
  let batch = row / (p.queries * p.heads);
  let kv_head = head / (p.heads / p.kv_heads);
  let position = shift() + i32(query);
  let q_start = query_start(batch, query, head);
  let seen = keys_seen(batch, position);

  for (var d = local; d < p.width; d += 256u) { sums[d] = 0.0; }
  var top = HIDDEN;
  var denominator = 0.0;
  for (var start = seen.x; start < seen.y; start += 256) {
    let key = start + i32(local);
    var score = HIDDEN;
    let counts = key < seen.y && !masked(batch, u32(key));
    if (counts) { score = score_of(product(q_start, key_start(batch, u32(key), kv_head)), head, key - position); }
    let highest = max(top, largest(local, score));
    let weight = select(0.0, exp(score - highest), counts);
    weights[local] = weight;
    let added = total(local, weight);
    let shrink = exp(max(top - highest, -87.0)) * select(1.0, 0.0, top == HIDDEN);
    denominator = denominator * shrink + added;
    top = highest;
    let count = u32(min(256, seen.y - start));
    for (var d = local; d < p.width; d += 256u) {
      var sum = sums[d] * shrink;
      for (var j = 0u; j < count; j++) { sum += weights[j] * v[key_start(batch, u32(start) + j, kv_head) + d]; }
      sums[d] = sum;
    }
    workgroupBarrier();
  }
  for (var d = local; d < p.width; d += 256u) { y[q_start + d] = select(0.0, sums[d] / denominator, denominator > 0.0); }
  if (local == 0u) { log_sum_exp[row] = select(HIDDEN, top + log(denominator), denominator > 0.0); }
}
