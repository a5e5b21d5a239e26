//! The innermost loop: one tile of C from a panel of A and a panel of B, in registers.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch};

#[cfg(target_arch = "x86_64")]
use super::avx512::Avx512;
use crate::cpu::simd::Isa;

/// The most elements of a tile.
pub(super) const LARGEST_TILE: usize = 12 * 32;

/// Rows of a tile that the portable kernel makes.
const ROWS: usize = 6;
/// Vectors in a row of it: with 32 registers (NEON) more stay in flight than with 16.
const VECTORS: usize = if cfg!(target_arch = "aarch64") { 4 } else { 2 };

/// A microkernel, chosen by instruction set.
#[derive(Clone, Copy)]
pub(super) enum Kernel {
    /// 12 × 32.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    /// 6 × two or four vectors.
    Portable { level: Level, columns: usize },
}

impl Kernel {
    /// The kernel of an instruction set (the portable one where the processor lacks it).
    pub(super) fn of(isa: Isa) -> Kernel {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx512) = Avx512::new().filter(|_| isa == Isa::Avx512) {
            return Kernel::Avx512(avx512);
        }
        let level = isa.level();
        Kernel::Portable { level, columns: dispatch!(level, simd => width(simd)) * VECTORS }
    }

    /// Rows of its tile.
    pub(super) fn rows(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512(_) => Avx512::ROWS,
            Kernel::Portable { .. } => ROWS,
        }
    }

    /// Columns of its tile.
    pub(super) fn columns(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512(_) => Avx512::COLUMNS,
            Kernel::Portable { columns, .. } => columns,
        }
    }

    /// `out[rows, columns] = Σ_k a[k, rows]·b[k, columns]`
    pub(super) fn tile(self, a: &[f32], b: &[f32], out: &mut [f32]) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512(avx512) => avx512.tile(a, b, out),
            Kernel::Portable { level, .. } => dispatch!(level, simd => tile(simd, a, b, out)),
        }
    }
}

#[inline(always)]
fn width<S: Simd>(_: S) -> usize {
    S::f32s::LEN
}

#[inline(always)]
fn tile<S: Simd>(simd: S, a: &[f32], b: &[f32], out: &mut [f32]) {
    let lanes = S::f32s::LEN;
    let mut sums = [[S::f32s::splat(simd, 0.0); VECTORS]; ROWS];
    for (a, b) in a.chunks_exact(ROWS).zip(b.chunks_exact(VECTORS * lanes)) {
        let mut vectors = [S::f32s::splat(simd, 0.0); VECTORS];
        for i in 0..VECTORS {
            vectors[i] = S::f32s::from_slice(simd, &b[i * lanes..(i + 1) * lanes]);
        }
        for row in 0..ROWS {
            let a = S::f32s::splat(simd, a[row]);
            for i in 0..VECTORS {
                sums[row][i] = a.mul_add(vectors[i], sums[row][i]);
            }
        }
    }
    for (sums, out) in sums.iter().zip(out.chunks_exact_mut(VECTORS * lanes)) {
        for (sum, out) in sums.iter().zip(out.chunks_exact_mut(lanes)) {
            sum.store_slice(out);
        }
    }
}
