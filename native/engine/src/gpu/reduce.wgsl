// Reductions in a fixed order. along_rows: x[rows, n], of which there are `elements`, → y[y_start + row]; down_columns: blocks of
// rows of x[rows, n] → y[block, n]. A second pass over the results joins what is left, and finishes.
// equal, spread: the gradient of what was joined.

struct Params {
  first: u32, n: u32, elements: u32, y_start: u32,
  squared: u32, is_max: u32, finish: u32, start: u32, count: f32,
  kind: u32, over: u32, block: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> joined: array<f32>;
@group(0) @binding(4) var<storage, read> ties: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;
@group(0) @binding(2) var<storage, read> results: array<f32>;
@group(0) @binding(3) var<storage, read_write> same: array<f32>;

fn term(x: f32) -> f32 { return select(x, x * x, p.squared > 0u); }

fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }

fn join(a: f32, b: f32) -> f32 {
  if (p.is_max == 0u) { return a + b; }
  return select(a, b, (b > a || is_nan(b)) && !is_nan(a));
}

fn finished(x: f32) -> f32 {
  switch p.finish {
    case 1u: { return x / p.count; }
    case 2u: { return sqrt(x); }
    default: { return x; }
  }
}

@compute @workgroup_size(256)
fn along_rows(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = group_number(group, groups);
  if (row >= p.first) { return; }
  let end = min((row + 1u) * p.n, p.elements);
  var sum = bitcast<f32>(p.start);
  for (var i = row * p.n + local; i < end; i += 256u) { sum = join(sum, term(x[i])); }
  partial[local] = sum;
  workgroupBarrier();
  for (var step = 128u; step > 0u; step >>= 1u) {
    if (local < step) { partial[local] = join(partial[local], partial[local + step]); }
    workgroupBarrier();
  }
  if (local == 0u) { y[p.y_start + row] = finished(partial[0]); }
}

// first: blocks · n
@compute @workgroup_size(256)
fn down_columns(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i >= p.first) { return; }
  let start = i / p.n * p.n * p.block + i % p.n;
  let end = min(start + p.n * p.block, p.elements);
  var sum = bitcast<f32>(p.start);
  for (var at = start; at < end; at += p.n) { sum = join(sum, term(x[at])); }
  y[i] = finished(sum);
}

@group(0) @binding(2) var<storage, read_write> places: array<i32>;
var<workgroup> of_partial: array<i32, 256>;

// Whether b at j comes before a at i: what is no number is the largest, and of equal ones the first counts.
fn ahead(a: f32, i: i32, b: f32, j: i32) -> bool {
  if (j < 0 || i < 0) { return j >= 0; }
  if (is_nan(a) || is_nan(b)) { return is_nan(b) && (!is_nan(a) || j < i); }
  return b > a || (b == a && j < i);
}

@compute @workgroup_size(256)
fn argmax_along_rows(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = group_number(group, groups);
  if (row >= p.first) { return; }
  var best = 0.0;
  var place = -1;
  for (var i = local; i < p.n; i += 256u) {
    let value = x[row * p.n + i];
    if (ahead(best, place, value, i32(i))) { best = value; place = i32(i); }
  }
  partial[local] = best;
  of_partial[local] = place;
  workgroupBarrier();
  for (var step = 128u; step > 0u; step >>= 1u) {
    if (local < step && ahead(partial[local], of_partial[local], partial[local + step], of_partial[local + step])) {
      partial[local] = partial[local + step];
      of_partial[local] = of_partial[local + step];
    }
    workgroupBarrier();
  }
  if (local == 0u) { places[row] = of_partial[0]; }
}

@compute @workgroup_size(256)
fn argmax_down_columns(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let column = group_number(group, groups) * 256u + local;
  if (column >= p.first) { return; }
  var best = 0.0;
  var place = -1;
  for (var at = column; at < p.elements; at += p.n) {
    if (ahead(best, place, x[at], i32(at / p.n))) { best = x[at]; place = i32(at / p.n); }
  }
  places[column] = place;
}

// The result that element i went into.
fn result_of(i: u32) -> u32 {
  switch p.over {
    case 0u: { return 0u; }
    case 1u: { return i % p.n; }
    default: { return i / p.n; }
  }
}

// 1 where an element equals its result
@compute @workgroup_size(256)
fn equal(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i < p.first) { same[i] = select(0.0, 1.0, x[i] == results[result_of(i)]); }
}

@compute @workgroup_size(256)
fn spread(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i >= p.first) { return; }
  let at = result_of(i);
  var gradient = dy[at];
  switch p.kind {
    case 0u: {}
    case 1u: { gradient /= p.count; }
    case 2u: { gradient = select(0.0, gradient / ties[at], x[i] == joined[at]); }
    default: { gradient = select(gradient * x[i] / joined[at], 0.0, joined[at] == 0.0); }
  }
  dx[i] = gradient;
}
