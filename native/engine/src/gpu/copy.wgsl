// sliceRows, concatRows, cacheWrite, cacheRead, copies: blocks of words; zeros; embedding, gatherRows: rows by number;
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

@group(0) @binding(1) var<storage, read_write> filled: array<u32>;

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

// A workgroup for each row that something is added to. plan: a pair for each, its number and where its part of the order of
// rows of dy starts, and one pair more; then that order.
@compute @workgroup_size(256)
fn scatter_add(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let n = group_number(group, groups);
  if (n >= p.count) { return; }
  let order = 2u * (p.count + 1u);
  for (var column = local; column < p.width; column += 256u) {
    let at = ids[2u * n] * p.width + column;
    var sum = into[at];
    for (var i = ids[2u * n + 1u]; i < ids[2u * n + 3u]; i++) { sum += dy[ids[order + i] * p.width + column]; }
    into[at] = sum;
  }
}

// from_start: the word
@compute @workgroup_size(256)
fn fill(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i < p.count) { filled[i] = p.from_start; }
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
