//! Dense matrix multiply.

use rayon::prelude::*;

use super::far::Far;
use crate::cpu::gemm::{self, Gemm, MatRef, Number, Output};
use crate::cpu::pool;
use crate::device::Device;
use crate::dtype::DType;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
use crate::gpu::matmul::{self as gpu, Product};
use crate::memory::Category;
use crate::precision::Precision;
use crate::shape;
use crate::tensor::{Element, Tensor};

const OP: &str = "matmul";

/// Options of [`matmul`].
#[derive(Debug, Clone, Copy)]
pub struct MatmulOptions {
    /// Take A's transpose.
    pub transpose_a: bool,
    /// Take B's transpose.
    pub transpose_b: bool,
    /// Factor of the product.
    pub alpha: f64,
    /// Add to this tensor instead of making a new one.
    pub into: Option<Handle>,
    /// What operands are rounded to.
    pub precision: Precision,
    /// `[n]`, added to each row.
    pub bias: Option<Handle>,
    /// Added to the result, of its shape.
    pub residual: Option<Handle>,
}

impl Default for MatmulOptions {
    fn default() -> Self {
        MatmulOptions {
            transpose_a: false,
            transpose_b: false,
            alpha: 1.0,
            into: None,
            precision: Precision::F32,
            bias: None,
            residual: None,
        }
    }
}

/// `op(a)[m, k]` · `op(b)[k, n]` → `[.., n]`; leading dimensions of `a` and `b` are folded into rows. `b` may be stored as
/// bf16 or f16: it is widened where it is packed.
pub fn matmul(e: &Engine, a: Handle, b: Handle, options: MatmulOptions) -> Result<Handle> {
    let MatmulOptions { transpose_a, transpose_b, .. } = options;
    let (a, b) = (e.tensor(OP, "a", a)?, e.tensor(OP, "b", b)?);
    a.expect(OP, "a", DType::F32)?;
    if !matches!(b.dtype, DType::F32 | DType::BF16 | DType::F16) {
        return Err(Error::DType { op: OP, name: "b", got: b.dtype, expected: "f32, bf16 or f16".into() });
    }
    for (name, t) in [("a", &a), ("b", &b)] {
        if t.shape.len() < 2 {
            return Err(Error::shape(OP, name, &t.shape, "at least 2 dimensions"));
        }
    }
    let ((a_rows, a_columns), (b_rows, b_columns)) = (a.rows(), b.rows());
    let (m, k) = if transpose_a { (a_columns, a_rows) } else { (a_rows, a_columns) };
    let (b_k, n) = if transpose_b { (b_columns, b_rows) } else { (b_rows, b_columns) };
    if k != b_k {
        let expected = if transpose_b { format!("[n, {k}]") } else { format!("[{k}, n]") };
        let ours = if transpose_a { "a transposed is" } else { "a is" };
        return Err(Error::shape(OP, "b", &b.shape, format!("{expected}, because {ours} [{m}, {k}]")));
    }
    let sizes = [m, n, k];
    if b.dtype != DType::F32 && b.storage.gpu().is_some() {
        return Err(Error::DType { op: OP, name: "b", got: b.dtype, expected: "f32 on a GPU".into() });
    }
    match b.dtype {
        DType::BF16 => multiply::<half::bf16>(e, (&a, &b), sizes, options),
        DType::F16 => multiply::<half::f16>(e, (&a, &b), sizes, options),
        _ => multiply::<f32>(e, (&a, &b), sizes, options),
    }
}

fn multiply<T: Element + Number>(
    e: &Engine,
    (a, b): (&Tensor, &Tensor),
    [m, n, k]: [usize; 3],
    options: MatmulOptions,
) -> Result<Handle> {
    let MatmulOptions { transpose_a, transpose_b, alpha, into, precision, bias, residual } = options;
    let of = |name, handle: Option<Handle>| handle.map(|handle| e.tensor(OP, name, handle)).transpose();
    let (bias, residual) = (of("bias", bias)?, of("residual", residual)?);
    if let Some(bias) = &bias {
        bias.expect_shape(OP, "bias", &[n])?;
    }
    if let Some(residual) = residual.as_ref().filter(|residual| residual.rows() != (m, n)) {
        return Err(Error::shape(OP, "residual", &residual.shape, format!("[{m}, {n}]")));
    }
    let c = of("into", into)?;
    if let Some(c) = &c {
        let others = [("a", Some(a)), ("b", Some(b)), ("bias", bias.as_ref()), ("residual", residual.as_ref())];
        for (name, other) in others.into_iter().filter_map(|(name, other)| Some((name, other?))) {
            super::expect_apart(OP, name, c, other)?;
        }
        if c.rows() != (m, n) {
            return Err(Error::shape(OP, "into", &c.shape, format!("[{m}, {n}]")));
        }
    }
    let out_shape = if transpose_a { vec![m, n] } else { shape::with_last(&a.shape, n) };
    let places = [("a", Some(a)), ("b", Some(b)), ("bias", bias.as_ref()), ("residual", residual.as_ref())];
    if let Some(far) = Far::of(e, OP, &[&places[..], &[("into", c.as_ref())]].concat())? {
        expect_f32(OP, precision)?;
        let product = Product {
            transpose_a,
            transpose_b,
            alpha: alpha as f32,
            accumulate: c.is_some(),
            bias: bias.is_some(),
            residual: residual.is_some(),
            ..Product::plain([m, n, k])
        };
        let y = c.map_or_else(|| far.output(&out_shape), Ok)?;
        let optional = [&bias, &residual].map(|tensor| tensor.as_ref().unwrap_or(a));
        far.run_all(&gpu::matmul(product), &[a, b, optional[0], optional[1], &y])?;
        return into.map_or_else(|| e.keep(y), Ok);
    }
    let bias = bias.as_ref().map(|bias| bias.read::<f32>(OP, "bias")).transpose()?;
    let residual = residual.as_ref().map(|residual| residual.read::<f32>(OP, "residual")).transpose()?;
    let left = MatRef { data: &a.read::<f32>(OP, "a")?, transposed: transpose_a, stride: a.rows().1 };
    let right = MatRef { data: &b.read::<T>(OP, "b")?, transposed: transpose_b, stride: b.rows().1 };
    let _panels = e.charge(OP, Device::Cpu, Category::Workspace, OP, gemm::workspace_bytes(m, k))?;
    let (gemm, cancel) = (Gemm::new(precision)?, e.cancel(OP));
    let (bias, residual) = (bias.as_deref(), residual.as_deref());
    let output = Output { alpha: alpha as f32, accumulate: into.is_some(), bias, residual };
    if let (Some(handle), Some(c)) = (into, c) {
        gemm.matmul_into([m, n, k], left, right, output, &mut c.write(OP, "into")?, &cancel)?;
        return Ok(handle);
    }
    let mut c = e.output(OP, &out_shape)?;
    gemm.matmul_into([m, n, k], left, right, output, c.f32(), &cancel)?;
    c.keep(e)
}

/// Options of [`batched_matmul`].
#[derive(Debug, Clone, Copy)]
pub struct BatchedOptions {
    /// Take the transpose of each of A's matrices.
    pub transpose_a: bool,
    /// Take the transpose of each of B's matrices.
    pub transpose_b: bool,
    /// Factor of the products.
    pub alpha: f64,
    /// What operands are rounded to.
    pub precision: Precision,
}

/// `op(a[i])[m, k]` · `op(b[i])[k, n]` for each `i` → `[batch, m, n]`
pub fn batched_matmul(e: &Engine, a: Handle, b: Handle, options: BatchedOptions) -> Result<Handle> {
    const OP: &str = "batchedMatmul";
    let BatchedOptions { transpose_a, transpose_b, alpha, precision } = options;
    let (a, b) = (e.tensor(OP, "a", a)?, e.tensor(OP, "b", b)?);
    let matrices = |name, t: &Tensor, transposed: bool| {
        t.expect(OP, name, DType::F32)?;
        match t.shape[..] {
            [batch, rows, columns] if transposed => Ok((batch, columns, rows)),
            [batch, rows, columns] => Ok((batch, rows, columns)),
            _ => Err(Error::shape(OP, name, &t.shape, "[batch, rows, columns]")),
        }
    };
    let (batch, m, k) = matrices("a", &a, transpose_a)?;
    let (b_batch, b_k, n) = matrices("b", &b, transpose_b)?;
    if (batch, k) != (b_batch, b_k) {
        let expected = if transpose_b { format!("[{batch}, n, {k}]") } else { format!("[{batch}, {k}, n]") };
        let ours = if transpose_a { "a transposed is" } else { "a is" };
        return Err(Error::shape(OP, "b", &b.shape, format!("{expected}, because {ours} [{batch}, {m}, {k}]")));
    }
    if let Some(far) = Far::of(e, OP, &[("a", Some(&a)), ("b", Some(&b))])? {
        expect_f32(OP, precision)?;
        let product = Product { batch, transpose_a, transpose_b, alpha: alpha as f32, ..Product::plain([m, n, k]) };
        let y = far.output(&[batch, m, n])?;
        far.run_all(&gpu::matmul(product), &[&a, &b, &a, &a, &y])?;
        return e.keep(y);
    }
    let (left, right) = (a.read::<f32>(OP, "a")?, b.read::<f32>(OP, "b")?);
    let panels = gemm::workspace_bytes(m, k) * pool::threads().min(batch);
    let _panels = e.charge(OP, Device::Cpu, Category::Workspace, OP, panels)?;
    let (gemm, cancel) = (Gemm::new(precision)?, e.cancel(OP));
    let mut c = e.output(OP, &[batch, m, n])?;
    let output = Output { alpha: alpha as f32, ..Output::default() };
    let [a_stride, b_stride] = [a.shape[2], b.shape[2]];
    pool::run(|| {
        c.f32().par_chunks_mut((m * n).max(1)).enumerate().try_for_each(|(i, c)| {
            let left = MatRef { data: &left[i * m * k..][..m * k], transposed: transpose_a, stride: a_stride };
            let right = MatRef { data: &right[i * k * n..][..k * n], transposed: transpose_b, stride: b_stride };
            gemm.matmul_into([m, n, k], left, right, output, c, &cancel)
        })
    })?;
    c.keep(e)
}

/// Errs unless products are made in f32, as they are on a GPU.
pub(super) fn expect_f32(op: &'static str, precision: Precision) -> Result<()> {
    if precision == Precision::F32 {
        return Ok(());
    }
    let what = format!("{} does not run on a GPU yet", precision.name());
    Err(Error::Unsupported { op, what, advice: "Take precision \"f32\", or compute on \"cpu\"".into() })
}
