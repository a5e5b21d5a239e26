//! Factorizations: faer behind a few plain functions on slices.
//!
//! A crate of its own, because faer's generics are compiled again with every change of their caller.

mod inverse_factor;

pub use inverse_factor::inverse_factor;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par, Side};

mod factor;

pub use factor::{NotPositiveDefinite, Real, Svd, Triangle};

/// Directions of largest variance.
pub struct Pca {
    /// `[d]`
    pub mean: Vec<f64>,
    /// `[k, d]`, row-major, orthonormal; of each row the entry of largest size is positive.
    pub components: Vec<f64>,
    /// `[k]`, falling.
    pub variances: Vec<f64>,
    /// Sum of the variances of all `d` columns.
    pub total_variance: f64,
}

/// Principal components of `x[n, d]` (row-major), through the smaller of the two Gram matrices.
///
/// The caller checks that all of `x` is finite, `n ≥ 2` and `1 ≤ k ≤ min(n, d)`. Errs when the eigenvalue iteration
/// does not converge.
pub fn pca(x: &[f32], n: usize, d: usize, k: usize) -> Result<Pca, String> {
    let mean: Vec<f64> = (0..d).map(|j| (0..n).map(|i| f64::from(x[i * d + j])).sum::<f64>() / n as f64).collect();
    let centred = Mat::from_fn(n, d, |i, j| f64::from(x[i * d + j]) - mean[j]);
    let rows = centred.as_ref();
    let small = n.min(d);
    let mut gram = Mat::<f64>::zeros(small, small);
    let (left, right) = if d <= n { (rows.transpose(), rows) } else { (rows, rows.transpose()) };
    matmul(gram.as_mut(), Accum::Replace, left, right, 1.0, Par::Seq);
    let eigen = gram
        .self_adjoint_eigen(Side::Lower)
        .map_err(|error| format!("the eigenvalues of a {small} × {small} matrix did not converge ({error:?})"))?;
    let (values, vectors) = (eigen.S().column_vector(), eigen.U());

    let divisor = (n - 1) as f64;
    let total_variance = (0..small).map(|i| gram[(i, i)]).sum::<f64>() / divisor;
    let mut components: Vec<f64> = Vec::with_capacity(k * d);
    let mut variances = Vec::with_capacity(k);
    for c in 0..k {
        // faer sorts by rising eigenvalue.
        let column = small - 1 - c;
        let direction = if d <= n {
            (0..d).map(|j| vectors[(j, column)]).collect()
        } else {
            into_feature_space(rows, vectors, column)
        };
        let direction = orthonormal(direction, &components, d);
        components.extend(positive_at_largest(direction));
        variances.push((values[column] / divisor).max(0.0));
    }
    Ok(Pca { mean, components, variances, total_variance })
}

/// `xᵀ·u` for eigenvector `u` of `x·xᵀ`.
fn into_feature_space(x: MatRef<'_, f64>, vectors: MatRef<'_, f64>, column: usize) -> Vec<f64> {
    (0..x.ncols()).map(|j| (0..x.nrows()).map(|i| x[(i, j)] * vectors[(i, column)]).sum()).collect()
}

/// The direction without its part in the span of `earlier` rows, at length 1; where nothing is left (no variance in
/// that direction), the first unit vector that has something left.
fn orthonormal(direction: Vec<f64>, earlier: &[f64], d: usize) -> Vec<f64> {
    let size = direction.iter().map(|v| v * v).sum::<f64>().sqrt();
    let unit = |j: usize| (0..d).map(|i| if i == j { 1.0 } else { 0.0 }).collect();
    let candidates = std::iter::once((direction, size)).chain((0..d).map(|j| (unit(j), 1.0)));
    for (mut candidate, size) in candidates {
        // Twice is enough (Kahan, Parlett).
        for _ in 0..2 {
            for row in earlier.chunks_exact(d) {
                let overlap: f64 = row.iter().zip(&candidate).map(|(a, b)| a * b).sum();
                candidate.iter_mut().zip(row).for_each(|(c, r)| *c -= overlap * r);
            }
        }
        let left = candidate.iter().map(|v| v * v).sum::<f64>().sqrt();
        if left > 1e-6 * size && left > f64::MIN_POSITIVE.sqrt() {
            return candidate.iter().map(|v| v / left).collect();
        }
    }
    vec![0.0; d]
}

fn positive_at_largest(mut direction: Vec<f64>) -> Vec<f64> {
    let largest = direction.iter().copied().fold(0.0f64, |best, v| if v.abs() > best.abs() { v } else { best });
    if largest < 0.0 {
        direction.iter_mut().for_each(|v| *v = -*v);
    }
    direction
}
