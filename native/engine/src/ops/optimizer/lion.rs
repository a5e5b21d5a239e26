//! Lion.

use super::{check, finite, not_negative, run, share};
use crate::cpu::lion::{self as cpu, Lion};
use crate::engine::{Engine, Handle};
use crate::error::Result;
use crate::gpu::lion as gpu;

/// One step for every parameter, in place: see [`cpu::step`].
pub fn lion_step(
    e: &Engine,
    parameters: &[Handle],
    gradients: &[Handle],
    momentum: &[Handle],
    options: Lion,
) -> Result<()> {
    const OP: &str = "lionStep";
    let checks = [
        not_negative("learningRate", options.learning_rate),
        share("beta1", options.beta1),
        share("beta2", options.beta2),
        not_negative("weightDecay", options.weight_decay),
        finite("gradientScale", options.gradient_scale),
    ];
    check(OP, checks)?;
    let kernel = |count| gpu::step(count, &options);
    let states = [("momentum", momentum)];
    run(e, OP, parameters, gradients, states, kernel, |parameters| cpu::step(OP, parameters, &options))
}
