// Double quantization: codes[count] u8, scales[⌈count / 256⌉], map[256] → numbers[count] = map[code]·scale + offset.

struct Params { count: u32, offset: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> codes: array<u32>;
@group(0) @binding(2) var<storage, read> scales: array<f32>;
@group(0) @binding(3) var<storage, read> map: array<f32>;
@group(0) @binding(4) var<storage, read_write> numbers: array<f32>;

@compute @workgroup_size(256)
fn decode(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = group_number(group, groups) * 256u + local;
  if (i >= p.count) { return; }
  numbers[i] = map[codes[i / 4u] >> (8u * (i % 4u)) & 255u] * scales[i / 256u] + p.offset;
}
