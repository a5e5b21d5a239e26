//! The innermost loop: one tile of C from a panel of A and a panel of B, in registers.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch};

use super::ahead::Ahead;
#[cfg(target_arch = "x86_64")]
use super::avx512::{self, Avx512, Avx512Bf16};
use super::pack::{Lane, Lanes};
use crate::cpu::simd::Isa;
use crate::precision::Precision;

/// The most elements of a tile.
pub(super) const LARGEST_TILE: usize = 12 * 32;

/// Rows of a tile that the portable kernel makes.
const ROWS: usize = 6;
/// Vectors in a row of it: with 32 registers (NEON) more stay in flight than with 16.
const VECTORS: usize = if cfg!(target_arch = "aarch64") { 4 } else { 2 };

/// A microkernel: the size of its tile, and what it wants in panels.
#[derive(Clone, Copy)]
pub(super) struct Kernel {
    /// The vector level of the code around it.
    pub(super) level: Level,
    /// What panels hold.
    pub(super) lanes: Lanes,
    /// Whether operands are rounded to bf16 although lanes are f32.
    pub(super) round: bool,
    /// Rows of its tile.
    pub(super) rows: usize,
    /// Columns of its tile.
    pub(super) columns: usize,
    tile: Tile,
}

#[derive(Clone, Copy)]
enum Tile {
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16(Avx512Bf16),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    /// Rows × two or four vectors.
    Portable,
}

impl Kernel {
    /// The kernel of an instruction set (the portable one where the processor lacks it).
    pub(super) fn of(isa: Isa, precision: Precision) -> Kernel {
        let (level, bf16) = (isa.level(), precision == Precision::Bf16);
        #[cfg(target_arch = "x86_64")]
        {
            let wide = |lanes, tile| Kernel {
                level,
                lanes,
                round: bf16 && matches!(lanes, Lanes::F32),
                rows: avx512::ROWS,
                columns: avx512::COLUMNS,
                tile,
            };
            if let Some(proof) = Avx512Bf16::new().filter(|_| bf16 && isa == Isa::Avx512Bf16) {
                return wide(Lanes::Pairs(proof), Tile::Avx512Bf16(proof));
            }
            if let Some(proof) = Avx512::new().filter(|_| matches!(isa, Isa::Avx512Bf16 | Isa::Avx512)) {
                return wide(Lanes::F32, Tile::Avx512(proof));
            }
        }
        let columns = dispatch!(level, simd => width(simd)) * VECTORS;
        Kernel { level, lanes: Lanes::F32, round: bf16, rows: ROWS, columns, tile: Tile::Portable }
    }

    /// `out[rows, columns] = Σ a·b` over a panel of A and a panel of B, of which the first `rows` are wanted.
    pub(super) fn tile(self, rows: usize, a: &[Lane], b: &[Lane], ahead: Ahead, out: &mut [f32]) {
        dispatch!(self.level, simd => self.tile_in(simd, rows, a, b, ahead, out));
    }

    /// [`Kernel::tile`] where code for its level runs already.
    #[inline(always)]
    pub(super) fn tile_in<S: Simd>(self, simd: S, rows: usize, a: &[Lane], b: &[Lane], ahead: Ahead, out: &mut [f32]) {
        let numbers = bytemuck::cast_slice::<Lane, f32>;
        match self.tile {
            #[cfg(target_arch = "x86_64")]
            Tile::Avx512Bf16(proof) => proof.tile(rows, a, b, ahead, out),
            #[cfg(target_arch = "x86_64")]
            Tile::Avx512(proof) => proof.tile(rows, numbers(a), numbers(b), ahead, out),
            Tile::Portable if rows <= 2 => tile::<2, S>(simd, numbers(a), numbers(b), ahead, out),
            Tile::Portable if rows <= 4 => tile::<4, S>(simd, numbers(a), numbers(b), ahead, out),
            Tile::Portable => tile::<ROWS, S>(simd, numbers(a), numbers(b), ahead, out),
        }
    }
}

#[inline(always)]
fn width<S: Simd>(_: S) -> usize {
    S::f32s::LEN
}

#[inline(always)]
fn tile<const R: usize, S: Simd>(simd: S, a: &[f32], b: &[f32], ahead: Ahead, out: &mut [f32]) {
    let lanes = S::f32s::LEN;
    let mut sums = [[S::f32s::splat(simd, 0.0); VECTORS]; R];
    let mut lines = ahead.lines();
    for (a, b) in a.chunks_exact(ROWS).zip(b.chunks_exact(VECTORS * lanes)) {
        lines.fetch();
        let mut vectors = [S::f32s::splat(simd, 0.0); VECTORS];
        for i in 0..VECTORS {
            vectors[i] = S::f32s::from_slice(simd, &b[i * lanes..(i + 1) * lanes]);
        }
        for row in 0..R {
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
