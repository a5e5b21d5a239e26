//! Dropout (Srivastava et al. 2014) by counter-based random numbers: element `i` is kept or not by word `i` of the stream
//! (seed, offset) of Philox 4×32-10 (Salmon et al. 2011), the same on every device and for any number of threads. Nothing
//! is stored: the gradient is the same function of the same stream.

use crate::cancel::Cancel;
use crate::cpu::pool;
use crate::error::Result;
use crate::random::philox;

/// Elements whose word is below are dropped.
pub fn threshold(p: f64) -> u64 {
    (p * 4_294_967_296.0).round() as u64
}

/// What multiplies the others.
pub fn factor(p: f64) -> f32 {
    if p < 1.0 { (1.0 / (1.0 - p)) as f32 } else { 0.0 }
}

/// `y = x / (1 − p)` with probability `1 − p`, else 0. `p` is rounded to a multiple of 2^−32.
pub fn dropout(cancel: &Cancel, x: &[f32], p: f64, (seed, offset): (u64, u64), y: &mut [f32]) -> Result<()> {
    let (threshold, factor) = (threshold(p), factor(p));
    pool::rows(
        cancel,
        y,
        4,
        #[inline(always)]
        |first, y| {
            for (n, (y, x)) in y.chunks_mut(4).zip(x[first * 4..].chunks(4)).enumerate() {
                let words = philox(seed, offset, (first + n) as u64);
                for ((y, &x), word) in y.iter_mut().zip(x).zip(words) {
                    *y = if u64::from(word) < threshold { 0.0 } else { factor * x };
                }
            }
        },
    )
}
