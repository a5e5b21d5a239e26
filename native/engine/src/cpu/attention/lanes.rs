//! What the operands of attention's products are made of, by precision and instruction set.

use fearless_simd::{Level, Simd};

#[cfg(target_arch = "x86_64")]
use super::avx512::Avx512Bf16;
use super::tile::{self, Left, Right, Sums};
use crate::cpu::simd::{self, Isa};
use crate::error::Result;
use crate::precision::Precision;

/// An f32, or two neighbours in depth as bf16, the first in the low half.
pub(super) type Lane = u32;

/// The products of attention on an instruction set, in a precision.
#[derive(Debug, Clone, Copy)]
pub struct Kernel {
    /// The vector level of the code around the products.
    pub(super) level: Level,
    pub(super) lanes: Lanes,
}

impl Kernel {
    /// In a precision, on the instruction set in use.
    pub fn new(precision: Precision) -> Result<Kernel> {
        Ok(Kernel::on(simd::isa()?, precision))
    }

    /// On a given instruction set, or the lowest where the processor lacks it.
    pub fn on(isa: Isa, precision: Precision) -> Kernel {
        let isa = if isa.is_available() { isa } else { Isa::Baseline };
        Kernel { level: isa.level(), lanes: Lanes::of(isa, precision) }
    }
}

/// What a lane is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lanes {
    /// An f32.
    Single,
    /// An f32 that is rounded to bf16: what processors without products of bf16 multiply instead.
    Rounded,
    /// Two bf16; the proof is needed to round and to multiply them.
    #[cfg(target_arch = "x86_64")]
    Pairs(Avx512Bf16),
}

impl Lanes {
    fn of(isa: Isa, precision: Precision) -> Lanes {
        if precision == Precision::F32 {
            return Lanes::Single;
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(proof) = Avx512Bf16::new().filter(|_| isa.has_bf16()) {
            return Lanes::Pairs(proof);
        }
        let _ = isa;
        Lanes::Rounded
    }

    /// Numbers of depth in a lane.
    #[inline(always)]
    pub(super) fn depth(self) -> usize {
        match self {
            Lanes::Single | Lanes::Rounded => 1,
            #[cfg(target_arch = "x86_64")]
            Lanes::Pairs(_) => 2,
        }
    }

    /// Lanes for this many numbers of depth; what is missing in the last is 0.
    #[inline(always)]
    pub(super) fn steps(self, depth: usize) -> usize {
        depth.div_ceil(self.depth())
    }

    /// Whether lanes are numbers, so that rows along the depth and across it are the same.
    pub(super) fn are_numbers(self) -> bool {
        self.depth() == 1
    }

    /// Whether operands are rounded to bf16.
    pub(super) fn rounds(self) -> bool {
        !matches!(self, Lanes::Single)
    }

    /// Neighbours in depth.
    #[inline(always)]
    pub(super) fn along(self, numbers: &[f32], out: &mut [Lane]) {
        match self {
            Lanes::Single => out.copy_from_slice(bytemuck::cast_slice(numbers)),
            Lanes::Rounded => out.iter_mut().zip(numbers).for_each(|(out, &x)| *out = round(x).to_bits()),
            #[cfg(target_arch = "x86_64")]
            Lanes::Pairs(bf16) => bf16.narrow(numbers, out),
        }
    }

    /// A lane from each column of [`Lanes::depth`] rows that are neighbours in depth; without the second its numbers are 0.
    #[inline(always)]
    pub(super) fn across(self, first: &[f32], second: Option<&[f32]>, out: &mut [Lane]) {
        match self {
            Lanes::Single | Lanes::Rounded => self.along(first, out),
            #[cfg(target_arch = "x86_64")]
            Lanes::Pairs(bf16) => bf16.zip(first, second, out),
        }
    }

    /// `sums[8, columns] = factor·Σ left·right`, added to them when `add`, over `steps` lanes of depth; 16 or 32 columns.
    #[inline(always)]
    pub(super) fn tile<S: Simd>(self, simd: S, steps: usize, left: Left<'_>, right: Right<'_>, sums: Sums<'_>) {
        match self {
            Lanes::Single | Lanes::Rounded => tile::multiply(simd, steps, left, right, sums),
            #[cfg(target_arch = "x86_64")]
            Lanes::Pairs(bf16) => bf16.tile(steps, left, right, sums),
        }
    }
}

/// The nearest bf16, ties to even; NaN stays NaN.
#[inline(always)]
pub(super) fn round(x: f32) -> f32 {
    let bits = x.to_bits();
    let rounded = f32::from_bits(bits.wrapping_add((bits >> 16 & 1) + 0x7fff) & 0xffff_0000);
    if x.is_nan() { x } else { rounded }
}
