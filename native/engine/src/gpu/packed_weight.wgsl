// A packed weight[rows, columns], decoded number by number. Integers: scale·(q − zero point), rows padded to a byte; tables:
// level·scale over the flattened tensor. Joined with the kernels that read it.

struct Params {
  m: u32, n: u32, k: u32, left_k_together: u32, right_k_together: u32,
  backward: u32, columns: u32, bits: u32, row_bytes: u32, group: u32, groups: u32, is_table: u32,
  levels: array<vec4f, 4>,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> codes: array<u32>;
@group(0) @binding(2) var<storage, read> zeros: array<f32>;
@group(0) @binding(3) var<storage, read> scales: array<f32>;

fn byte_at(i: u32) -> u32 { return codes[i / 4u] >> (8u * (i % 4u)) & 255u; }

// A code of a stream of codes that starts at a byte, lowest bits first.
fn code_at(start: u32, i: u32) -> u32 {
  let bit = i * p.bits;
  let at = start + bit / 8u;
  var code = byte_at(at) >> (bit % 8u);
  if (bit % 8u + p.bits > 8u) { code |= byte_at(at + 1u) << (8u - bit % 8u); }
  return code & ((1u << p.bits) - 1u);
}

// q − zero point of an integer weight.
fn level(row: u32, column: u32) -> f32 {
  return f32(code_at(row * p.row_bytes, column)) - zeros[row * p.groups + column / p.group];
}

fn weight(row: u32, column: u32) -> f32 {
  if (p.is_table > 0u) {
    let i = row * p.columns + column;
    // Of four-bit codes the first of two is in the high nibble.
    let code = code_at(0u, select(i, i ^ 1u, p.bits == 4u));
    return p.levels[code / 4u][code % 4u] * scales[i / p.group];
  }
  return level(row, column) * scales[row * p.groups + column / p.group];
}
