// Shared by all kernels: 256 invocations a workgroup; workgroups folded into two dimensions of a grid.

// Number of a workgroup.
fn group_number(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}

var<workgroup> partial: array<f32, 256>;

// The sum of every invocation's value, in a fixed order.
fn total(local: u32, value: f32) -> f32 {
  partial[local] = value;
  workgroupBarrier();
  for (var step = 128u; step > 0u; step >>= 1u) {
    if (local < step) { partial[local] += partial[local + step]; }
    workgroupBarrier();
  }
  return workgroupUniformLoad(&partial[0]);
}

// The largest of every invocation's value.
fn largest(local: u32, value: f32) -> f32 {
  partial[local] = value;
  workgroupBarrier();
  for (var step = 128u; step > 0u; step >>= 1u) {
    if (local < step) { partial[local] = max(partial[local], partial[local + step]); }
    workgroupBarrier();
  }
  return workgroupUniformLoad(&partial[0]);
}
