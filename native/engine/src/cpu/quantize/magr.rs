//! MagR (Zhang et al. 2024, arXiv 2406.00800): weights of smaller magnitude that give nearly the same outputs.

use super::Layout;
use super::grid;
use super::rtn::not_finite;
use crate::cancel::Cancel;
use crate::cpu::gemm::{self, MatRef};
use crate::cpu::pool;
use crate::error::Result;

/// Minimizes `½‖X(w̃ − w)ᵀ‖²/λ + α·‖w̃‖∞` for each group of each row, by `iterations` steps of proximal gradient descent:
/// `v = w̃ − (w̃ − w)·H/λ`, `w̃ = prox(v)`. `lambda` is the largest eigenvalue of `gram`, or more.
pub fn reduce(
    cancel: &Cancel,
    w: &[f32],
    layout: Layout,
    gram: &[f32],
    lambda: f64,
    alpha: f32,
    iterations: usize,
) -> Result<Vec<f32>> {
    let Layout { rows, columns, .. } = layout;
    if !grid::all_finite(w) {
        return Err(not_finite(cancel.op()));
    }
    let mut reduced = w.to_vec();
    let mut difference = vec![0.0f32; w.len()];
    let mut levels = vec![0.0f32; rows * layout.groups()];
    let h = MatRef { data: gram, transposed: false, stride: columns };
    for _ in 0..iterations {
        pool::rows(
            cancel,
            &mut difference,
            columns,
            #[inline(always)]
            |first, out| {
                let at = first * columns..first * columns + out.len();
                for ((out, &reduced), &w) in out.iter_mut().zip(&reduced[at.clone()]).zip(&w[at]) {
                    *out = reduced - w;
                }
            },
        )?;
        let moved = MatRef { data: &difference, transposed: false, stride: columns };
        let step = (-1.0 / lambda) as f32;
        gemm::matmul(rows, columns, columns, moved, h, step, &mut reduced, true, cancel)?;
        let (w, levels) = ((&mut reduced[..], columns), (&mut levels[..], layout.groups()));
        pool::blocks2(
            cancel,
            w,
            levels,
            pool::rows_per_task(columns),
            #[inline(always)]
            |_, w, levels| {
                let rows = w.chunks_exact_mut(columns.max(1));
                let groups = rows.flat_map(|row| row.chunks_mut(layout.size()));
                for (w, level) in groups.zip(levels) {
                    *level = clamp_level(w, alpha, *level);
                    for w in w {
                        *w = w.max(-*level).min(*level);
                    }
                }
            },
        )?;
    }
    Ok(reduced)
}

/// The level `t ≥ 0` with `Σ max(|v| − t, 0) = α`, or 0 where `Σ|v| ≤ α`: clamping to ±t is the proximal map of
/// `α·‖·‖∞` (its complement is the projection onto the ℓ1 ball). Newton's method, from `guess`: finite, since the sum is
/// piecewise linear in t.
#[inline(always)]
fn clamp_level(v: &[f32], alpha: f32, guess: f32) -> f32 {
    const MOST: usize = 64;
    let mut level = guess;
    for _ in 0..MOST {
        let (sum, count) = above(v, level);
        if count == 0.0 {
            // Newton starts from the left.
            if level == 0.0 {
                return 0.0;
            }
            level = 0.0;
            continue;
        }
        let next = ((sum - alpha) / count).max(0.0);
        if (next - level).abs() <= 1e-6 * level {
            return next;
        }
        level = next;
    }
    level
}

/// Sum and number of the magnitudes above a level.
#[inline(always)]
fn above(v: &[f32], level: f32) -> (f32, f32) {
    let (mut sums, mut counts) = ([0.0f32; 16], [0.0f32; 16]);
    let (wholes, rest) = v.as_chunks::<16>();
    for v in wholes {
        for ((sum, count), v) in sums.iter_mut().zip(counts.iter_mut()).zip(v) {
            let size = v.abs();
            let inside = size > level;
            *sum += if inside { size } else { 0.0 };
            *count += if inside { 1.0 } else { 0.0 };
        }
    }
    let (mut sum, mut count) = (sums.iter().sum::<f32>(), counts.iter().sum::<f32>());
    for v in rest {
        if v.abs() > level {
            sum += v.abs();
            count += 1.0;
        }
    }
    (sum, count)
}

/// The largest eigenvalue of a symmetric positive semidefinite `gram[n, n]`, from below, by power iteration.
pub fn largest_eigenvalue(cancel: &Cancel, gram: &[f32], n: usize) -> Result<f64> {
    const ITERATIONS: usize = 50;
    let mut v: Vec<f32> = (0..n).map(|i| gram[i * n + i].max(0.0).sqrt() + f32::MIN_POSITIVE).collect();
    let mut value = 0.0;
    for _ in 0..ITERATIONS {
        let size = v.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
        if size == 0.0 {
            return Ok(0.0);
        }
        v.iter_mut().for_each(|v| *v = (f64::from(*v) / size) as f32);
        let mut next = vec![0.0f32; n];
        let h = MatRef { data: gram, transposed: false, stride: n };
        gemm::matmul(1, n, n, MatRef { data: &v, transposed: false, stride: n }, h, 1.0, &mut next, false, cancel)?;
        value = next.iter().zip(&v).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
        v = next;
    }
    Ok(value)
}
