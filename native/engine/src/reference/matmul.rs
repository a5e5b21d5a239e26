//! Dense matrix multiply.

/// `op(a)[m, k]·op(b)[k, n]`, row-major; a transposed matrix is stored as `[k, m]` or `[n, k]`.
pub fn matmul([m, n, k]: [usize; 3], a: (&[f64], bool), b: (&[f64], bool)) -> Vec<f64> {
    let at = |i: usize, p: usize| if a.1 { a.0[p * m + i] } else { a.0[i * k + p] };
    let bt = |p: usize, j: usize| if b.1 { b.0[j * k + p] } else { b.0[p * n + j] };
    let mut c = vec![0.0; m * n];
    for i in 0..m {
        for j in 0..n {
            c[i * n + j] = (0..k).map(|p| at(i, p) * bt(p, j)).sum();
        }
    }
    c
}
