// sliceRows, concatRows, cacheWrite, cacheRead, copies: blocks of words; embedding, gatherRows: rows by number;
// embeddingBackward, scatterRows: rows added where their numbers say, in order; transpose, permute.

struct Params {
  count: u32, width: u32,
  from_start: u32, from_stride: u32, to_start: u32, to_stride: u32,
  pad0: u32, pad1: u32,
  // Two dimensions each, last ones last: size and step.
  dimensions: array<vec4u, 4>,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> words: array<u32>;

@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> gathered: array<u32>;

@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> into: array<f32>;

@compute @workgroup_size(256)
fn blocks(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i >= p.count) { return; }
  let block = i / p.width;
  let at = i % p.width;
  words[p.to_start + block * p.to_stride + at] = source[p.from_start + block * p.from_stride + at];
}

@compute @workgroup_size(256)
fn gather(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i < p.count) { gathered[i] = table[ids[i / p.width] * p.width + i % p.width]; }
}

// from_start: how many rows are added
@compute @workgroup_size(256)
fn scatter_add(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i >= p.count) { return; }
  let row = i / p.width;
  var sum = into[i];
  for (var n = 0u; n < p.from_start; n++) {
    if (ids[n] == row) { sum += dy[n * p.width + i % p.width]; }
  }
  into[i] = sum;
}

// width: how many dimensions there are
@compute @workgroup_size(256)
fn permute(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i >= p.count) { return; }
  var rest = i;
  var from_ = 0u;
  for (var d = p.width; d > 0u; d--) {
    let pair = p.dimensions[(d - 1u) / 2u];
    let dimension = select(pair.xy, pair.zw, (d - 1u) % 2u == 1u);
    from_ += rest % dimension.x * dimension.y;
    rest /= dimension.x;
  }
  words[i] = source[from_];
}
