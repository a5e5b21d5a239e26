//! AdamW.

use super::{Check, check, finite, not_negative, run, share};
use crate::cpu::adamw::{self as cpu, AdamW};
use crate::engine::{Engine, Handle};
use crate::error::Result;
use crate::gpu::adamw as gpu;

/// One step for every parameter, in place: see [`cpu::step`].
pub fn adamw_step(
    e: &Engine,
    parameters: &[Handle],
    gradients: &[Handle],
    first: &[Handle],
    second: &[Handle],
    options: AdamW,
) -> Result<()> {
    const OP: &str = "adamwStep";
    check(OP, checks(&options))?;
    let states = [("first", first), ("second", second)];
    let kernel = |count| gpu::step(count, &options);
    run(e, OP, parameters, gradients, states, kernel, |parameters| cpu::step(OP, parameters, &options))
}

pub(super) fn checks(o: &AdamW) -> [Check; 7] {
    [
        not_negative("learningRate", o.learning_rate),
        share("beta1", o.beta1),
        share("beta2", o.beta2),
        not_negative("epsilon", o.epsilon),
        not_negative("weightDecay", o.weight_decay),
        ("step", o.step, o.step >= 1.0 && o.step.fract() == 0.0, "a whole number from 1"),
        finite("gradientScale", o.gradient_scale),
    ]
}
