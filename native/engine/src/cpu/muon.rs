//! Muon (Jordan et al. 2024): the momentum of a matrix, made nearly orthogonal by Newton–Schulz iterations.

use crate::cancel::Cancel;
use crate::cpu::gemm::{self, MatRef};
use crate::cpu::{elementwise, reduce};
use crate::error::Result;

/// Numbers of one step.
#[derive(Debug, Clone, Copy)]
pub struct Muon {
    /// η.
    pub learning_rate: f64,
    /// μ: decay of the momentum.
    pub momentum: f64,
    /// Look ahead by one more momentum.
    pub nesterov: bool,
    /// λ: the parameter shrinks by η·λ.
    pub weight_decay: f64,
    /// How the step's size follows the matrix's.
    pub adjust: Adjust,
    /// Multiplies every gradient (clipping, averaging).
    pub gradient_scale: f64,
}

/// How the step's size follows the matrix's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adjust {
    /// `0.2·√max(rows, columns)`: a step as large as AdamW's, whose learning rates then serve (Liu et al. 2025, eq. 4).
    MatchRmsAdamW,
    /// `√max(1, rows / columns)` (Jordan et al. 2024).
    Original,
}

impl Adjust {
    /// The factor for a matrix of `rows` × `columns`.
    pub fn factor(self, rows: usize, columns: usize) -> f64 {
        match self {
            Adjust::MatchRmsAdamW => 0.2 * (rows.max(columns) as f64).sqrt(),
            Adjust::Original => (rows as f64 / columns as f64).max(1.0).sqrt(),
        }
    }
}

/// Coefficients of `X ← a·X + (b·A + c·A²)·X` with `A = X·Xᵀ`: steepest at 0, so five iterations bring singular values
/// from 0.01 … 1 to 0.7 … 1.2.
pub const QUINTIC: [f64; 3] = [3.4445, -4.7750, 2.0315];
/// Iterations.
pub const ITERATIONS: usize = 5;
/// Added to the norm that a matrix is divided by.
pub const EPSILON: f64 = 1e-7;

/// A matrix `[rows, columns]`, its gradient and its momentum.
pub struct Parameter<'a> {
    /// The parameter.
    pub p: &'a mut [f32],
    /// Its gradient.
    pub g: &'a [f32],
    /// Its momentum.
    pub momentum: &'a mut [f32],
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

/// Floats that [`step`] needs beside a matrix.
pub fn workspace(rows: usize, columns: usize) -> usize {
    let small = rows.min(columns);
    2 * rows * columns + 2 * small * small
}

/// `m ← μ·m + (1−μ)·g`, `u = (1−μ)·g + μ·m` with Nesterov (else `m`),
/// `p ← p·(1 − η·λ) − η·factor·orthogonalized(u)`.
pub fn step(op: &'static str, parameter: Parameter<'_>, o: &Muon, space: &mut [f32]) -> Result<()> {
    let Parameter { p, g, momentum, rows, columns } = parameter;
    if p.is_empty() {
        return Ok(());
    }
    let never = Cancel::never(op);
    let (mu, scale) = (o.momentum as f32, o.gradient_scale as f32);
    let rest = (1.0 - o.momentum) as f32;
    elementwise::update(
        &never,
        momentum,
        g,
        #[inline(always)]
        |m, g| mu * m + rest * (g * scale),
    )?;
    let (x, space) = space.split_at_mut(rows * columns);
    let (mu_of_m, rest_of_g) = if o.nesterov { (mu, rest * scale) } else { (1.0, 0.0) };
    elementwise::zip(
        &never,
        momentum,
        g,
        x,
        #[inline(always)]
        |m, g| mu_of_m * m + rest_of_g * g,
    )?;
    orthogonalize(&never, x, rows, columns, space)?;
    let keep = (1.0 - o.learning_rate * o.weight_decay) as f32;
    let rate = (o.learning_rate * o.adjust.factor(rows, columns)) as f32;
    elementwise::update(
        &never,
        p,
        x,
        #[inline(always)]
        |p, x| p * keep - rate * x,
    )
}

/// `x[rows, columns]` with its singular values drawn to about 1.
fn orthogonalize(cancel: &Cancel, x: &mut [f32], rows: usize, columns: usize, space: &mut [f32]) -> Result<()> {
    let norm = reduce::sum(cancel, x, |x| x * x)?.sqrt();
    elementwise::scale_in_place(cancel, x, (1.0 / (norm + EPSILON)) as f32)?;
    let (wide, small) = (rows <= columns, rows.min(columns));
    let (next, space) = space.split_at_mut(rows * columns);
    let (gram, square) = space.split_at_mut(small * small);
    let square = &mut square[..small * small];
    let [a, b, c] = QUINTIC.map(|coefficient| coefficient as f32);
    for _ in 0..ITERATIONS {
        // The smaller of the two Gram matrices: X·Xᵀ of a wide matrix, Xᵀ·X of a tall one.
        let (left, right) =
            if wide { (plain(x, columns), turned(x, columns)) } else { (turned(x, columns), plain(x, columns)) };
        gemm::matmul(small, small, rows.max(columns), left, right, 1.0, gram, false, cancel)?;
        gemm::matmul(small, small, small, plain(gram, small), plain(gram, small), c, square, false, cancel)?;
        elementwise::update(
            cancel,
            square,
            gram,
            #[inline(always)]
            |square, gram| square + b * gram,
        )?;
        let (left, right) =
            if wide { (plain(square, small), plain(x, columns)) } else { (plain(x, columns), plain(square, small)) };
        gemm::matmul(rows, columns, small, left, right, 1.0, next, false, cancel)?;
        elementwise::update(
            cancel,
            x,
            next,
            #[inline(always)]
            |x, next| a * x + next,
        )?;
    }
    Ok(())
}

fn plain(data: &[f32], stride: usize) -> MatRef<'_> {
    MatRef { data, transposed: false, stride }
}

fn turned(data: &[f32], stride: usize) -> MatRef<'_> {
    MatRef { data, transposed: true, stride }
}
