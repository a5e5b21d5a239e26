//! Half-quadratic quantization (Badri and Shaji 2023): the zero point that suits a heavy-tailed error.

use super::rtn::by_rows;
use super::{Codes, Layout};
use crate::cancel::Cancel;
use crate::error::Result;

/// Settings of [`quantize`].
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Bits of a code.
    pub bits: usize,
    /// The norm of the error, 0 < p ≤ 1.
    pub p: f32,
    /// Times that the zero point is improved.
    pub iterations: usize,
}

const BETA: f32 = 10.0;
const KAPPA: f32 = 1.01;

/// `w[rows, columns]` → codes whose scale is min-max and whose zero point, not whole, minimizes `Σ|w − ŵ|^p`.
///
/// Alternates `e = shrink(w − ŵ, β)` and `z = mean(q − (w − e)/s)`, β growing by 1 %; of all zero points met, each group
/// keeps that of least mean `|w − ŵ|`.
pub fn quantize(cancel: &Cancel, w: &[f32], layout: Layout, options: Options) -> Result<Codes> {
    by_rows(
        cancel,
        w,
        layout,
        options.bits,
        #[inline(always)]
        |w, levels| group(w, levels, options),
    )
}

#[inline(always)]
fn group(w: &[f32], levels: &mut [u8], options: Options) -> (f32, f32) {
    let top = ((1u32 << options.bits) - 1) as f32;
    let low = w.iter().copied().fold(f32::INFINITY, f32::min);
    let high = w.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if low == high {
        // One value: a step of its size reaches it exactly.
        let (scale, zero) = (if low == 0.0 { 1.0 } else { low.abs() }, f32::from(low < 0.0));
        levels.fill((low / scale + zero) as u8);
        return (scale, zero);
    }
    let scale = (((f64::from(high) - f64::from(low)) / f64::from(top)) as f32).max(f32::MIN_POSITIVE);
    let (mut zero, mut beta) = (-low / scale, BETA);
    let (mut best, mut least) = (zero, f32::INFINITY);
    for step in 0..=options.iterations {
        let (error, next) = improve(w, scale, zero, top, beta, options.p);
        if error < least {
            (best, least) = (zero, error);
        }
        if step < options.iterations {
            zero = next;
            beta *= KAPPA;
        }
    }
    for (&w, level) in w.iter().zip(levels) {
        *level = code(w, scale, best, top) as i32 as u8;
    }
    (scale, best)
}

#[inline(always)]
fn code(w: f32, scale: f32, zero: f32, top: f32) -> f32 {
    (w / scale + zero).round_ties_even().max(0.0).min(top)
}

/// `Σ|w − ŵ|` at `zero`, and the next zero point.
#[inline(always)]
fn improve(w: &[f32], scale: f32, zero: f32, top: f32, beta: f32, p: f32) -> (f32, f32) {
    // Below this the shrunken error is 0: |x| ≤ |x|^(p−1)/β.
    let threshold = beta.powf(-1.0 / (2.0 - p));
    let one = |w: f32| {
        let level = code(w, scale, zero, top);
        let off = w - scale * (level - zero);
        let size = off.abs();
        let kept = if size > threshold { off.signum() * (size - size.powf(p - 1.0) / beta).max(0.0) } else { 0.0 };
        (size, level - (w - kept) / scale)
    };
    let (mut errors, mut zeros) = ([0.0f32; 8], [0.0f32; 8]);
    let (eights, rest) = w.as_chunks::<8>();
    for w in eights {
        for ((error, zero), &w) in errors.iter_mut().zip(zeros.iter_mut()).zip(w) {
            let (size, next) = one(w);
            *error += size;
            *zero += next;
        }
    }
    let (mut error, mut sum) = (errors.iter().sum::<f32>(), zeros.iter().sum::<f32>());
    for &w in rest {
        let (size, next) = one(w);
        error += size;
        sum += next;
    }
    (error, sum / w.len() as f32)
}
