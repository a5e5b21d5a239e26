//! Softmax cross-entropy of a chunk of logits.

use crate::cancel::Cancel;
use crate::cpu::exp::{exp_and_sum, largest, total};
use crate::cpu::pool;
use crate::error::Result;

/// For each row of `logits[tokens, vocabulary]`: its loss `log Σ e^z − (1 − ε)·z[target] − ε·mean(z)` into `losses` (0 where
/// the target is `None`), and, when `scale` is given, the row becomes its own gradient
/// `scale·(softmax(z) − (1 − ε)·onehot − ε/vocabulary)`.
pub fn rows(
    cancel: &Cancel,
    logits: &mut [f32],
    vocabulary: usize,
    (targets, smoothing): (&[Option<usize>], f32),
    scale: Option<f32>,
    losses: &mut [f32],
) -> Result<()> {
    pool::blocks2(
        cancel,
        (logits, vocabulary),
        (losses, 1),
        pool::rows_per_task(vocabulary),
        #[inline(always)]
        |first, logits, losses| {
            for ((z, loss), &target) in logits.chunks_exact_mut(vocabulary).zip(losses).zip(&targets[first..]) {
                *loss = row(z, target, smoothing, scale);
            }
        },
    )
}

#[inline(always)]
fn row(z: &mut [f32], target: Option<usize>, smoothing: f32, scale: Option<f32>) -> f32 {
    let Some(target) = target else {
        z.fill(0.0);
        return 0.0;
    };
    let shift = largest(z);
    let mut chosen = z[target] - shift;
    let share = smoothing / z.len() as f32;
    if smoothing > 0.0 {
        chosen = (1.0 - smoothing) * chosen + smoothing * (total(z) / z.len() as f32 - shift);
    }
    let sum = exp_and_sum(z, shift);
    if let Some(scale) = scale {
        let (factor, offset) = (scale / sum, scale * share);
        z.iter_mut().for_each(|z| *z = *z * factor - offset);
        z[target] -= scale * (1.0 - smoothing);
    }
    sum.ln() - chosen
}
