//! Matrix multiply on slices: `C = alpha·op(A)·op(B)`, plus C when accumulating, for dense and packed right operands.
//!
//! Nine rows and more take the blocked path ([`blocked`]): panels, a microkernel, and a packer for each storage format.
//! Up to eight rows take [`few`], which reads (and decodes) each weight once. [`scales`] reduces the gradient of packed
//! scales on the fly.

use crate::cancel::Cancel;
use crate::cpu::simd::{self, Isa};
use crate::error::Result;
use crate::format::PackedRef;
use crate::precision::Precision;

mod ahead;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod blocked;
mod few;
mod int8;
#[cfg(target_arch = "x86_64")]
mod int8_avx2;
#[cfg(target_arch = "x86_64")]
mod lookup;
mod microkernel;
mod pack;
mod rows;
mod scales;
mod shared;

pub use int8::{BLOCK as INT8_BLOCK, fits as fits_int8};
pub use rows::Number;
pub use scales::packed_backward_scales_from_output;

use blocked::Product;
#[cfg(target_arch = "x86_64")]
use lookup::Lookup;
use microkernel::Kernel;
use rows::{Operand, Rows};

/// A matrix in row-major memory, perhaps to be read as its transpose.
#[derive(Clone, Copy)]
pub struct MatRef<'a, T = f32> {
    /// The elements.
    pub data: &'a [T],
    /// Whether `op(A)` is the transpose of what is stored.
    pub transposed: bool,
    /// Elements between two stored rows.
    pub stride: usize,
}

impl<T> MatRef<'_, T> {
    /// Panics unless `op(self)` can be `[rows, columns]`.
    fn check(&self, rows: usize, columns: usize) {
        let (rows, columns) = if self.transposed { (columns, rows) } else { (rows, columns) };
        assert!(columns <= self.stride || rows <= 1, "rows of a matrix do not overlap");
        assert!(
            rows == 0 || columns == 0 || (rows - 1) * self.stride + columns <= self.data.len(),
            "a matrix of {rows} × {columns} with stride {} has more than {} elements",
            self.stride,
            self.data.len()
        );
    }
}

/// What becomes of the sums `A·B`: `C = alpha·A·B`, then `+ C`, `+ bias`, `+ residual`, each where it is asked for and
/// rounded in this order, so that the bits are those of separate operations.
#[derive(Debug, Clone, Copy)]
pub struct Output<'a> {
    /// Factor of the product.
    pub alpha: f32,
    /// Whether C is added to.
    pub accumulate: bool,
    /// `[n]`
    pub bias: Option<&'a [f32]>,
    /// `[m, n]`
    pub residual: Option<&'a [f32]>,
}

impl Default for Output<'_> {
    fn default() -> Self {
        Output { alpha: 1.0, accumulate: false, bias: None, residual: None }
    }
}

impl Output<'_> {
    /// Panics unless it fits to `C[m, n]`.
    fn check(&self, m: usize, n: usize) {
        assert!(self.bias.is_none_or(|bias| bias.len() == n), "a bias of {n}");
        assert!(self.residual.is_none_or(|residual| residual.len() == m * n), "a residual of {m} × {n}");
    }

    /// What follows the sum, on columns `start..` of a row of `C[m, n]`.
    #[inline(always)]
    fn finish(&self, n: usize, row: usize, start: usize, out: &mut [f32]) {
        if let Some(bias) = self.bias {
            for (out, bias) in out.iter_mut().zip(&bias[start..]) {
                *out += bias;
            }
        }
        if let Some(residual) = self.residual {
            for (out, residual) in out.iter_mut().zip(&residual[row * n + start..]) {
                *out += residual;
            }
        }
    }
}

/// `c[m, n] = alpha·op(a)[m, k]·op(b)[k, n]`, added to `c` when `accumulate`.
#[expect(clippy::too_many_arguments, reason = "the arguments of a matrix multiply")]
pub fn matmul(
    m: usize,
    n: usize,
    k: usize,
    a: MatRef<'_>,
    b: MatRef<'_>,
    alpha: f32,
    c: &mut [f32],
    accumulate: bool,
    cancel: &Cancel,
) -> Result<()> {
    Gemm::new(Precision::F32)?.matmul(m, n, k, a, b, alpha, c, accumulate, cancel)
}

/// `x[tokens, in]`, `w[out, in]` → `y[tokens, out] = x·wᵀ`
pub fn packed_forward(tokens: usize, x: &[f32], w: &PackedRef<'_>, y: &mut [f32], cancel: &Cancel) -> Result<()> {
    Gemm::new(Precision::F32)?.packed_forward(tokens, x, w, y, cancel)
}

/// `dy[tokens, out]`, `w[out, in]` → `dx[tokens, in] = dy·w`
pub fn packed_backward_input(
    tokens: usize,
    dy: &[f32],
    w: &PackedRef<'_>,
    dx: &mut [f32],
    cancel: &Cancel,
) -> Result<()> {
    Gemm::new(Precision::F32)?.packed_backward_input(tokens, dy, w, dx, cancel)
}

/// `dy[tokens, out]`, `x[tokens, in]` → `ds[out, groups] = Σ_t dy·(Σ_{k in the group} x·(q − zeroPoint))`
pub fn packed_backward_scales(
    tokens: usize,
    dy: &[f32],
    x: &[f32],
    w: &PackedRef<'_>,
    ds: &mut [f32],
    cancel: &Cancel,
) -> Result<()> {
    Gemm::new(Precision::F32)?.packed_backward_scales(tokens, dy, x, w, ds, cancel)
}

/// Bytes of workspace that a product with `m` rows and depth `k` takes beside its operands, for the account.
pub fn workspace_bytes(m: usize, k: usize) -> usize {
    if m <= few::MOST_ROWS { 0 } else { blocked::workspace_bytes(m, k) }
}

/// The products on a given instruction set and in a given precision.
#[derive(Debug, Clone, Copy)]
pub struct Gemm {
    isa: Isa,
    precision: Precision,
}

impl Gemm {
    /// In a precision, on the instruction set in use.
    pub fn new(precision: Precision) -> Result<Gemm> {
        Ok(Gemm { isa: simd::isa()?, precision })
    }

    /// In f32 on a given instruction set, or the lowest where the processor lacks it.
    pub fn on(isa: Isa) -> Gemm {
        Gemm { isa: if isa.is_available() { isa } else { Isa::Baseline }, precision: Precision::F32 }
    }

    /// What it rounds operands to.
    pub fn precision(self) -> Precision {
        self.precision
    }

    /// The same in another precision.
    pub fn with(self, precision: Precision) -> Gemm {
        Gemm { precision, ..self }
    }

    /// See [`matmul`].
    #[expect(clippy::too_many_arguments, reason = "the arguments of a matrix multiply")]
    pub fn matmul<T: Number>(
        self,
        m: usize,
        n: usize,
        k: usize,
        a: MatRef<'_>,
        b: MatRef<'_, T>,
        alpha: f32,
        c: &mut [f32],
        accumulate: bool,
        cancel: &Cancel,
    ) -> Result<()> {
        self.matmul_into([m, n, k], a, b, Output { alpha, accumulate, ..Output::default() }, c, cancel)
    }

    /// `c[m, n]` from `op(a)[m, k]·op(b)[k, n]`, see [`Output`].
    pub fn matmul_into<T: Number>(
        self,
        [m, n, k]: [usize; 3],
        a: MatRef<'_>,
        b: MatRef<'_, T>,
        output: Output<'_>,
        c: &mut [f32],
        cancel: &Cancel,
    ) -> Result<()> {
        b.check(k, n);
        self.product([m, n, k], a, (&b, b.transposed), output, c, cancel)
    }

    /// See [`packed_forward`].
    pub fn packed_forward(
        self,
        tokens: usize,
        x: &[f32],
        w: &PackedRef<'_>,
        y: &mut [f32],
        cancel: &Cancel,
    ) -> Result<()> {
        let a = MatRef { data: x, transposed: false, stride: w.columns };
        self.product([tokens, w.rows, w.columns], a, (w, true), Output::default(), y, cancel)
    }

    /// [`packed_forward`] with `x` rounded to eight bits, [`INT8_BLOCK`] numbers to a scale, for weights that [`fits_int8`].
    pub fn packed_forward_int8(
        self,
        tokens: usize,
        x: &[f32],
        w: &PackedRef<'_>,
        y: &mut [f32],
        cancel: &Cancel,
    ) -> Result<()> {
        assert!(fits_int8(w.format, w.columns, w.group), "whole blocks");
        if nothing([tokens, w.rows, w.columns], y, Output::default()) {
            return cancel.check();
        }
        int8::forward(self.isa.level(), tokens, x, w, y, cancel)
    }

    /// See [`packed_backward_input`].
    pub fn packed_backward_input(
        self,
        tokens: usize,
        dy: &[f32],
        w: &PackedRef<'_>,
        dx: &mut [f32],
        cancel: &Cancel,
    ) -> Result<()> {
        let a = MatRef { data: dy, transposed: false, stride: w.rows };
        self.product([tokens, w.columns, w.rows], a, (w, false), Output::default(), dx, cancel)
    }

    /// See [`packed_backward_scales`].
    pub fn packed_backward_scales(
        self,
        tokens: usize,
        dy: &[f32],
        x: &[f32],
        w: &PackedRef<'_>,
        ds: &mut [f32],
        cancel: &Cancel,
    ) -> Result<()> {
        scales::packed_backward_scales(Kernel::of(self.isa, self.precision), tokens, dy, x, w, ds, cancel)
    }

    /// `c[m, n]` from `op(a)[m, k]·B[k, n]`; `b_along`: the stored rows are columns of B.
    fn product<B: Rows>(
        self,
        [m, n, k]: [usize; 3],
        a: MatRef<'_>,
        (b, b_along): (&B, bool),
        output: Output<'_>,
        c: &mut [f32],
        cancel: &Cancel,
    ) -> Result<()> {
        a.check(m, k);
        output.check(m, n);
        let c = &mut c[..m * n];
        if nothing([m, n, k], c, output) {
            return cancel.check();
        }
        if m > few::MOST_ROWS {
            let kernel = Kernel::of(self.isa, self.precision);
            let a = Operand { rows: &a, along: !a.transposed, round: kernel.round };
            let b = Operand { rows: b, along: b_along, round: kernel.round };
            return Product { kernel, m, n, k, a, b, output }.run(c, cancel);
        }
        let (level, round) = (self.isa.level(), self.precision == Precision::Bf16);
        let a = few::Left::gather(level, m, k, Operand { rows: &a, along: !a.transposed, round });
        let b = Operand { rows: b, along: b_along, round };
        #[cfg(target_arch = "x86_64")]
        if let Some(weight) = b.rows.packed().filter(|_| b_along).and_then(|w| Lookup::new(self.isa, w, round)) {
            return weight.dots(&a, output, c, cancel);
        }
        if b_along {
            few::dots(level, &a, b, n, output, c, cancel)
        } else {
            few::combinations(level, &a, b, n, output, c, cancel)
        }
    }
}

/// Whether there is nothing to multiply; C is then as an empty sum leaves it.
fn nothing([m, n, k]: [usize; 3], c: &mut [f32], output: Output<'_>) -> bool {
    if k == 0 && n > 0 {
        for (row, c) in c.chunks_exact_mut(n).enumerate() {
            if !output.accumulate {
                c.fill(0.0);
            }
            output.finish(n, row, 0, c);
        }
    }
    m == 0 || n == 0 || k == 0
}
