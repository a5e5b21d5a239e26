//! Root-mean-square normalization (Zhang and Sennrich 2019) and layer normalization (Ba et al. 2016).

use crate::cancel::Cancel;
use crate::cpu::exp::{dot, total};
use crate::cpu::pool;
use crate::error::Result;

/// Rows of a task: the gradients of weights are summed over each, and then over the tasks in order.
pub const ROWS: usize = 32;

#[inline(always)]
fn rms_row(x: &[f32], weight: &[f32], epsilon: f32, y: &mut [f32]) -> f32 {
    let mean = f64::from(dot(x, x)) / x.len() as f64;
    let rstd = (1.0 / (mean + f64::from(epsilon)).sqrt()) as f32;
    for ((y, &x), &weight) in y.iter_mut().zip(x).zip(weight) {
        *y = x * rstd * weight;
    }
    rstd
}

/// `y = x·rstd·weight` with `rstd = 1 / √(mean(x²) + epsilon)` for each row.
pub fn rms_norm_forward(
    cancel: &Cancel,
    x: &[f32],
    weight: &[f32],
    epsilon: f32,
    y: &mut [f32],
    rstd: &mut [f32],
) -> Result<()> {
    let n = weight.len();
    pool::blocks2(
        cancel,
        (y, n),
        (rstd, 1),
        pool::rows_per_task(n),
        #[inline(always)]
        |first, y, rstd| {
            for ((y, x), rstd) in y.chunks_exact_mut(n).zip(x[first * n..].chunks_exact(n)).zip(rstd) {
                *rstd = rms_row(x, weight, epsilon, y);
            }
        },
    )
}

/// [`rms_norm_forward`] of `sum = x + residual`.
pub fn add_rms_norm_forward(
    cancel: &Cancel,
    (x, residual, weight): (&[f32], &[f32], &[f32]),
    epsilon: f32,
    (sum, y, rstd): (&mut [f32], &mut [f32], &mut [f32]),
) -> Result<()> {
    let n = weight.len();
    pool::blocks3(
        cancel,
        (sum, n),
        (y, n),
        (rstd, 1),
        pool::rows_per_task(n),
        #[inline(always)]
        |first, sum, y, rstd| {
            let inputs = x[first * n..].chunks_exact(n).zip(residual[first * n..].chunks_exact(n));
            let outputs = sum.chunks_exact_mut(n).zip(y.chunks_exact_mut(n)).zip(rstd);
            for (((sum, y), rstd), (x, residual)) in outputs.zip(inputs) {
                for ((sum, &x), &residual) in sum.iter_mut().zip(x).zip(residual) {
                    *sum = x + residual;
                }
                *rstd = rms_row(sum, weight, epsilon, y);
            }
        },
    )
}

type Rows<'a> = (&'a [f32], &'a [f32], &'a [f32]);

#[inline(always)]
fn rms_rows<'a>(
    (dy, x, rstd): Rows<'a>,
    n: usize,
    first: usize,
) -> impl Iterator<Item = ((&'a [f32], &'a [f32]), &'a f32)> {
    dy[first * n..].chunks_exact(n).zip(x[first * n..].chunks_exact(n)).zip(&rstd[first..])
}

#[inline(always)]
fn rms_gradient(dx: &mut [f32], weight: &[f32], (dy, x, rstd): (&[f32], &[f32], f32)) {
    for ((dx, &dy), &weight) in dx.iter_mut().zip(dy).zip(weight) {
        *dx = dy * weight;
    }
    let factor = dot(dx, x) / x.len() as f32 * rstd * rstd;
    for (dx, &x) in dx.iter_mut().zip(x) {
        *dx = rstd * (*dx - x * factor);
    }
}

/// `dx = rstd·(dy·weight − x·rstd²·mean(dy·weight·x))`, and `dweight = Σ over rows of dy·x·rstd` as one partial sum for
/// each [`ROWS`] rows, unless `partial` is empty.
pub fn rms_norm_backward(
    cancel: &Cancel,
    (dy, x, weight, rstd): (&[f32], &[f32], &[f32], &[f32]),
    dx: &mut [f32],
    partial: &mut [f32],
) -> Result<()> {
    let n = weight.len();
    let inputs = (dy, x, rstd);
    if partial.is_empty() {
        return pool::blocks(
            cancel,
            dx,
            n,
            ROWS,
            #[inline(always)]
            |first, dx| {
                for (dx, ((dy, x), &rstd)) in dx.chunks_exact_mut(n).zip(rms_rows(inputs, n, first)) {
                    rms_gradient(dx, weight, (dy, x, rstd));
                }
            },
        );
    }
    pool::parts2(
        cancel,
        (dx, n * ROWS),
        (partial, n),
        #[inline(always)]
        |block, dx, sums| {
            sums.fill(0.0);
            for (dx, ((dy, x), &rstd)) in dx.chunks_exact_mut(n).zip(rms_rows(inputs, n, block * ROWS)) {
                rms_gradient(dx, weight, (dy, x, rstd));
                for ((sum, &dy), &x) in sums.iter_mut().zip(dy).zip(x) {
                    *sum += dy * x * rstd;
                }
            }
        },
    )
}

/// `y = (x − mean)·rstd·weight + bias` with `rstd = 1 / √(variance + epsilon)` for each row.
pub fn layer_norm_forward(
    cancel: &Cancel,
    (x, weight, bias): (&[f32], &[f32], Option<&[f32]>),
    epsilon: f32,
    (y, mean, rstd): (&mut [f32], &mut [f32], &mut [f32]),
) -> Result<()> {
    let n = weight.len();
    pool::blocks3(
        cancel,
        (y, n),
        (mean, 1),
        (rstd, 1),
        pool::rows_per_task(n),
        #[inline(always)]
        |first, y, mean, rstd| {
            let rows = y.chunks_exact_mut(n).zip(x[first * n..].chunks_exact(n));
            for ((y, x), (mean, rstd)) in rows.zip(mean.iter_mut().zip(rstd)) {
                *mean = total(x) / n as f32;
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = x - *mean;
                }
                // From the deviations, so that a large mean does not drown a small variance.
                *rstd = 1.0 / (dot(y, y) / n as f32 + epsilon).sqrt();
                for (y, &weight) in y.iter_mut().zip(weight) {
                    *y = *y * *rstd * weight;
                }
                for (y, &bias) in y.iter_mut().zip(bias.unwrap_or(&[])) {
                    *y += bias;
                }
            }
        },
    )
}

/// `Σ a·(x − mean)`, in sixteen interleaved sums.
#[inline(always)]
fn along(a: &[f32], x: &[f32], mean: f32) -> f32 {
    let mut lanes = [0.0f32; 16];
    let ((a_groups, a_rest), (x_groups, x_rest)) = (a.as_chunks::<16>(), x.as_chunks::<16>());
    for (a, x) in a_groups.iter().zip(x_groups) {
        for ((lane, &a), &x) in lanes.iter_mut().zip(a).zip(x) {
            *lane += a * (x - mean);
        }
    }
    let rest: f32 = a_rest.iter().zip(x_rest).map(|(a, x)| a * (x - mean)).sum();
    lanes.iter().sum::<f32>() + rest
}

#[inline(always)]
fn layer_gradient(dx: &mut [f32], weight: &[f32], (dy, x): (&[f32], &[f32]), (mean, rstd): (f32, f32)) {
    for ((dx, &dy), &weight) in dx.iter_mut().zip(dy).zip(weight) {
        *dx = dy * weight;
    }
    let average = total(dx) / x.len() as f32;
    let along = along(dx, x, mean) / x.len() as f32 * rstd * rstd;
    for (dx, &x) in dx.iter_mut().zip(x) {
        *dx = rstd * (*dx - average - (x - mean) * along);
    }
}

/// With `h = (x − mean)·rstd` and `g = dy·weight`: `dx = rstd·(g − mean(g) − h·mean(g·h))`; the sums over rows of `dy·h`
/// (for the weight) and `dy` (for the bias) as partial sums of `2·n` for each [`ROWS`] rows, unless `partial` is empty.
pub fn layer_norm_backward(
    cancel: &Cancel,
    (dy, x, weight): (&[f32], &[f32], &[f32]),
    (mean, rstd): (&[f32], &[f32]),
    dx: &mut [f32],
    partial: &mut [f32],
) -> Result<()> {
    let n = weight.len();
    if partial.is_empty() {
        return pool::blocks(
            cancel,
            dx,
            n,
            ROWS,
            #[inline(always)]
            |first, dx| {
                let rows = dy[first * n..].chunks_exact(n).zip(x[first * n..].chunks_exact(n));
                for (i, (dx, inputs)) in dx.chunks_exact_mut(n).zip(rows).enumerate() {
                    layer_gradient(dx, weight, inputs, (mean[first + i], rstd[first + i]));
                }
            },
        );
    }
    pool::parts2(
        cancel,
        (dx, n * ROWS),
        (partial, 2 * n),
        #[inline(always)]
        |block, dx, sums| {
            sums.fill(0.0);
            let (for_weight, for_bias) = sums.split_at_mut(n);
            let first = block * ROWS;
            let rows = dy[first * n..].chunks_exact(n).zip(x[first * n..].chunks_exact(n));
            for (i, (dx, (dy, x))) in dx.chunks_exact_mut(n).zip(rows).enumerate() {
                let (mean, rstd) = (mean[first + i], rstd[first + i]);
                layer_gradient(dx, weight, (dy, x), (mean, rstd));
                for (((weight, bias), &dy), &x) in for_weight.iter_mut().zip(for_bias.iter_mut()).zip(dy).zip(x) {
                    *weight += dy * (x - mean) * rstd;
                    *bias += dy;
                }
            }
        },
    )
}
