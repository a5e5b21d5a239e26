// Softmax cross-entropy of a chunk of logits[rows, n]: a workgroup for each row makes its loss and, where wanted, turns the row
// into its gradient scale·(softmax − (1 − ε)·onehot − ε/n). Targets and losses of the chunk start at `first`.

struct Params { rows: u32, n: u32, first: u32, wanted: u32, scale: f32, smoothing: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;

// The target that does not count.
const IGNORED = 0xffffffffu;

@compute @workgroup_size(256)
fn loss(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = group_number(group, groups);
  if (row >= p.rows) { return; }
  let start = row * p.n;
  let target_ = targets[p.first + row];
  if (target_ == IGNORED) {
    if (p.wanted > 0u) { for (var i = local; i < p.n; i += 256u) { logits[start + i] = 0.0; } }
    if (local == 0u) { losses[p.first + row] = 0.0; }
    return;
  }
  var top = -3.4e38;
  for (var i = local; i < p.n; i += 256u) { top = max(top, logits[start + i]); }
  let shift = largest(local, top);
  var sum = 0.0;
  var level = 0.0;
  for (var i = local; i < p.n; i += 256u) {
    let z = logits[start + i] - shift;
    sum += exp(z);
    level += z;
  }
  let all = total(local, sum);
  let mean = total(local, level) / f32(p.n);
  // By the invocation that will write there.
  if (local == target_ % 256u) {
    let chosen = logits[start + target_] - shift;
    losses[p.first + row] = log(all) - ((1.0 - p.smoothing) * chosen + p.smoothing * mean);
  }
  if (p.wanted == 0u) { return; }
  let factor = p.scale / all;
  let share = p.scale * p.smoothing / f32(p.n);
  for (var i = local; i < p.n; i += 256u) {
    var z = exp(logits[start + i] - shift) * factor - share;
    if (i == target_) { z -= p.scale * (1.0 - p.smoothing); }
    logits[start + i] = z;
  }
}
