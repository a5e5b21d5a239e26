// The skeleton of matrix products: y[m, n] = left[m, k] · right[k, n], joined with a file that says what left_at, right_at
// and finish are. A workgroup makes a tile of 64×64, an invocation 4×4 of it, 16 steps of k at a time.

var<workgroup> lefts: array<array<f32, 65>, 16>;
var<workgroup> rights: array<array<f32, 65>, 16>;

@compute @workgroup_size(256)
fn product(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let row0 = group.y * 64u;
  let column0 = group.x * 64u;
  let across = local % 16u;
  let down = local / 16u;
  var sums: array<array<f32, 4>, 4>;
  for (var k0 = 0u; k0 < p.k; k0 += 16u) {
    // Neighbours read along the dimension that lies together in memory.
    for (var step = 0u; step < 4u; step++) {
      let along = vec2u(across, down + 16u * step);
      let over = vec2u(local / 64u + 4u * step, local % 64u);
      let l = select(over, along, p.left_k_together > 0u);
      let r = select(over, along, p.right_k_together > 0u);
      var left = 0.0;
      var right = 0.0;
      if (k0 + l.x < p.k && row0 + l.y < p.m) { left = left_at(group.z, row0 + l.y, k0 + l.x); }
      if (k0 + r.x < p.k && column0 + r.y < p.n) { right = right_at(group.z, k0 + r.x, column0 + r.y); }
      lefts[l.x][l.y] = left;
      rights[r.x][r.y] = right;
    }
    workgroupBarrier();
    for (var k = 0u; k < 16u; k++) {
      for (var i = 0u; i < 4u; i++) {
        let left = lefts[k][down + 16u * i];
        for (var j = 0u; j < 4u; j++) { sums[i][j] += left * rights[k][across + 16u * j]; }
      }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) {
      let row = row0 + down + 16u * i;
      let column = column0 + across + 16u * j;
      if (row < p.m && column < p.n) { finish(group.z, row, column, sums[i][j]); }
    }
  }
}

// Few rows: a workgroup for each element of the result.
@compute @workgroup_size(256)
fn single(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  var sum = 0.0;
  for (var k = local; k < p.k; k += 256u) { sum += left_at(group.z, group.y, k) * right_at(group.z, k, group.x); }
  let all = total(local, sum);
  if (local == 0u) { finish(group.z, group.y, group.x, all); }
}
