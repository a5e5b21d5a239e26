//! The uniform grid of a group of weights: fitting it and rounding to it.
//!
//! Everything is inlined into the tasks of [`crate::cpu::pool`], which are compiled for each instruction set.

use crate::cpu::exp::{largest, smallest};

/// Where a grid lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symmetry {
    /// From the smallest weight to the largest, 0 included; the zero point is whole.
    Asymmetric,
    /// `±max|w|` with all `2^bits` levels, zero point `2^(bits−1)` (GPTQ's convention).
    Symmetric,
    /// `±max|w|` with the `2^bits − 1` levels that lie evenly around 0, so that both ends are reached.
    Restricted,
}

/// How a scale is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// The range is covered.
    MinMax,
    /// Of the range times 1.00, 0.99, … 0.21 the one of least squared error.
    Mse,
}

/// Everything that defines a grid but the weights.
#[derive(Debug, Clone, Copy)]
pub struct Grid {
    /// Bits of a code.
    pub bits: usize,
    /// Where it lies.
    pub symmetry: Symmetry,
    /// How its scale is chosen.
    pub search: Search,
}

const SHRINKS: std::ops::RangeInclusive<u32> = 21..=99; // hundredths of the range

impl Grid {
    /// The largest code.
    #[inline(always)]
    pub fn top(self) -> f32 {
        ((1u32 << self.bits) - 1) as f32
    }

    /// The smallest code.
    #[inline(always)]
    pub fn bottom(self) -> f32 {
        if self.symmetry == Symmetry::Restricted { 1.0 } else { 0.0 }
    }

    /// Scale and zero point of a group of finite weights.
    #[inline(always)]
    pub fn fit(self, w: &[f32]) -> (f32, f32) {
        let (low, high) = (smallest(w), largest(w));
        let whole = self.covering(low, high);
        if self.search == Search::MinMax || low == high {
            return whole;
        }
        let mut best = whole;
        let mut least = self.error(w, best);
        for percent in SHRINKS.rev() {
            let share = f64::from(percent) / 100.0;
            let candidate = self.between(f64::from(low) * share, f64::from(high) * share);
            let error = self.error(w, candidate);
            if error < least {
                (best, least) = (candidate, error);
            }
        }
        best
    }

    /// Scale and zero point that cover a range; one value is reached exactly.
    #[inline(always)]
    fn covering(self, low: f32, high: f32) -> (f32, f32) {
        if low != high {
            return self.between(f64::from(low), f64::from(high));
        }
        let zero = if self.symmetry == Symmetry::Asymmetric { f32::from(low < 0.0) } else { self.middle() };
        (if low == 0.0 { 1.0 } else { low.abs() }, zero)
    }

    #[inline(always)]
    fn between(self, low: f64, high: f64) -> (f32, f32) {
        let (top, reach) = (f64::from(self.top()), high.max(-low));
        let (low, step) = match self.symmetry {
            Symmetry::Asymmetric => (low.min(0.0), (high.max(0.0) - low.min(0.0)) / top),
            Symmetry::Symmetric => (-reach, 2.0 * reach / top),
            Symmetry::Restricted => (-reach, reach / f64::from(self.middle() - 1.0)),
        };
        // Numbers so small that the step vanishes count as zero.
        let scale = (step as f32).max(f32::MIN_POSITIVE);
        let zero = match self.symmetry {
            Symmetry::Asymmetric => (-(low as f32) / scale).round_ties_even().clamp(0.0, self.top()),
            Symmetry::Symmetric | Symmetry::Restricted => self.middle(),
        };
        (scale, zero)
    }

    #[inline(always)]
    fn middle(self) -> f32 {
        (1u32 << (self.bits - 1)) as f32
    }

    /// The nearest code, ties to even, as a number.
    #[inline(always)]
    pub fn nearest(self, w: f32, (scale, zero): (f32, f32)) -> f32 {
        ((w / scale).round_ties_even() + zero).max(self.bottom()).min(self.top())
    }

    /// `Σ(scale·(q − zero) − w)²`.
    #[inline(always)]
    fn error(self, w: &[f32], params: (f32, f32)) -> f32 {
        let (scale, zero) = params;
        let off = |w: f32| scale * (self.nearest(w, params) - zero) - w;
        let (eights, rest) = w.as_chunks::<16>();
        let mut lanes = [0.0f32; 16];
        for w in eights {
            for (lane, &w) in lanes.iter_mut().zip(w) {
                let off = off(w);
                *lane += off * off;
            }
        }
        rest.iter().map(|&w| off(w) * off(w)).sum::<f32>() + lanes.iter().sum::<f32>()
    }
}

/// Codes of a group, one a byte.
#[inline(always)]
pub fn round(grid: Grid, w: &[f32], params: (f32, f32), levels: &mut [u8]) {
    // Added to a small whole number, it leaves that number in the lowest bits: an `as u8` that becomes vectors.
    const WHOLE: f32 = 8_388_608.0;
    for (&w, level) in w.iter().zip(levels) {
        *level = (grid.nearest(w, params) + WHOLE).to_bits() as u8;
    }
}

/// Whether no number is NaN or infinite.
#[inline(always)]
pub fn all_finite(w: &[f32]) -> bool {
    const INFINITY: u32 = 0x7f80_0000;
    let mut lanes = [0u32; 16];
    let (wholes, rest) = w.as_chunks::<16>();
    for w in wholes {
        for (lane, w) in lanes.iter_mut().zip(w) {
            *lane = (*lane).max(w.to_bits() & INFINITY);
        }
    }
    lanes.iter().all(|&lane| lane < INFINITY) && rest.iter().all(|w| w.is_finite())
}
