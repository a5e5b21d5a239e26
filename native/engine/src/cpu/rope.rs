//! Rotary positions (Su et al. 2021): pairs of each head's elements turned by angles that grow with the position.

use std::f64::consts::TAU;

use crate::cancel::Cancel;
use crate::cpu::pool;
use crate::error::Result;

/// How frequencies are stretched for sequences longer than the model was trained on; the numbers that Hugging Face's
/// transformers computes (`ROPE_INIT_FUNCTIONS`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scaling {
    /// All frequencies divided by `factor` (Chen et al. 2023).
    Linear {
        /// Stretch.
        factor: f64,
    },
    /// The base grows once sequences pass `original` positions.
    DynamicNtk {
        /// Stretch.
        factor: f64,
        /// Positions that the model was trained on.
        original: f64,
    },
    /// Low frequencies divided by `factor`, high ones kept, a ramp between (Llama 3.1).
    Llama3 {
        /// Stretch.
        factor: f64,
        /// Wavelengths beyond `original / low` are stretched.
        low: f64,
        /// Wavelengths below `original / high` are kept.
        high: f64,
        /// Positions that the model was trained on.
        original: f64,
    },
    /// As above with bounds in rotations, and cosines and sines multiplied by `attention` (YaRN, Peng et al. 2023).
    Yarn {
        /// Stretch.
        factor: f64,
        /// Positions that the model was trained on.
        original: f64,
        /// Rotations within `original` above which a frequency is kept.
        beta_fast: f64,
        /// Rotations below which it is stretched.
        beta_slow: f64,
        /// Whether the bounds are rounded outwards to whole pairs.
        truncate: bool,
        /// Factor of cosines and sines.
        attention: f64,
    },
}

/// What [`Angles`] are made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Turns {
    /// Elements of a head that are turned: the first ones; even.
    pub rotary: usize,
    /// Base of the frequencies.
    pub theta: f64,
    /// Position of the first row.
    pub offset: usize,
    /// Stretch of the frequencies.
    pub scaling: Option<Scaling>,
}

impl Turns {
    /// Radians per position of each pair, for sequences of `length` positions, and the factor of cosines and sines.
    pub fn frequencies(&self, length: usize) -> (Vec<f64>, f64) {
        let (pairs, dim) = (self.rotary / 2, self.rotary as f64);
        let plain = |theta: f64| (0..pairs).map(move |i| theta.powf(-2.0 * i as f64 / dim));
        match self.scaling {
            None => (plain(self.theta).collect(), 1.0),
            Some(Scaling::Linear { factor }) => (plain(self.theta).map(|f| f / factor).collect(), 1.0),
            Some(Scaling::DynamicNtk { factor, original }) => {
                let length = ((self.offset + length) as f64).max(original);
                let stretch = factor * length / original - (factor - 1.0);
                (plain(self.theta * stretch.powf(dim / (dim - 2.0))).collect(), 1.0)
            }
            Some(Scaling::Llama3 { factor, low, high, original }) => {
                let stretch = |f: f64| {
                    let wavelength = TAU / f;
                    if wavelength < original / high {
                        f
                    } else if wavelength > original / low {
                        f / factor
                    } else {
                        let smooth = (original / wavelength - low) / (high - low);
                        (1.0 - smooth) * f / factor + smooth * f
                    }
                };
                (plain(self.theta).map(stretch).collect(), 1.0)
            }
            Some(Scaling::Yarn { factor, original, beta_fast, beta_slow, truncate, attention }) => {
                let bound = |turns: f64| dim * (original / (turns * TAU)).ln() / (2.0 * self.theta.ln());
                let (mut low, mut high) = (bound(beta_fast), bound(beta_slow));
                if truncate {
                    (low, high) = (low.floor(), high.ceil());
                }
                (low, high) = (low.max(0.0), high.min(dim - 1.0));
                if low == high {
                    high += 0.001;
                }
                let ramp = |i: usize| ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
                let frequencies =
                    plain(self.theta).enumerate().map(|(i, f)| f / factor * ramp(i) + f * (1.0 - ramp(i)));
                (frequencies.collect(), attention)
            }
        }
    }
}

/// Positions between two angles that are computed afresh: those between are reached by turning on.
const FRESH: usize = 64;

/// Cosines and sines `[length, rotary / 2]`.
pub struct Angles {
    rotary: usize,
    length: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Angles {
    /// The angles of positions `offset`, `offset + 1`, …; negated for the inverse rotation.
    pub fn new(turns: &Turns, length: usize, inverse: bool) -> Self {
        let pairs = turns.rotary / 2;
        let sign = if inverse { -1.0 } else { 1.0 };
        let (frequencies, size) = turns.frequencies(length);
        let steps: Vec<_> = frequencies.iter().map(|f| f.sin_cos()).collect();
        let mut at = vec![(0.0, 1.0); pairs];
        let (mut cos, mut sin) = (Vec::with_capacity(length * pairs), Vec::with_capacity(length * pairs));
        for position in 0..length {
            for ((at, step), f) in at.iter_mut().zip(&steps).zip(&frequencies) {
                // One step in double precision adds 10^−16 of error.
                *at = if position % FRESH == 0 {
                    ((turns.offset + position) as f64 * f).sin_cos()
                } else {
                    (at.0 * step.1 + at.1 * step.0, at.1 * step.1 - at.0 * step.0)
                };
                sin.push((sign * size * at.0) as f32);
                cos.push((size * at.1) as f32);
            }
        }
        Angles { rotary: turns.rotary, length, cos, sin }
    }

    /// All cosines, then all sines.
    pub fn words(&self) -> Vec<f32> {
        [&self.cos[..], &self.sin].concat()
    }
}

/// Which elements of a head make a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairs {
    /// `i` and `i + rotary/2`, as in Llama checkpoints of Hugging Face.
    HalfSplit,
    /// `2i` and `2i + 1`, as in the paper and in GPT-J.
    Interleaved,
}

/// Turns every head (`width` elements) of every row of `x[batch·length, heads·width]`.
pub fn rotate(
    cancel: &Cancel,
    x: &[f32],
    (heads, width): (usize, usize),
    pairs: Pairs,
    angles: &Angles,
    y: &mut [f32],
) -> Result<()> {
    let (rotary, half, row) = (angles.rotary, angles.rotary / 2, heads * width);
    pool::rows(
        cancel,
        y,
        row,
        #[inline(always)]
        |first, y| {
            for (n, (y, x)) in y.chunks_exact_mut(row).zip(x[first * row..].chunks_exact(row)).enumerate() {
                let position = (first + n) % angles.length;
                let cos = &angles.cos[position * half..][..half];
                let sin = &angles.sin[position * half..][..half];
                for (y, x) in y.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                    let ((y, rest), (x, kept)) = (y.split_at_mut(rotary), x.split_at(rotary));
                    rest.copy_from_slice(kept);
                    match pairs {
                        Pairs::HalfSplit => half_split(x, cos, sin, y),
                        Pairs::Interleaved => interleaved(x, cos, sin, y),
                    }
                }
            }
        },
    )
}

#[inline(always)]
fn half_split(x: &[f32], cos: &[f32], sin: &[f32], y: &mut [f32]) {
    let half = cos.len();
    let ((y1, y2), (x1, x2)) = (y.split_at_mut(half), x.split_at(half));
    let sin = &sin[..half];
    for i in 0..half {
        y1[i] = x1[i] * cos[i] - x2[i] * sin[i];
        y2[i] = x2[i] * cos[i] + x1[i] * sin[i];
    }
}

#[inline(always)]
fn interleaved(x: &[f32], cos: &[f32], sin: &[f32], y: &mut [f32]) {
    let (y, x) = (y.as_chunks_mut::<2>().0, x.as_chunks::<2>().0);
    for ((y, x), (cos, sin)) in y.iter_mut().zip(x).zip(cos.iter().zip(sin)) {
        *y = [x[0] * cos - x[1] * sin, x[1] * cos + x[0] * sin];
    }
}
