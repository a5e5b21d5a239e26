//! Linear algebra on f32 matrices: factorizations in f32 or in f64 arithmetic, the Gram matrix.
//!
//! Every element must be finite. An interrupt is polled before and after a factorization, not inside.

use nibble_linalg::{NotPositiveDefinite, Real, Triangle};

use super::far::Far;
use crate::cpu::buffer::Fill;
use crate::cpu::gemm::{self, MatRef};
use crate::cpu::{elementwise, pool};
use crate::dtype::DType;
use crate::engine::{Engine, Fresh, Handle};
use crate::error::{Error, Result};
use crate::gpu::matmul::{self, Product};
use crate::memory::{Category, Charge};
use crate::tensor::{Read, Tensor};
use crate::{Cancel, Device, random};

/// What a factorization computes in; arguments and results are f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// As fast as it goes.
    F32,
    /// Nine more digits on the way, at about half the speed; the result is rounded once.
    F64,
}

/// Which triangle, and how it is used.
#[derive(Debug, Clone, Copy)]
pub struct TriangularOptions {
    /// Read the upper triangle instead of the lower.
    pub upper: bool,
    /// Solve with its transpose.
    pub transpose: bool,
    /// What it is computed in.
    pub arithmetic: Arithmetic,
}

impl TriangularOptions {
    fn side(self) -> Triangle {
        if self.upper { Triangle::Upper } else { Triangle::Lower }
    }
}

/// Options of [`randomized_range`] and [`randomized_svd`].
#[derive(Debug, Clone, Copy)]
pub struct RandomizedOptions {
    /// Directions that are wanted.
    pub rank: usize,
    /// Directions more than that to look in.
    pub oversample: usize,
    /// Multiplications by `a·aᵀ` that push small singular values down.
    pub power_iterations: usize,
    /// Of the random directions.
    pub seed: u64,
    /// Of the factorizations; products are f32.
    pub arithmetic: Arithmetic,
}

/// Calls a function generic over the arithmetic.
macro_rules! with {
    ($arithmetic:expr, $f:ident($($argument:expr),* $(,)?)) => {
        match $arithmetic {
            Arithmetic::F32 => $f::<f32>($($argument),*),
            Arithmetic::F64 => $f::<f64>($($argument),*),
        }
    };
}

/// A matrix that is being factorized.
struct Work<'a> {
    e: &'a Engine,
    op: &'static str,
    cancel: Cancel,
}

impl<'a> Work<'a> {
    fn new(e: &'a Engine, op: &'static str) -> Result<Self> {
        let cancel = e.cancel(op);
        cancel.check()?;
        cancel.expect(1);
        Ok(Work { e, op, cancel })
    }

    /// `copies` buffers of `elements` of `T` inside the factorization.
    fn charge<T>(&self, elements: usize, copies: usize) -> Result<Charge> {
        let bytes = elements.saturating_mul(copies).saturating_mul(size_of::<T>());
        self.e.charge(self.op, Device::Cpu, Category::Workspace, self.op, bytes)
    }

    fn result<T: Real>(&self, shape: &[usize], values: &[T]) -> Result<Fresh> {
        let mut out = self.e.output(self.op, shape)?;
        out.f32().iter_mut().zip(values).for_each(|(out, x)| *out = x.to_f32());
        Ok(out)
    }

    fn numerics(&self, what: String, advice: &str) -> Error {
        Error::Numerics { op: self.op, what, advice: advice.into() }
    }

    fn done(&self) -> Result<()> {
        self.cancel.check()?;
        self.cancel.advance();
        Ok(())
    }
}

fn load<T: Real>(x: &[f32]) -> Vec<T> {
    x.iter().map(|&x| T::from_f32(x)).collect()
}

/// An f32 matrix of finite numbers, its rows and columns.
fn matrix(e: &Engine, op: &'static str, name: &'static str, handle: Handle) -> Result<(Tensor, usize, usize)> {
    let t = e.tensor(op, name, handle)?;
    t.expect(op, name, DType::F32)?;
    let [rows, columns] = t.dims(op, name, ["rows", "columns"])?;
    expect_finite(op, name, &t.read(op, name)?, columns)?;
    Ok((t, rows, columns))
}

fn square(e: &Engine, op: &'static str, name: &'static str, handle: Handle) -> Result<(Tensor, usize)> {
    let (t, rows, columns) = matrix(e, op, name, handle)?;
    if rows != columns {
        return Err(Error::shape(op, name, &t.shape, "a square matrix"));
    }
    Ok((t, rows))
}

fn expect_finite(op: &'static str, name: &str, x: &Read<'_, f32>, columns: usize) -> Result<()> {
    match x.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(at) => {
            let (row, column) = (at / columns, at % columns);
            let what = format!("{name} holds {} at row {row}, column {column}", x[at]);
            Err(Error::Numerics { op, what, advice: "Every element must be finite".into() })
        }
    }
}

/// `a[n, n]`, symmetric and positive definite (only its lower triangle is read) → `l[n, n]` with `a = l·lᵀ`.
pub fn cholesky(e: &Engine, a: Handle, arithmetic: Arithmetic) -> Result<Handle> {
    fn factor<T: Real>(work: &Work<'_>, a: &[f32], n: usize) -> Result<Fresh> {
        let _space = work.charge::<T>(n * n, 2)?;
        let mut a = load::<T>(a);
        T::cholesky(&mut a, n).map_err(|NotPositiveDefinite { pivot }| {
            let what = format!("a is not positive definite: pivot {pivot} of {n} (counted from 0) is not positive");
            work.numerics(what, "Add to its diagonal (damping), or give more samples than columns")
        })?;
        work.result(&[n, n], &a)
    }
    const OP: &str = "cholesky";
    let (a, n) = square(e, OP, "a", a)?;
    let work = Work::new(e, OP)?;
    let l = with!(arithmetic, factor(&work, &a.read(OP, "a")?, n))?;
    work.done()?;
    l.keep(e)
}

/// Solves `t·x = b` (or `tᵀ·x = b`) for `t[n, n]` triangular and `b[n, k]` → `x[n, k]`.
pub fn solve_triangular(e: &Engine, t: Handle, b: Handle, options: TriangularOptions) -> Result<Handle> {
    fn solve<T: Real>(work: &Work<'_>, t: &[f32], b: &[f32], n: usize, o: TriangularOptions) -> Result<Vec<f32>> {
        let _space = work.charge::<T>(n * n + b.len(), 1)?;
        let mut x = load::<T>(b);
        if !x.is_empty() {
            T::solve_triangular(&load::<T>(t), n, o.side(), o.transpose, &mut x, b.len() / n);
        }
        Ok(x.into_iter().map(T::to_f32).collect())
    }
    const OP: &str = "solveTriangular";
    let (t, n) = square(e, OP, "t", t)?;
    let (b, rows, _) = matrix(e, OP, "b", b)?;
    if rows != n {
        return Err(Error::shape(OP, "b", &b.shape, format!("[{n}, columns]")));
    }
    let work = Work::new(e, OP)?;
    let t = t.read::<f32>(OP, "t")?;
    expect_regular(&work, &t, n)?;
    let values = with!(options.arithmetic, solve(&work, &t, &b.read(OP, "b")?, n, options))?;
    work.done()?;
    let x = e.store(OP, &b.shape, Category::Activations, &values)?;
    x.keep(e)
}

/// `t[n, n]`, triangular → `t⁻¹[n, n]`.
pub fn triangular_inverse(e: &Engine, t: Handle, options: TriangularOptions) -> Result<Handle> {
    fn invert<T: Real>(work: &Work<'_>, t: &[f32], n: usize, o: TriangularOptions) -> Result<Fresh> {
        let _space = work.charge::<T>(n * n, 3)?;
        work.result(&[n, n], &T::invert_triangular(&load::<T>(t), n, o.side()))
    }
    const OP: &str = "triangularInverse";
    let (t, n) = square(e, OP, "t", t)?;
    let work = Work::new(e, OP)?;
    let t = t.read::<f32>(OP, "t")?;
    expect_regular(&work, &t, n)?;
    let inverse = with!(options.arithmetic, invert(&work, &t, n, options))?;
    work.done()?;
    inverse.keep(e)
}

fn expect_regular(work: &Work<'_>, t: &[f32], n: usize) -> Result<()> {
    match (0..n).find(|i| t[i * n + i] == 0.0) {
        None => Ok(()),
        Some(i) => {
            Err(work.numerics(format!("t is singular: its diagonal is 0 at {i}"), "Every pivot must be non-zero"))
        }
    }
}

/// What [`symmetric_eigen`] returns.
#[derive(Debug, Clone, Copy)]
pub struct Eigen {
    /// `[n]`, rising.
    pub values: Handle,
    /// `[n, n]`: row `i` is the unit vector of value `i`; its entry of largest size is positive.
    pub vectors: Handle,
}

/// `a[n, n]`, symmetric (only its lower triangle is read) → eigenvalues and eigenvectors.
pub fn symmetric_eigen(e: &Engine, a: Handle, arithmetic: Arithmetic) -> Result<Eigen> {
    fn decompose<T: Real>(work: &Work<'_>, a: &[f32], n: usize) -> Result<[Fresh; 2]> {
        let _space = work.charge::<T>(n * n, 4)?;
        let (values, vectors) = T::symmetric_eigen(&load::<T>(a), n)
            .map_err(|what| work.numerics(what, "Look at its elements, or compute in f64"))?;
        Ok([work.result(&[n], &values)?, work.result(&[n, n], &vectors)?])
    }
    const OP: &str = "symmetricEigen";
    let (a, n) = square(e, OP, "a", a)?;
    let work = Work::new(e, OP)?;
    let [values, vectors] = with!(arithmetic, decompose(&work, &a.read(OP, "a")?, n))?;
    work.done()?;
    Ok(Eigen { values: values.keep(e)?, vectors: vectors.keep(e)? })
}

/// `a = u·diag(s)·vt`.
#[derive(Debug, Clone, Copy)]
pub struct Svd {
    /// `[m, k]`, orthonormal columns, of each of which the entry of largest size is positive.
    pub u: Handle,
    /// Singular values, falling.
    pub s: Handle,
    /// `[k, n]`, orthonormal rows.
    pub vt: Handle,
}

fn decompose<T: Real>(work: &Work<'_>, a: &[f32], [m, n]: [usize; 2], full: bool) -> Result<[Fresh; 3]> {
    let small = m.min(n);
    let (columns, rows) = if full { (m, n) } else { (small, small) };
    let _space = work.charge::<T>(m * n + m * columns + rows * n, 2)?;
    let svd = T::svd(&load::<T>(a), m, n, full)
        .map_err(|what| work.numerics(what, "Look at its elements, or compute in f64"))?;
    Ok([work.result(&[m, columns], &svd.u)?, work.result(&[small], &svd.s)?, work.result(&[rows, n], &svd.vt)?])
}

/// The singular values of `a[m, n]` and their vectors: `k = min(m, n)` of each, or square matrices when `full`.
pub fn svd(e: &Engine, a: Handle, full: bool, arithmetic: Arithmetic) -> Result<Svd> {
    const OP: &str = "svd";
    let (a, m, n) = matrix(e, OP, "a", a)?;
    let work = Work::new(e, OP)?;
    let [u, s, vt] = with!(arithmetic, decompose(&work, &a.read(OP, "a")?, [m, n], full))?;
    work.done()?;
    Ok(Svd { u: u.keep(e)?, s: s.keep(e)?, vt: vt.keep(e)? })
}

/// What [`qr`] returns.
#[derive(Debug, Clone, Copy)]
pub struct Qr {
    /// `[m, min(m, n)]`, orthonormal columns.
    pub q: Handle,
    /// `[min(m, n), n]`, upper triangular, its diagonal not negative.
    pub r: Handle,
}

fn orthogonalize<T: Real>(work: &Work<'_>, a: &[f32], m: usize, n: usize) -> Result<[Vec<T>; 2]> {
    let _space = work.charge::<T>(m * n, 4)?;
    let (q, r) = T::qr(&load::<T>(a), m, n);
    Ok([q, r])
}

/// `a[m, n] = q·r`.
pub fn qr(e: &Engine, a: Handle, arithmetic: Arithmetic) -> Result<Qr> {
    fn both<T: Real>(work: &Work<'_>, a: &[f32], m: usize, n: usize) -> Result<[Fresh; 2]> {
        let [q, r] = orthogonalize::<T>(work, a, m, n)?;
        let k = m.min(n);
        Ok([work.result(&[m, k], &q)?, work.result(&[k, n], &r)?])
    }
    const OP: &str = "qr";
    let (a, m, n) = matrix(e, OP, "a", a)?;
    let work = Work::new(e, OP)?;
    let [q, r] = with!(arithmetic, both(&work, &a.read(OP, "a")?, m, n))?;
    work.done()?;
    Ok(Qr { q: q.keep(e)?, r: r.keep(e)? })
}

/// `a[m, n]` → orthonormal columns `[m, min(rank + oversample, m, n)]` near the span of its first singular vectors
/// (Halko, Martinsson and Tropp 2011, algorithm 4.4).
pub fn randomized_range(e: &Engine, a: Handle, options: RandomizedOptions) -> Result<Handle> {
    const OP: &str = "randomizedRange";
    let (a, m, n) = matrix(e, OP, "a", a)?;
    expect_rank(OP, &options, m, n)?;
    let work = Work::new(e, OP)?;
    let q = range(&work, &a.read(OP, "a")?, [m, n], &options)?;
    work.done()?;
    q.keep(e)
}

/// The first `rank` singular values of `a[m, n]` and their vectors, nearly: those of its image in the range that
/// [`randomized_range`] finds (Halko et al. 2011, algorithm 5.1).
pub fn randomized_svd(e: &Engine, a: Handle, options: RandomizedOptions) -> Result<Svd> {
    const OP: &str = "randomizedSvd";
    let (a, m, n) = matrix(e, OP, "a", a)?;
    expect_rank(OP, &options, m, n)?;
    let work = Work::new(e, OP)?;
    let a = a.read::<f32>(OP, "a")?;
    let (l, rank) = (directions(&options, m, n), options.rank);
    let mut q = range(&work, &a, [m, n], &options)?;
    let q = q.f32();
    let mut image = e.workspace(OP, l * n)?;
    product(&work, [l, n, m], (q, true, l), (&a, false, n), image.f32())?;
    let [mut u, mut s, mut vt] = with!(options.arithmetic, decompose(&work, image.f32(), [l, n], false))?;
    let mut left = e.workspace(OP, m * l)?;
    product(&work, [m, l, l], (q, false, l), (u.f32(), false, l), left.f32())?;
    work.done()?;
    let mut first = e.output(OP, &[m, rank])?;
    for (to, from) in first.f32().chunks_exact_mut(rank).zip(left.f32().chunks_exact(l)) {
        to.copy_from_slice(&from[..rank]);
    }
    let [s, vt] = [(vec![rank], &mut s), (vec![rank, n], &mut vt)].map(|(shape, all)| {
        let mut out = e.output(OP, &shape)?;
        let count = out.f32().len();
        out.f32().copy_from_slice(&all.f32()[..count]);
        Ok(out)
    });
    Ok(Svd { u: first.keep(e)?, s: s?.keep(e)?, vt: vt?.keep(e)? })
}

fn expect_rank(op: &'static str, options: &RandomizedOptions, m: usize, n: usize) -> Result<()> {
    if options.rank == 0 || options.rank > m.min(n) {
        return Err(Error::option(op, "rank", options.rank, format!("1 … {}", m.min(n))));
    }
    if options.power_iterations > 100 {
        return Err(Error::option(op, "powerIterations", options.power_iterations, "0 … 100"));
    }
    Ok(())
}

fn directions(options: &RandomizedOptions, m: usize, n: usize) -> usize {
    options.rank.saturating_add(options.oversample).min(m).min(n)
}

fn range(work: &Work<'_>, a: &[f32], [m, n]: [usize; 2], o: &RandomizedOptions) -> Result<Fresh> {
    let l = directions(o, m, n);
    let mut tall = work.e.workspace(work.op, m * l)?;
    let mut wide = work.e.workspace(work.op, n * l)?;
    pool::rows(&work.cancel, wide.f32(), 2, |first, out| {
        for (i, pair) in out.chunks_mut(2).enumerate() {
            let (a, b) = random::normal_pair(o.seed, (first + i) as u64);
            pair.iter_mut().zip([a, b]).for_each(|(out, x)| *out = x);
        }
    })?;
    for iteration in 0..=o.power_iterations {
        product(work, [m, l, n], (a, false, n), (wide.f32(), false, l), tall.f32())?;
        basis(work, tall.f32(), m, l, o.arithmetic)?;
        if iteration < o.power_iterations {
            product(work, [n, l, m], (a, true, n), (tall.f32(), false, l), wide.f32())?;
            basis(work, wide.f32(), n, l, o.arithmetic)?;
        }
    }
    let mut q = work.e.output(work.op, &[m, l])?;
    q.f32().copy_from_slice(tall.f32());
    Ok(q)
}

/// Replaces the columns of `x[m, l]` by an orthonormal basis of theirs.
fn basis(work: &Work<'_>, x: &mut [f32], m: usize, l: usize, arithmetic: Arithmetic) -> Result<()> {
    fn replace<T: Real>(work: &Work<'_>, x: &mut [f32], m: usize, l: usize) -> Result<()> {
        let [q, _] = orthogonalize::<T>(work, x, m, l)?;
        x.iter_mut().zip(q).for_each(|(x, q)| *x = q.to_f32());
        Ok(())
    }
    with!(arithmetic, replace(work, x, m, l))
}

/// An operand: its elements, whether it is transposed, elements between two rows.
type Operand<'a> = (&'a [f32], bool, usize);

fn product(work: &Work<'_>, [m, n, k]: [usize; 3], a: Operand<'_>, b: Operand<'_>, c: &mut [f32]) -> Result<()> {
    let [left, right] = [a, b].map(|(data, transposed, stride)| MatRef { data, transposed, stride });
    let bytes = gemm::workspace_bytes(m, k);
    let _panels = work.e.charge(work.op, Device::Cpu, Category::Workspace, work.op, bytes)?;
    gemm::matmul(m, n, k, left, right, 1.0, c, false, &work.cancel)
}

/// Rows of [`gram`] that are multiplied at a time.
const GRAM_ROWS: usize = 1024;

/// `x[.., n]` → `xᵀ·x [n, n]`, added to `into` where that is given. Products and sums are f32, in chunks of 1024 rows
/// whose order is fixed. `into` changes at the end and at once, or not at all.
pub fn gram(e: &Engine, x: Handle, into: Option<Handle>) -> Result<Handle> {
    const OP: &str = "gram";
    let x = e.tensor(OP, "x", x)?;
    x.expect(OP, "x", DType::F32)?;
    if x.shape.is_empty() {
        return Err(Error::shape(OP, "x", &x.shape, "[.., n]"));
    }
    let (_, n) = x.rows();
    let target = into.map(|into| e.tensor(OP, "into", into)).transpose()?;
    if let Some(target) = &target {
        target.expect(OP, "into", DType::F32)?;
        target.expect_shape(OP, "into", &[n, n])?;
        super::expect_apart(OP, "x", target, &x)?;
    }
    if let Some(far) = Far::of(e, OP, &[("x", Some(&x)), ("into", target.as_ref())])? {
        let rows = x.rows().0;
        let y = target.as_ref().map_or_else(|| far.output(&[n, n]), |target| Ok(target.clone()))?;
        let product = Product { transpose_a: true, accumulate: into.is_some(), ..Product::plain([n, n, rows]) };
        far.run_all(&matmul::matmul(product), &[&x, &x, &x, &x, &y])?;
        return into.map_or_else(|| e.keep(y), Ok);
    }
    let cancel = e.cancel(OP);
    let category = if into.is_some() { Category::Workspace } else { Category::Activations };
    let mut sum = e.allocate(OP, &[n, n], DType::F32, (category, OP), Fill::Zero)?;
    let _panels = e.charge(OP, Device::Cpu, Category::Workspace, OP, gemm::workspace_bytes(n, GRAM_ROWS))?;
    let elements = x.read::<f32>(OP, "x")?;
    let chunks = elements.chunks((GRAM_ROWS * n).max(1));
    cancel.expect(chunks.len());
    for chunk in chunks {
        let left = MatRef { data: chunk, transposed: true, stride: n };
        let right = MatRef { data: chunk, transposed: false, stride: n };
        gemm::matmul(n, n, chunk.len() / n, left, right, 1.0, sum.f32(), true, &cancel)?;
        cancel.advance();
    }
    cancel.check()?;
    let (Some(handle), Some(target)) = (into, target) else {
        return sum.keep(e);
    };
    elementwise::update(&Cancel::never(OP), &mut target.write(OP, "into")?, sum.f32(), |a, b| a + b)?;
    Ok(handle)
}
