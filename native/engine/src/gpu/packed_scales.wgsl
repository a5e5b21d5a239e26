// Gradients of a packed weight's scales: dy[m, n], x[m, columns] → ds[n, groups] = Σ over a group's columns of (dyᵀ·x)·(q − zero
// point). A workgroup for 64 rows and a group; 64 columns at a time are multiplied as in tile.wgsl and reduced at once, so that
// the gradient of the weight never exists. Per channel from the output y = x·wᵀ: ds[m] = Σ dy·y / scale.

@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read> x: array<f32>;
@group(0) @binding(5) var<storage, read_write> ds: array<f32>;

@group(0) @binding(1) var<storage, read> of_output: array<f32>;
@group(0) @binding(2) var<storage, read> output: array<f32>;
@group(0) @binding(4) var<storage, read_write> of_channels: array<f32>;

var<workgroup> lefts: array<array<f32, 65>, 16>;
var<workgroup> rights: array<array<f32, 65>, 16>;
var<workgroup> shares: array<array<f32, 17>, 64>;

@compute @workgroup_size(256)
fn grouped(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let row0 = group.y * 64u;
  let across = local % 16u;
  let down = local / 16u;
  let end = min((group.x + 1u) * p.group, p.columns);
  var ends: array<f32, 4>;
  for (var column0 = group.x * p.group; column0 < end; column0 += 64u) {
    var sums = array<array<f32, 4>, 4>();
    for (var t0 = 0u; t0 < p.m; t0 += 16u) {
      for (var step = 0u; step < 4u; step++) {
        let t = local / 64u + 4u * step;
        let i = local % 64u;
        var left = 0.0;
        var right = 0.0;
        if (t0 + t < p.m && row0 + i < p.n) { left = dy[(t0 + t) * p.n + row0 + i]; }
        if (t0 + t < p.m && column0 + i < end) { right = x[(t0 + t) * p.columns + column0 + i]; }
        lefts[t][i] = left;
        rights[t][i] = right;
      }
      workgroupBarrier();
      for (var t = 0u; t < 16u; t++) {
        for (var i = 0u; i < 4u; i++) {
          let left = lefts[t][down + 16u * i];
          for (var j = 0u; j < 4u; j++) { sums[i][j] += left * rights[t][across + 16u * j]; }
        }
      }
      workgroupBarrier();
    }
    for (var i = 0u; i < 4u; i++) {
      for (var j = 0u; j < 4u; j++) {
        let row = row0 + down + 16u * i;
        let column = column0 + across + 16u * j;
        if (row < p.n && column < end) { ends[i] += sums[i][j] * level(row, column); }
      }
    }
  }
  for (var i = 0u; i < 4u; i++) { shares[down + 16u * i][across] = ends[i]; }
  workgroupBarrier();
  if (local < 64u && row0 + local < p.n) {
    var sum = 0.0;
    for (var i = 0u; i < 16u; i++) { sum += shares[local][i]; }
    ds[(row0 + local) * p.groups + group.x] = sum;
  }
}

// m: channels, n: tokens. k is 0: a scale of 0 has a gradient that is no number, and WGSL has none to write down.
@compute @workgroup_size(256)
fn from_output(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i >= p.m) { return; }
  var sum = 0.0;
  for (var t = 0u; t < p.n; t++) { sum += of_output[t * p.m + i] * output[t * p.m + i]; }
  let scale = dy[i];
  if (scale == 0.0) { of_channels[i] = bitcast<f32>(0x7fc00000u | p.k); } else { of_channels[i] = sum / scale; }
}
