//! The factor of an inverse.

use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::{Mat, Par, Side};

/// The upper triangular `U[n, n]` with `UᵀU = (a + damping·I)⁻¹`, row-major, for a symmetric `a[n, n]` that is finite.
///
/// `None` where the damped matrix is not positive definite. The rows and columns of `a` are taken in reverse, so that
/// one Cholesky factorization and one triangular inverse are enough: with `J` the reversal and `J(a + λI)J = LLᵀ`,
/// `U = J·L⁻¹·J`.
pub fn inverse_factor(a: &[f32], n: usize, damping: f64) -> Option<Vec<f32>> {
    let reversed = Mat::from_fn(n, n, |i, j| {
        let value = f64::from(a[(n - 1 - i) * n + n - 1 - j]);
        if i == j { value + damping } else { value }
    });
    let lower = reversed.llt(Side::Lower).ok()?;
    let mut inverse = Mat::<f64>::zeros(n, n);
    invert_lower_triangular(inverse.as_mut(), lower.L(), Par::Seq);
    let mut upper = vec![0.0; n * n];
    for i in 0..n {
        for j in i..n {
            upper[i * n + j] = inverse[(n - 1 - i, n - 1 - j)] as f32;
        }
    }
    let usable = (0..n).all(|i| upper[i * n + i] > 0.0 && upper[i * n + i].is_finite());
    usable.then_some(upper)
}
