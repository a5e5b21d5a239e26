// tensorCast: elements of one type to those of another; an invocation for each word of the result. Halves are made and read by
// their bits, as on the processor: ties to even, and nothing is flushed.

struct Params { words: u32, count: u32, source: u32, result: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;


// Types: f32, f16, bf16, i32, i8, u8, from 0.
fn bytes_of(kind: u32) -> u32 {
  switch kind {
    case 0u, 3u: { return 4u; }
    case 1u, 2u: { return 2u; }
    default: { return 1u; }
  }
}

// The bits of element i.
fn element(i: u32) -> u32 {
  let size = bytes_of(p.source);
  let word = x[i * size / 4u] >> (8u * (i * size % 4u));
  if (size == 4u) { return word; }
  return word & ((1u << (8u * size)) - 1u);
}

// The bits of an f32 that is worth an f16.
fn widened(half: u32) -> u32 {
  let sign = (half & 0x8000u) << 16u;
  let exponent = half >> 10u & 31u;
  let rest = half & 0x3ffu;
  // What is no number stays none, and quiet.
  if (exponent == 31u) { return sign | 0x7f800000u | rest << 13u | select(0u, 0x400000u, rest > 0u); }
  if (exponent > 0u) { return sign | (exponent + 112u) << 23u | rest << 13u; }
  return sign | bitcast<u32>(f32(rest) * 5.9604645e-8);
}

// Ties to even; what is too large is infinite.
fn narrowed(bits: u32) -> u32 {
  let sign = bits >> 16u & 0x8000u;
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) { return sign | 0x7e00u | magnitude >> 13u & 0x3ffu; }
  if (magnitude >= 0x477ff000u) { return sign | 0x7c00u; }
  var kept = (magnitude >> 23u) << 10u | magnitude >> 13u & 0x3ffu;
  var lost = magnitude & 0x1fffu;
  var tie = 0x1000u;
  if (magnitude >= 0x38800000u) {
    kept -= 112u << 10u;
  } else {
    // Too small for an exponent of its own.
    let shift = 126u - (magnitude >> 23u);
    if (shift > 24u) { return sign; }
    let digits = magnitude & 0x7fffffu | 0x800000u;
    kept = digits >> shift;
    lost = digits & ((1u << shift) - 1u);
    tie = 1u << (shift - 1u);
  }
  if (lost > tie || (lost == tie && (kept & 1u) == 1u)) { kept++; }
  return sign | kept;
}

fn narrowed_bf16(bits: u32) -> u32 {
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return bits >> 16u | 0x40u; }
  let upper = bits >> 16u;
  let lost = bits & 0xffffu;
  return upper + select(0u, 1u, lost > 0x8000u || (lost == 0x8000u && (upper & 1u) == 1u));
}

// Saturating; what is no number is 0.
fn whole(bits: u32) -> i32 {
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return 0; }
  let rounded = round(bitcast<f32>(bits));
  if (rounded >= 2147483648.0) { return 2147483647; }
  if (rounded <= -2147483648.0) { return -2147483647 - 1; }
  return i32(rounded);
}

// An element as the bits of an f32.
fn as_float(bits: u32) -> u32 {
  switch p.source {
    case 1u: { return widened(bits); }
    case 2u: { return bits << 16u | select(0u, 0x400000u, (bits & 0x7fffu) > 0x7f80u); }
    case 3u: { return bitcast<u32>(f32(i32(bits))); }
    case 4u: { return bitcast<u32>(f32(i32(bits << 24u) >> 24u)); }
    case 5u: { return bitcast<u32>(f32(bits)); }
    default: { return bits; }
  }
}

fn as_whole(bits: u32) -> i32 {
  switch p.source {
    case 3u, 5u: { return i32(bits); }
    case 4u: { return i32(bits << 24u) >> 24u; }
    default: { return whole(bits); }
  }
}

fn converted(bits: u32) -> u32 {
  switch p.result {
    case 1u: { return narrowed(as_float(bits)); }
    case 2u: { return narrowed_bf16(as_float(bits)); }
    case 3u: { return u32(as_whole(bits)); }
    case 4u: { return u32(clamp(as_whole(bits), -128, 127)) & 255u; }
    case 5u: { return u32(clamp(as_whole(bits), 0, 255)); }
    default: { return as_float(bits); }
  }
}

@compute @workgroup_size(256)
fn convert(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let at = group_number(group, groups) * 256u + local;
  if (at >= p.words) { return; }
  let size = bytes_of(p.result);
  var word = 0u;
  for (var n = 0u; n < 4u / size; n++) {
    let i = at * (4u / size) + n;
    if (i < p.count) { word |= converted(element(i)) << (8u * size * n); }
  }
  y[at] = word;
}
