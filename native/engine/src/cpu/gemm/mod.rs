//! Matrix multiply on slices: `C = alpha·op(A)·op(B)`, plus C when accumulating.

use crate::cancel::Cancel;
use crate::cpu::pool;
use crate::error::Result;

mod packed;

pub use packed::{
    packed_backward_input, packed_backward_scales, packed_backward_scales_from_output, packed_forward,
};

/// A matrix in row-major memory, perhaps to be read as its transpose.
#[derive(Clone, Copy)]
pub struct MatRef<'a> {
    /// The elements.
    pub data: &'a [f32],
    /// Whether `op(A)` is the transpose of what is stored.
    pub transposed: bool,
    /// Elements between two stored rows.
    pub stride: usize,
}

impl MatRef<'_> {
    fn at(&self, row: usize, column: usize) -> f32 {
        if self.transposed { self.data[column * self.stride + row] } else { self.data[row * self.stride + column] }
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
    let c = &mut c[..m * n];
    if m == 0 || n == 0 {
        return Ok(());
    }
    let mut packed = Vec::new();
    let (rows, stride) = if b.transposed {
        packed.resize(k * n, 0.0);
        for column in 0..n {
            for (depth, &value) in b.data[column * b.stride..][..k].iter().enumerate() {
                packed[depth * n + column] = value;
            }
        }
        (packed.as_slice(), n)
    } else {
        (b.data, b.stride)
    };
    pool::blocks(cancel, c, n, 8, |first, block| {
        if !accumulate {
            block.fill(0.0);
        }
        for (row, out) in block.chunks_exact_mut(n).enumerate() {
            for depth in 0..k {
                let factor = alpha * a.at(first + row, depth);
                for (out, &value) in out.iter_mut().zip(&rows[depth * stride..][..n]) {
                    *out += factor * value;
                }
            }
        }
    })
}
