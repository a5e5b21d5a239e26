//! The products of attention, a tile of 8 rows and 32 columns at a time, in registers.

use fearless_simd::Simd;
use fearless_simd::prelude::*;

use super::{Column, QUERIES, ROWS, Row};

/// `c[8, 32] = Σ_k a[k, 8]·b[k, 32]`, added to `c` when `add`.
#[inline(always)]
pub(super) fn multiply<S: Simd>(simd: S, a: &[Column], b: &[Row], c: &mut [Row; ROWS], add: bool) {
    if S::f32s::LEN >= 16 {
        blocks::<S, 8, 2>(simd, a, b, c, add);
    } else {
        blocks::<S, 4, 2>(simd, a, b, c, add);
    }
}

/// In blocks of `R` rows and `V` vectors: as many as there are registers for.
#[inline(always)]
fn blocks<S: Simd, const R: usize, const V: usize>(simd: S, a: &[Column], b: &[Row], c: &mut [Row; ROWS], add: bool) {
    let lanes = S::f32s::LEN;
    for column in (0..QUERIES).step_by(V * lanes) {
        for row in (0..ROWS).step_by(R) {
            let mut sums = [[S::f32s::splat(simd, 0.0); V]; R];
            if add {
                for r in 0..R {
                    for v in 0..V {
                        sums[r][v] = S::f32s::from_slice(simd, &c[row + r][column + v * lanes..][..lanes]);
                    }
                }
            }
            for (a, b) in a.iter().zip(b) {
                let mut vectors = [S::f32s::splat(simd, 0.0); V];
                for v in 0..V {
                    vectors[v] = S::f32s::from_slice(simd, &b[column + v * lanes..][..lanes]);
                }
                for r in 0..R {
                    let a = S::f32s::splat(simd, a[row + r]);
                    for v in 0..V {
                        sums[r][v] = a.mul_add(vectors[v], sums[r][v]);
                    }
                }
            }
            for r in 0..R {
                for v in 0..V {
                    sums[r][v].store_slice(&mut c[row + r][column + v * lanes..][..lanes]);
                }
            }
        }
    }
}

/// `c[8, 32] += Σ_q p[8, q]·b[q, 32]` over the queries of a panel.
#[inline(always)]
pub(super) fn multiply_queries<S: Simd>(simd: S, p: &[Row; ROWS], b: &[Row; QUERIES], c: &mut [Row; ROWS]) {
    if S::f32s::LEN >= 16 {
        query_blocks::<S, 8, 2>(simd, p, b, c);
    } else {
        query_blocks::<S, 4, 2>(simd, p, b, c);
    }
}

#[inline(always)]
fn query_blocks<S: Simd, const R: usize, const V: usize>(
    simd: S,
    p: &[Row; ROWS],
    b: &[Row; QUERIES],
    c: &mut [Row; ROWS],
) {
    let lanes = S::f32s::LEN;
    for column in (0..QUERIES).step_by(V * lanes) {
        for row in (0..ROWS).step_by(R) {
            let mut sums = [[S::f32s::splat(simd, 0.0); V]; R];
            for r in 0..R {
                for v in 0..V {
                    sums[r][v] = S::f32s::from_slice(simd, &c[row + r][column + v * lanes..][..lanes]);
                }
            }
            for q in 0..QUERIES {
                let mut vectors = [S::f32s::splat(simd, 0.0); V];
                for v in 0..V {
                    vectors[v] = S::f32s::from_slice(simd, &b[q][column + v * lanes..][..lanes]);
                }
                for r in 0..R {
                    let p = S::f32s::splat(simd, p[row + r][q]);
                    for v in 0..V {
                        sums[r][v] = p.mul_add(vectors[v], sums[r][v]);
                    }
                }
            }
            for r in 0..R {
                for v in 0..V {
                    sums[r][v].store_slice(&mut c[row + r][column + v * lanes..][..lanes]);
                }
            }
        }
    }
}
