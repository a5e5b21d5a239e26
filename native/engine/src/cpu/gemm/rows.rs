//! What an operand is stored as. Packers and loops see rows of numbers; a storage format is an implementation of
//! [`Rows`].

use bytemuck::NoUninit;
use fearless_simd::Simd;
use fearless_simd::prelude::*;
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use super::MatRef;
use super::ahead::Ahead;
use super::pack::Span;
use crate::format::PackedRef;

/// Longest stretch of a row that packers ask for at once.
pub(super) const LONGEST: usize = 256;

/// Rows of a stored matrix, dense or packed.
pub(super) trait Rows: Sync {
    /// A stretch of a row: where it lies, or decoded into `space`.
    fn stretch<'a, S: Simd>(&'a self, simd: S, row: usize, span: Span, space: &'a mut [f32]) -> &'a [f32];

    /// Its bytes, where fetching them takes longer than reading them.
    fn bytes(&self, row: usize, span: Span) -> Option<&[u8]>;

    /// Itself, if it is packed.
    fn packed(&self) -> Option<&PackedRef<'_>> {
        None
    }
}

/// What dense matrices are stored as.
pub trait Number: NoUninit + Send + Sync {
    /// As f32: where they lie, or widened into `space`.
    fn widen<'a>(numbers: &'a [Self], space: &'a mut [f32]) -> &'a [f32];
}

impl Number for f32 {
    #[inline(always)]
    fn widen<'a>(numbers: &'a [f32], _: &'a mut [f32]) -> &'a [f32] {
        numbers
    }
}

impl Number for bf16 {
    #[inline(always)]
    fn widen<'a>(numbers: &'a [bf16], space: &'a mut [f32]) -> &'a [f32] {
        let space = &mut space[..numbers.len()];
        for (number, out) in numbers.iter().zip(space.iter_mut()) {
            *out = f32::from_bits(u32::from(number.to_bits()) << 16);
        }
        space
    }
}

impl Number for f16 {
    #[inline(always)]
    fn widen<'a>(numbers: &'a [f16], space: &'a mut [f32]) -> &'a [f32] {
        let space = &mut space[..numbers.len()];
        numbers.convert_to_f32_slice(space);
        space
    }
}

impl<T: Number> Rows for MatRef<'_, T> {
    #[inline(always)]
    fn stretch<'a, S: Simd>(&'a self, _: S, row: usize, span: Span, space: &'a mut [f32]) -> &'a [f32] {
        T::widen(&self.data[row * self.stride + span.start..][..span.length], space)
    }

    fn bytes(&self, row: usize, span: Span) -> Option<&[u8]> {
        Some(bytemuck::cast_slice(&self.data[row * self.stride + span.start..][..span.length]))
    }
}

impl Rows for PackedRef<'_> {
    #[inline(always)]
    fn stretch<'a, S: Simd>(&'a self, simd: S, row: usize, span: Span, space: &'a mut [f32]) -> &'a [f32] {
        let space = &mut space[..span.length];
        self.decode(simd, row, span.start, space);
        space
    }

    fn bytes(&self, _: usize, _: Span) -> Option<&[u8]> {
        None
    }

    fn packed(&self) -> Option<&PackedRef<'_>> {
        Some(self)
    }
}

/// An operand of a product.
pub(super) struct Operand<'a, R> {
    /// What it is stored as.
    pub(super) rows: &'a R,
    /// Whether stored rows run along the depth of the product (A as it is, B as its transpose).
    pub(super) along: bool,
    /// Whether its numbers are rounded to bf16 where they are read.
    pub(super) round: bool,
}

impl<R> Clone for Operand<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Operand<'_, R> {}

impl<R: Rows> Operand<'_, R> {
    /// A stretch of a row: where it lies, or decoded into `space`, or rounded into `rounded`.
    #[inline(always)]
    pub(super) fn stretch<'b, S: Simd>(
        &'b self,
        simd: S,
        row: usize,
        span: Span,
        space: &'b mut [f32],
        rounded: &'b mut [f32],
    ) -> &'b [f32] {
        let numbers = self.rows.stretch(simd, row, span, space);
        if !self.round {
            return numbers;
        }
        let rounded = &mut rounded[..span.length];
        round_to_bf16(simd, numbers, rounded);
        rounded
    }

    /// Where a block of the operand lies.
    pub(super) fn ahead(&self, depth: Span, places: Span) -> Ahead {
        let (rows, span) = if self.along { (places, depth) } else { (depth, places) };
        let Some(first) = self.rows.bytes(rows.start, span) else { return Ahead::NOTHING };
        let second = if rows.length > 1 { self.rows.bytes(rows.start + 1, span) } else { None };
        Ahead::new(first, second, rows.length)
    }
}

/// Rounds to the nearest bf16, ties to even; NaN stays NaN.
#[inline(always)]
pub(super) fn round_to_bf16<S: Simd>(simd: S, numbers: &[f32], out: &mut [f32]) {
    let lanes = S::f32s::LEN;
    let whole = numbers.len() / lanes * lanes;
    for (numbers, out) in numbers.chunks_exact(lanes).zip(out.chunks_exact_mut(lanes)) {
        let x = S::f32s::from_slice(simd, numbers);
        let bits: S::u32s = x.bitcast();
        let rounded = (bits + (((bits >> 16) & 1) + 0x7fff)) & 0xffff_0000;
        let rounded: S::f32s = rounded.bitcast();
        x.simd_eq(x).select(rounded, x).store_slice(out);
    }
    for (x, out) in numbers[whole..].iter().zip(&mut out[whole..]) {
        *out = half::bf16::from_f32(*x).to_f32();
    }
}
