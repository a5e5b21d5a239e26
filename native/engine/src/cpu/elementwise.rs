//! Element by element, row by row.

use crate::cancel::Cancel;
use crate::cpu::exp::{exp_and_sum, largest, sigmoid};
use crate::cpu::pool;
use crate::error::Result;

/// Rows of a block in sums over rows.
const ROWS: usize = 128;
/// Elements of a block in sums over everything.
const BLOCK: usize = 8192;

/// `y = f(x)`.
pub fn map(cancel: &Cancel, x: &[f32], y: &mut [f32], f: impl Fn(f32) -> f32 + Sync) -> Result<()> {
    pool::rows(
        cancel,
        y,
        1,
        #[inline(always)]
        |first, y| {
            for (y, &x) in y.iter_mut().zip(&x[first..]) {
                *y = f(x);
            }
        },
    )
}

/// `y = f(a, b)`.
pub fn zip(cancel: &Cancel, a: &[f32], b: &[f32], y: &mut [f32], f: impl Fn(f32, f32) -> f32 + Sync) -> Result<()> {
    pool::rows(
        cancel,
        y,
        1,
        #[inline(always)]
        |first, y| {
            for ((y, &a), &b) in y.iter_mut().zip(&a[first..]).zip(&b[first..]) {
                *y = f(a, b);
            }
        },
    )
}

/// `y = f(y, b)`.
pub fn update(cancel: &Cancel, y: &mut [f32], b: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) -> Result<()> {
    pool::rows(
        cancel,
        y,
        1,
        #[inline(always)]
        |first, y| {
            for (y, &b) in y.iter_mut().zip(&b[first..]) {
                *y = f(*y, b);
            }
        },
    )
}

/// `y *= factor`.
pub fn scale_in_place(cancel: &Cancel, y: &mut [f32], factor: f32) -> Result<()> {
    map_in_place(cancel, y, |y| factor * y)
}

/// `y = f(y)`.
pub fn map_in_place(cancel: &Cancel, y: &mut [f32], f: impl Fn(f32) -> f32 + Sync) -> Result<()> {
    pool::rows(
        cancel,
        y,
        1,
        #[inline(always)]
        |_, y| y.iter_mut().for_each(|y| *y = f(*y)),
    )
}

/// `y[m, n] = x[m, n] + bias[n]`.
pub fn add_bias(cancel: &Cancel, x: &[f32], bias: &[f32], y: &mut [f32]) -> Result<()> {
    let n = bias.len();
    pool::rows(
        cancel,
        y,
        n,
        #[inline(always)]
        |first, y| {
            for (y, x) in y.chunks_exact_mut(n.max(1)).zip(x[first * n..].chunks_exact(n.max(1))) {
                for ((y, &x), &bias) in y.iter_mut().zip(x).zip(bias) {
                    *y = x + bias;
                }
            }
        },
    )
}

/// Number of partial sums that [`sum_rows`] needs.
pub fn sum_rows_blocks(rows: usize) -> usize {
    rows.div_ceil(ROWS)
}

/// `y[n] = Σ over rows of x[m, n]`; `partial` holds [`sum_rows_blocks`] rows of `n`.
pub fn sum_rows(cancel: &Cancel, x: &[f32], partial: &mut [f32], y: &mut [f32]) -> Result<()> {
    let n = y.len();
    if n == 0 {
        return Ok(());
    }
    pool::blocks(
        cancel,
        partial,
        n,
        1,
        #[inline(always)]
        |block, partial| {
            partial.fill(0.0);
            let rows = &x[block * ROWS * n..];
            for row in rows.chunks_exact(n).take(ROWS) {
                for (sum, &x) in partial.iter_mut().zip(row) {
                    *sum += x;
                }
            }
        },
    )?;
    add_up_rows(partial, y);
    Ok(())
}

/// `y[n] = Σ` of the rows of `partial`, in order.
pub fn add_up_rows(partial: &[f32], y: &mut [f32]) {
    y.fill(0.0);
    for row in partial.chunks_exact(y.len().max(1)) {
        for (y, &x) in y.iter_mut().zip(row) {
            *y += x;
        }
    }
}

/// `Σ f(x)` in double precision and a fixed order.
pub fn sum(cancel: &Cancel, x: &[f32], f: impl Fn(f64) -> f64 + Sync) -> Result<f64> {
    let mut partial = vec![0.0f64; x.len().div_ceil(BLOCK)];
    pool::blocks(
        cancel,
        &mut partial,
        1,
        4,
        #[inline(always)]
        |first, partial| {
            for (sum, block) in partial.iter_mut().zip(x[first * BLOCK..].chunks(BLOCK)) {
                // Eight interleaved sums, so that the additions do not wait for each other.
                let mut lanes = [0.0f64; 8];
                for group in block.chunks(8) {
                    for (lane, &x) in lanes.iter_mut().zip(group) {
                        *lane += f(f64::from(x));
                    }
                }
                *sum = lanes.iter().sum();
            }
        },
    )?;
    Ok(partial.iter().sum())
}

/// `y = silu(gate)·up`, with `silu(x) = x / (1 + e^−x)`.
pub fn swiglu_forward(cancel: &Cancel, gate: &[f32], up: &[f32], y: &mut [f32]) -> Result<()> {
    zip(
        cancel,
        gate,
        up,
        y,
        #[inline(always)]
        |gate, up| gate * sigmoid(gate) * up,
    )
}

/// Gradients of [`swiglu_forward`]: with `s = 1 / (1 + e^−gate)`,
/// `dgate = dy·up·s·(1 + gate·(1 − s))` and `dup = dy·gate·s`.
pub fn swiglu_backward(
    cancel: &Cancel,
    (dy, gate, up): (&[f32], &[f32], &[f32]),
    dgate: &mut [f32],
    dup: &mut [f32],
) -> Result<()> {
    let per_task = pool::rows_per_task(1);
    pool::blocks2(
        cancel,
        (dgate, 1),
        (dup, 1),
        per_task,
        #[inline(always)]
        |first, dgate, dup| {
            let inputs = dy[first..].iter().zip(&gate[first..]).zip(&up[first..]);
            for ((dgate, dup), ((&dy, &gate), &up)) in dgate.iter_mut().zip(dup).zip(inputs) {
                let s = sigmoid(gate);
                *dgate = dy * up * s * (1.0 + gate * (1.0 - s));
                *dup = dy * gate * s;
            }
        },
    )
}

/// `y = softmax(x)` over rows of `n`.
pub fn softmax(cancel: &Cancel, x: &[f32], n: usize, y: &mut [f32]) -> Result<()> {
    pool::rows(
        cancel,
        y,
        n,
        #[inline(always)]
        |first, y| {
            for (y, x) in y.chunks_exact_mut(n.max(1)).zip(x[first * n..].chunks_exact(n.max(1))) {
                y.copy_from_slice(x);
                let sum = exp_and_sum(y, largest(x));
                y.iter_mut().for_each(|y| *y /= sum);
            }
        },
    )
}
