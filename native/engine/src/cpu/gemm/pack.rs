//! Copies blocks of A and B into panels, in the order in which the microkernel reads them. Every storage format is
//! decoded on the way, a few rows at a time in the first-level cache.
//!
//! A panel is `[steps][width]` of [`Lane`]s.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, u32x4};

#[cfg(target_arch = "x86_64")]
use super::avx512::Avx512Bf16;
use super::rows::{LONGEST, Operand, Rows};

/// What a panel holds: an f32, or two neighbours in depth as bf16, the first in the low half.
pub(super) type Lane = u32;

/// A stretch of rows or columns.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) length: usize,
}

impl Span {
    /// The pieces of `length` that make it up.
    pub(super) fn cut(self, length: usize) -> impl Iterator<Item = Span> {
        spans(self.length, length).map(move |piece| Span { start: self.start + piece.start, ..piece })
    }
}

/// What the lanes of panels are, by what the microkernel multiplies.
#[derive(Clone, Copy)]
pub(super) enum Lanes {
    /// One f32.
    F32,
    /// Two bf16; the proof is needed to round them.
    #[cfg(target_arch = "x86_64")]
    Pairs(Avx512Bf16),
}

impl Lanes {
    /// Numbers of depth in a lane.
    pub(super) fn depth(self) -> usize {
        match self {
            Lanes::F32 => 1,
            #[cfg(target_arch = "x86_64")]
            Lanes::Pairs(_) => 2,
        }
    }

    /// Steps of a panel of this depth; what is missing in the last is 0.
    pub(super) fn steps(self, depth: usize) -> usize {
        depth.div_ceil(self.depth())
    }

    /// Numbers that follow each other in depth.
    #[inline(always)]
    fn along<'a>(self, numbers: &'a [f32], space: &'a mut [Lane]) -> &'a [Lane] {
        match self {
            Lanes::F32 => bytemuck::cast_slice(numbers),
            #[cfg(target_arch = "x86_64")]
            Lanes::Pairs(bf16) => {
                let space = &mut space[..numbers.len().div_ceil(2)];
                bf16.narrow(numbers, space);
                space
            }
        }
    }

    /// Rows of numbers, each a neighbour in depth of the other.
    #[inline(always)]
    fn across<'a>(self, first: &'a [f32], second: &'a [f32], space: &'a mut [Lane]) -> &'a [Lane] {
        match self {
            Lanes::F32 => bytemuck::cast_slice(first),
            #[cfg(target_arch = "x86_64")]
            Lanes::Pairs(bf16) => {
                let space = &mut space[..first.len()];
                bf16.zip(first, second, space);
                space
            }
        }
    }
}

/// Depth that is transposed at a time: this much of a panel of 32 places fits in the first-level cache.
const NEAR: usize = 128;
/// Stored rows that are transposed together.
const TOGETHER: usize = 4;

/// Where a stretch of a row is decoded, rounded, and brought into lanes.
struct Space<const N: usize> {
    decoded: [f32; N],
    rounded: [f32; N],
    lanes: [Lane; N],
}

impl<const N: usize> Space<N> {
    const EMPTY: Self = Space { decoded: [0.0; N], rounded: [0.0; N], lanes: [0; N] };
}

impl<R: Rows> Operand<'_, R> {
    /// Fills panels `[places/width][steps][width]` with a block of the operand; what is beyond the last place is 0.
    #[inline(always)]
    pub(super) fn pack<S: Simd>(
        &self,
        simd: S,
        lanes: Lanes,
        depth: Span,
        places: Span,
        width: usize,
        out: &mut [Lane],
    ) {
        if self.along {
            self.transpose(simd, lanes, depth, places, width, out);
        } else {
            self.spread(simd, lanes, depth, places, width, out);
        }
    }

    /// Stored rows run along the depth: a few at a time are transposed into their places.
    #[inline(always)]
    fn transpose<S: Simd>(&self, simd: S, lanes: Lanes, depth: Span, places: Span, width: usize, out: &mut [Lane]) {
        let mut spaces = [const { Space::<NEAR>::EMPTY }; TOGETHER];
        let panel = (lanes.steps(depth.length) * width).max(1);
        for (places, out) in places.cut(width).zip(out.chunks_exact_mut(panel)) {
            for (near, out) in depth.cut(NEAR).zip(out.chunks_mut(NEAR / lanes.depth() * width)) {
                for first in (0..width).step_by(TOGETHER) {
                    // Four calls: in an array's `map` the decoder would be compiled without its vector instructions.
                    let [s0, s1, s2, s3] = &mut spaces;
                    let r0 = self.line(simd, lanes, places, first, near, s0);
                    let r1 = self.line(simd, lanes, places, first + 1, near, s1);
                    let r2 = self.line(simd, lanes, places, first + 2, near, s2);
                    let r3 = self.line(simd, lanes, places, first + 3, near, s3);
                    interleave(simd, [r0, r1, r2, r3], first, width, out);
                }
            }
        }
    }

    /// A stretch of the row of place `i`, in lanes; zeros beyond the last place.
    #[inline(always)]
    fn line<'b, S: Simd>(
        &'b self,
        simd: S,
        lanes: Lanes,
        places: Span,
        i: usize,
        near: Span,
        space: &'b mut Space<NEAR>,
    ) -> &'b [Lane] {
        if i >= places.length {
            space.lanes.fill(0);
            return &space.lanes[..lanes.steps(near.length)];
        }
        let numbers = self.stretch(simd, places.start + i, near, &mut space.decoded, &mut space.rounded);
        lanes.along(numbers, &mut space.lanes)
    }

    /// Stored rows run across: each step of depth is copied into its place in every panel.
    #[inline(always)]
    fn spread<S: Simd>(&self, simd: S, lanes: Lanes, depth: Span, places: Span, width: usize, out: &mut [Lane]) {
        let [mut even, mut odd] = [const { Space::<LONGEST>::EMPTY }; 2];
        let steps = lanes.steps(depth.length);
        let panel = steps * width;
        for step in 0..steps {
            let k = step * lanes.depth();
            let first = self.stretch(simd, depth.start + k, places, &mut even.decoded, &mut even.rounded);
            let second = if lanes.depth() == 1 {
                first
            } else if k + 1 < depth.length {
                self.stretch(simd, depth.start + k + 1, places, &mut odd.decoded, &mut odd.rounded)
            } else {
                odd.decoded.fill(0.0);
                &odd.decoded[..places.length]
            };
            let row = lanes.across(first, second, &mut even.lanes);
            for (row, out) in row.chunks(width).zip(out.chunks_exact_mut(panel)) {
                let (there, missing) = out[step * width..(step + 1) * width].split_at_mut(row.len());
                if width.is_multiple_of(8) {
                    copy::<8>(row, there)
                } else {
                    copy::<4>(row, there)
                }
                missing.fill(0);
            }
        }
    }
}

/// The blocks of `length` that make up `0..total`.
pub(super) fn spans(total: usize, length: usize) -> impl Iterator<Item = Span> {
    (0..total).step_by(length).map(move |start| Span { start, length: length.min(total - start) })
}

/// A copy by vectors of `N`: calling the system's would cost more than the copy.
#[inline(always)]
fn copy<const N: usize>(row: &[Lane], out: &mut [Lane]) {
    let (wholes, rest) = row.as_chunks::<N>();
    let (outs, out_rest) = out.as_chunks_mut::<N>();
    for (out, whole) in outs.iter_mut().zip(wholes) {
        *out = *whole;
    }
    for (out, lane) in out_rest.iter_mut().zip(rest) {
        *out = *lane;
    }
}

/// `out[step, at + i] = rows[i][step]` for four rows: 4 × 4 transposes.
#[inline(always)]
fn interleave<S: Simd>(simd: S, rows: [&[Lane]; TOGETHER], at: usize, width: usize, out: &mut [Lane]) {
    if width - at < TOGETHER {
        for (row, at) in rows.iter().zip(at..width) {
            for (lane, out) in row.iter().zip(out[at..].iter_mut().step_by(width)) {
                *out = *lane;
            }
        }
        return;
    }
    let [r0, r1, r2, r3] = rows;
    let (b0, t0) = r0.as_chunks::<4>();
    let (b1, t1) = r1.as_chunks::<4>();
    let (b2, t2) = r2.as_chunks::<4>();
    let (b3, t3) = r3.as_chunks::<4>();
    let count = b0.len();
    let (b1, b2, b3) = (&b1[..count], &b2[..count], &b3[..count]);
    let (body, tail) = out.split_at_mut(count * 4 * width);
    for (i, out) in body.chunks_exact_mut(4 * width).enumerate() {
        let v0 = u32x4::from_slice(simd, &b0[i]);
        let v1 = u32x4::from_slice(simd, &b1[i]);
        let v2 = u32x4::from_slice(simd, &b2[i]);
        let v3 = u32x4::from_slice(simd, &b3[i]);
        let (even_low, even_high) = (v0.zip_low(v2), v0.zip_high(v2));
        let (odd_low, odd_high) = (v1.zip_low(v3), v1.zip_high(v3));
        even_low.zip_low(odd_low).store_slice(&mut out[at..at + 4]);
        even_low.zip_high(odd_low).store_slice(&mut out[width + at..width + at + 4]);
        even_high.zip_low(odd_high).store_slice(&mut out[2 * width + at..2 * width + at + 4]);
        even_high.zip_high(odd_high).store_slice(&mut out[3 * width + at..3 * width + at + 4]);
    }
    for (k, out) in tail.chunks_exact_mut(width).enumerate().take(t0.len()) {
        out[at..at + 4].copy_from_slice(&[t0[k], t1[k], t2[k], t3[k]]);
    }
}
