//! The products of attention, a tile of 8 rows and 16 or 32 columns at a time, in registers.

use fearless_simd::Simd;
use fearless_simd::prelude::*;

use super::ROWS;
use super::lanes::Lane;

/// Eight rows of the left operand.
#[derive(Clone, Copy)]
pub(super) enum Left<'a> {
    /// Step `s` of row `r` stands at `r·stride + s`.
    Along(&'a [Lane], usize),
    /// Step `s` of row `r` stands at `s·stride + r`.
    Across(&'a [Lane], usize),
}

/// The right operand: step `s` of column `j` stands at `s·stride + j`.
#[derive(Clone, Copy)]
pub(super) struct Right<'a> {
    pub(super) data: &'a [Lane],
    pub(super) stride: usize,
    /// The first column.
    pub(super) column: usize,
}

/// Where the sums go: column `j` of row `r` stands at `r·stride + j`.
pub(super) struct Sums<'a> {
    pub(super) data: &'a mut [f32],
    pub(super) stride: usize,
    /// 16 or 32.
    pub(super) columns: usize,
    /// What the sums are multiplied with.
    pub(super) factor: f32,
    /// Whether they are added to what is there.
    pub(super) add: bool,
}

/// `sums[8, columns] = factor·Σ left·right` over lanes that are numbers.
#[inline(always)]
pub(super) fn multiply<S: Simd>(simd: S, steps: usize, left: Left<'_>, right: Right<'_>, mut sums: Sums<'_>) {
    if S::f32s::LEN < 16 {
        blocks::<S, 4, 2>(simd, steps, left, right, &mut sums);
    } else if sums.columns == 32 {
        blocks::<S, 8, 2>(simd, steps, left, right, &mut sums);
    } else {
        blocks::<S, 8, 1>(simd, steps, left, right, &mut sums);
    }
}

/// In blocks of `R` rows and `V` vectors: as many as there are registers for.
#[inline(always)]
fn blocks<S: Simd, const R: usize, const V: usize>(
    simd: S,
    steps: usize,
    left: Left<'_>,
    right: Right<'_>,
    out: &mut Sums<'_>,
) {
    let lanes = S::f32s::LEN;
    let b: &[f32] = bytemuck::cast_slice(right.data);
    for column in (0..out.columns).step_by(V * lanes) {
        let from = right.column + column;
        for row in (0..ROWS).step_by(R) {
            let mut sums = [[S::f32s::splat(simd, 0.0); V]; R];
            match left {
                Left::Along(a, stride) => {
                    let a: &[f32] = bytemuck::cast_slice(a);
                    let mut rows = [&a[..0]; R];
                    for r in 0..R {
                        rows[r] = &a[(row + r) * stride..][..steps];
                    }
                    for (k, b) in b.chunks_exact(right.stride).take(steps).enumerate() {
                        let b = &b[from..][..V * lanes];
                        let mut a = [0.0; R];
                        for r in 0..R {
                            a[r] = rows[r][k];
                        }
                        step::<S, R, V>(simd, &a, b, &mut sums);
                    }
                }
                Left::Across(a, stride) => {
                    let a: &[f32] = bytemuck::cast_slice(a);
                    let a = a.chunks(stride).take(steps);
                    for (a, b) in a.zip(b.chunks_exact(right.stride)) {
                        if let Some(a) = a[row..].first_chunk::<R>() {
                            step::<S, R, V>(simd, a, &b[from..][..V * lanes], &mut sums);
                        }
                    }
                }
            }
            let factor = S::f32s::splat(simd, out.factor);
            for (r, sums) in sums.iter().enumerate() {
                let to = &mut out.data[(row + r) * out.stride + column..][..V * lanes];
                for (sum, to) in sums.iter().zip(to.chunks_exact_mut(lanes)) {
                    let sum = if out.add { factor.mul_add(*sum, S::f32s::from_slice(simd, to)) } else { factor * *sum };
                    sum.store_slice(to);
                }
            }
        }
    }
}

/// One step of depth.
#[inline(always)]
fn step<S: Simd, const R: usize, const V: usize>(simd: S, a: &[f32; R], b: &[f32], sums: &mut [[S::f32s; V]; R]) {
    let lanes = S::f32s::LEN;
    let mut vectors = [S::f32s::splat(simd, 0.0); V];
    for v in 0..V {
        vectors[v] = S::f32s::from_slice(simd, &b[v * lanes..(v + 1) * lanes]);
    }
    for r in 0..R {
        let a = S::f32s::splat(simd, a[r]);
        for v in 0..V {
            sums[r][v] = a.mul_add(vectors[v], sums[r][v]);
        }
    }
}
