//! Softmax of rows, and its logarithm.

use crate::cancel::Cancel;
use crate::cpu::exp::{dot, exp, exp_and_sum, largest};
use crate::cpu::pool;
use crate::error::Result;

/// Calls `f(row of x, row of y)` for rows of `n`.
fn rows(cancel: &Cancel, x: &[f32], n: usize, y: &mut [f32], f: impl Fn(&[f32], &mut [f32]) + Sync) -> Result<()> {
    let n = n.max(1);
    pool::rows(
        cancel,
        y,
        n,
        #[inline(always)]
        |first, y| {
            for (y, x) in y.chunks_exact_mut(n).zip(x[first * n..].chunks_exact(n)) {
                f(x, y);
            }
        },
    )
}

/// `y = softmax(x)` over rows of `n`.
pub fn softmax(cancel: &Cancel, x: &[f32], n: usize, y: &mut [f32]) -> Result<()> {
    rows(
        cancel,
        x,
        n,
        y,
        #[inline(always)]
        |x, y| {
            y.copy_from_slice(x);
            let factor = 1.0 / exp_and_sum(y, largest(x));
            y.iter_mut().for_each(|y| *y *= factor);
        },
    )
}

/// `y = x − log Σ e^x` over rows of `n`.
pub fn log_softmax(cancel: &Cancel, x: &[f32], n: usize, y: &mut [f32]) -> Result<()> {
    rows(
        cancel,
        x,
        n,
        y,
        #[inline(always)]
        |x, y| {
            y.copy_from_slice(x);
            let shift = largest(x);
            let log_sum = exp_and_sum(y, shift).ln();
            for (y, &x) in y.iter_mut().zip(x) {
                *y = (x - shift) - log_sum;
            }
        },
    )
}

/// `dx = y·(dy − Σ dy·y)` over rows of `n`.
pub fn softmax_backward(cancel: &Cancel, (dy, y): (&[f32], &[f32]), n: usize, dx: &mut [f32]) -> Result<()> {
    gradient(
        cancel,
        (dy, y),
        n,
        dx,
        #[inline(always)]
        |dy, y, dx| {
            let along = dot(dy, y);
            for ((dx, &dy), &y) in dx.iter_mut().zip(dy).zip(y) {
                *dx = y * (dy - along);
            }
        },
    )
}

/// `dx = dy − e^y·Σ dy` over rows of `n`.
pub fn log_softmax_backward(cancel: &Cancel, (dy, y): (&[f32], &[f32]), n: usize, dx: &mut [f32]) -> Result<()> {
    gradient(
        cancel,
        (dy, y),
        n,
        dx,
        #[inline(always)]
        |dy, y, dx| {
            let along: f32 = dy.iter().sum();
            for ((dx, &dy), &y) in dx.iter_mut().zip(dy).zip(y) {
                *dx = dy - exp(y) * along;
            }
        },
    )
}

fn gradient(
    cancel: &Cancel,
    (dy, y): (&[f32], &[f32]),
    n: usize,
    dx: &mut [f32],
    f: impl Fn(&[f32], &[f32], &mut [f32]) + Sync,
) -> Result<()> {
    let n = n.max(1);
    pool::rows(
        cancel,
        dx,
        n,
        #[inline(always)]
        |first, dx| {
            let rows = dy[first * n..].chunks_exact(n).zip(y[first * n..].chunks_exact(n));
            for (dx, (dy, y)) in dx.chunks_exact_mut(n).zip(rows) {
                f(dy, y, dx);
            }
        },
    )
}
