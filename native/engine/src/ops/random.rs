//! Random tensors for initial weights: the same for the same seed on every machine and number of threads.

use nibble_linalg::Real;

use super::data::Label;
use crate::cpu::buffer::Fill;
use crate::cpu::pool;
use crate::dtype::DType;
use crate::engine::{Engine, Fresh, Handle};
use crate::error::{Error, Result};
use crate::{Category, Device, random};

/// Even over `[low, high)`.
pub fn tensor_random_uniform(
    e: &Engine,
    shape: &[usize],
    [low, high]: [f64; 2],
    seed: f64,
    label: Label,
) -> Result<Handle> {
    const OP: &str = "tensorRandomUniform";
    if !(low.is_finite() && high.is_finite() && low <= high) {
        return Err(Error::option(OP, "low and high", format!("{low} and {high}"), "finite numbers, low ≤ high"));
    }
    filled(e, OP, shape, seed, label, |seed, i| {
        let share = (random::bits(seed, i) >> 40) as f64 / f64::from(1 << 24);
        (low + (high - low) * share) as f32
    })
}

/// Normal with mean 0, drawn again while it is more than `cut` standard deviations from it.
pub fn tensor_random_truncated_normal(
    e: &Engine,
    shape: &[usize],
    std: f64,
    cut: f64,
    seed: f64,
    label: Label,
) -> Result<Handle> {
    const OP: &str = "tensorRandomTruncatedNormal";
    if !(std.is_finite() && std >= 0.0) {
        return Err(Error::option(OP, "std", std, "a finite number that is not negative"));
    }
    // Below 0.1, most draws would be in vain: that is a uniform distribution in all but name.
    if cut < 0.1 || cut.is_nan() {
        return Err(Error::option(OP, "cut", cut, "a number of standard deviations from 0.1"));
    }
    let (std, cut) = (std as f32, cut as f32);
    filled(e, OP, shape, seed, label, |seed, i| {
        let draws = (0..).flat_map(|draw| <[f32; 2]>::from(random::normal_pair(random::bits(seed, i), draw)));
        draws.take(1000).find(|x| x.abs() <= cut).unwrap_or(0.0) * std
    })
}

/// `[rows, columns]` with orthonormal rows or columns, whichever are fewer, times `gain` (Saxe, McClelland and Ganguli
/// 2014): the Q of a random normal matrix, its R with a positive diagonal, so that no direction is preferred.
pub fn tensor_random_orthogonal(e: &Engine, shape: &[usize], gain: f64, seed: f64, label: Label) -> Result<Handle> {
    const OP: &str = "tensorRandomOrthogonal";
    let &[rows, columns] = shape else {
        return Err(Error::shape(OP, "shape", shape, "[rows, columns]"));
    };
    if !gain.is_finite() {
        return Err(Error::option(OP, "gain", gain, "a finite number"));
    }
    let seed = expect_seed(OP, seed)?;
    let mut out = e.allocate(OP, shape, DType::F32, label, Fill::Any)?;
    let (tall, wide) = (rows.max(columns), rows.min(columns));
    let bytes = tall.saturating_mul(wide).saturating_mul(5 * size_of::<f64>());
    let _space = e.charge(OP, Device::Cpu, Category::Workspace, OP, bytes)?;
    e.cancel(OP).check()?;
    let pairs = (0..(tall * wide).div_ceil(2)).flat_map(|i| <[f32; 2]>::from(random::normal_pair(seed, i as u64)));
    let normal: Vec<f64> = pairs.take(tall * wide).map(f64::from).collect();
    let (q, _) = f64::qr(&normal, tall, wide);
    for (at, out) in out.f32().iter_mut().enumerate() {
        let (i, j) = (at / columns, at % columns);
        *out = (gain * if rows >= columns { q[i * wide + j] } else { q[j * wide + i] }) as f32;
    }
    out.keep(e)
}

fn filled(
    e: &Engine,
    op: &'static str,
    shape: &[usize],
    seed: f64,
    label: Label,
    number: impl Fn(u64, u64) -> f32 + Sync,
) -> Result<Handle> {
    let seed = expect_seed(op, seed)?;
    let mut out: Fresh = e.allocate(op, shape, DType::F32, label, Fill::Any)?;
    pool::rows(&e.cancel(op), out.f32(), 1, |first, out| {
        out.iter_mut().enumerate().for_each(|(i, out)| *out = number(seed, (first + i) as u64));
    })?;
    out.keep(e)
}

fn expect_seed(op: &'static str, seed: f64) -> Result<u64> {
    if seed.fract() == 0.0 && seed.abs() <= 9_007_199_254_740_991.0 {
        Ok(seed as i64 as u64)
    } else {
        Err(Error::option(op, "seed", seed, "a safe integer"))
    }
}
