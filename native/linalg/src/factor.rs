//! Factorizations and triangular solves of row-major slices, in f32 and f64. Sequential: the same bits on every machine
//! of one instruction set. The caller checks that every element is finite and that sizes fit.

use faer::linalg::{triangular_inverse as inverse, triangular_solve as solve};
use faer::{Mat, MatMut, MatRef, Par, Side};

/// Which triangle of a matrix is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Triangle {
    /// The diagonal and below.
    Lower,
    /// The diagonal and above.
    Upper,
}

/// The pivot at which a matrix turned out not to be positive definite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotPositiveDefinite {
    /// Row and column, from 0.
    pub pivot: usize,
}

/// `A = U·diag(s)·Vᵀ`
#[derive(Debug, Clone, PartialEq)]
pub struct Svd<T> {
    /// `[m, k]`; `k = min(m, n)`, or `m` of a full decomposition.
    pub u: Vec<T>,
    /// `[min(m, n)]`, falling.
    pub s: Vec<T>,
    /// `[k, n]`, or `[n, n]`.
    pub vt: Vec<T>,
}

/// f32 and f64: what the functions below are compiled for, here and not in their callers.
pub trait Real: Copy + Default + PartialEq + Sized {
    /// The number nearest to `x`.
    fn from_f32(x: f32) -> Self;
    /// The f32 nearest to it.
    fn to_f32(self) -> f32;
    /// `a[n, n]`, of which the lower triangle is read → `l[n, n]` in its place, with `a = l·lᵀ` and zeros above.
    fn cholesky(a: &mut [Self], n: usize) -> Result<(), NotPositiveDefinite>;
    /// Solves `t·x = b`, or `tᵀ·x = b` when `transposed`, in place of `b[n, columns]`.
    fn solve_triangular(t: &[Self], n: usize, side: Triangle, transposed: bool, b: &mut [Self], columns: usize);
    /// `t⁻¹[n, n]`, a triangle on the same side.
    fn invert_triangular(t: &[Self], n: usize, side: Triangle) -> Vec<Self>;
    /// `a[n, n]`, of which the lower triangle is read → eigenvalues `[n]`, rising, and unit eigenvectors as rows `[n, n]`,
    /// of each of which the entry of largest size is positive.
    fn symmetric_eigen(a: &[Self], n: usize) -> Result<(Vec<Self>, Vec<Self>), String>;
    /// Of `a[m, n]`; `full` completes U and V to square matrices. Of each column of U the entry of largest size is positive.
    fn svd(a: &[Self], m: usize, n: usize, full: bool) -> Result<Svd<Self>, String>;
    /// `a[m, n]` → `q[m, k]` with orthonormal columns, `r[k, n]` upper triangular with a diagonal that is not negative,
    /// `k = min(m, n)`.
    fn qr(a: &[Self], m: usize, n: usize) -> (Vec<Self>, Vec<Self>);
}

macro_rules! real {
    ($t:ty) => {
        impl Real for $t {
            fn from_f32(x: f32) -> $t {
                <$t>::from(x)
            }

            fn to_f32(self) -> f32 {
                self as f32
            }

            fn cholesky(a: &mut [$t], n: usize) -> Result<(), NotPositiveDefinite> {
                let factor = MatRef::from_row_major_slice(a, n, n)
                    .llt(Side::Lower)
                    .map_err(|error| NotPositiveDefinite { pivot: pivot(error) })?;
                write(factor.L(), a);
                Ok(())
            }

            fn solve_triangular(t: &[$t], n: usize, side: Triangle, transposed: bool, b: &mut [$t], columns: usize) {
                let (t, b) = (MatRef::from_row_major_slice(t, n, n), MatMut::from_row_major_slice_mut(b, n, columns));
                match (side, transposed) {
                    (Triangle::Lower, false) => solve::solve_lower_triangular_in_place(t, b, Par::Seq),
                    (Triangle::Lower, true) => solve::solve_upper_triangular_in_place(t.transpose(), b, Par::Seq),
                    (Triangle::Upper, false) => solve::solve_upper_triangular_in_place(t, b, Par::Seq),
                    (Triangle::Upper, true) => solve::solve_lower_triangular_in_place(t.transpose(), b, Par::Seq),
                }
            }

            fn invert_triangular(t: &[$t], n: usize, side: Triangle) -> Vec<$t> {
                let t = MatRef::from_row_major_slice(t, n, n);
                let mut out = Mat::<$t>::zeros(n, n);
                match side {
                    Triangle::Lower => inverse::invert_lower_triangular(out.as_mut(), t.as_dyn_stride(), Par::Seq),
                    Triangle::Upper => inverse::invert_upper_triangular(out.as_mut(), t.as_dyn_stride(), Par::Seq),
                }
                row_major(out.as_ref())
            }

            fn symmetric_eigen(a: &[$t], n: usize) -> Result<(Vec<$t>, Vec<$t>), String> {
                if n == 0 {
                    return Ok((Vec::new(), Vec::new()));
                }
                let eigen = MatRef::from_row_major_slice(a, n, n)
                    .self_adjoint_eigen(Side::Lower)
                    .map_err(|error| format!("the eigenvalues of a {n} × {n} matrix did not converge ({error:?})"))?;
                let values = eigen.S().column_vector();
                let mut rows = row_major(eigen.U().transpose());
                for row in rows.chunks_exact_mut(n) {
                    if largest(row.iter().copied()) < 0.0 {
                        row.iter_mut().for_each(|x| *x = -*x);
                    }
                }
                Ok(((0..n).map(|i| values[i]).collect(), rows))
            }

            fn svd(a: &[$t], m: usize, n: usize, full: bool) -> Result<Svd<$t>, String> {
                let a = MatRef::from_row_major_slice(a, m, n);
                let svd = if full { a.svd() } else { a.thin_svd() };
                let svd =
                    svd.map_err(|error| format!("the singular values of {m} × {n} did not converge ({error:?})"))?;
                let (mut u, mut v) = (svd.U().to_owned(), svd.V().to_owned());
                for j in 0..u.ncols() {
                    if largest((0..m).map(|i| u[(i, j)])) < 0.0 {
                        (0..m).for_each(|i| u[(i, j)] = -u[(i, j)]);
                        if j < m.min(n) {
                            (0..n).for_each(|i| v[(i, j)] = -v[(i, j)]);
                        }
                    }
                }
                let values = svd.S().column_vector();
                let s = (0..m.min(n)).map(|i| values[i]).collect();
                Ok(Svd { u: row_major(u.as_ref()), s, vt: row_major(v.as_ref().transpose()) })
            }

            fn qr(a: &[$t], m: usize, n: usize) -> (Vec<$t>, Vec<$t>) {
                let qr = MatRef::from_row_major_slice(a, m, n).qr();
                let (mut q, mut r) = (qr.compute_thin_Q(), qr.thin_R().to_owned());
                for k in 0..m.min(n) {
                    if r[(k, k)] < 0.0 {
                        (0..m).for_each(|i| q[(i, k)] = -q[(i, k)]);
                        (0..n).for_each(|j| r[(k, j)] = -r[(k, j)]);
                    }
                    // What lies below the diagonal is the decomposition's own.
                    (k + 1..m.min(n)).for_each(|i| r[(i, k)] = 0.0);
                }
                (row_major(q.as_ref()), row_major(r.as_ref()))
            }
        }
    };
}

real!(f32);
real!(f64);

fn pivot(error: faer::linalg::cholesky::llt::factor::LltError) -> usize {
    let faer::linalg::cholesky::llt::factor::LltError::NonPositivePivot { index } = error;
    index
}

fn row_major<T: Copy>(a: MatRef<'_, T>) -> Vec<T> {
    (0..a.nrows()).flat_map(|i| (0..a.ncols()).map(move |j| a[(i, j)])).collect()
}

fn write<T: Copy>(a: MatRef<'_, T>, out: &mut [T]) {
    let elements = (0..a.nrows()).flat_map(|i| (0..a.ncols()).map(move |j| a[(i, j)]));
    out.iter_mut().zip(elements).for_each(|(out, x)| *out = x);
}

/// The entry of largest size; the first of several.
fn largest<T: Copy + PartialOrd + std::ops::Neg<Output = T> + Default>(values: impl Iterator<Item = T>) -> T {
    let size = |x: T| if x < T::default() { -x } else { x };
    values.fold(T::default(), |best, x| if size(x) > size(best) { x } else { best })
}
