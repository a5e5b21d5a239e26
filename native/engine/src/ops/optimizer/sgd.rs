//! Stochastic gradient descent.

use super::{check, finite, not_negative, run, share};
use crate::cpu::sgd::{self as cpu, Sgd};
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
use crate::gpu::sgd as gpu;

/// One step for every parameter, in place: see [`cpu::step`]. Without momentum the list of states is empty.
pub fn sgd_step(
    e: &Engine,
    parameters: &[Handle],
    gradients: &[Handle],
    momentum: &[Handle],
    options: Sgd,
) -> Result<()> {
    const OP: &str = "sgdStep";
    let checks = [
        not_negative("learningRate", options.learning_rate),
        share("momentum", options.momentum),
        not_negative("weightDecay", options.weight_decay),
        finite("gradientScale", options.gradient_scale),
    ];
    check(OP, checks)?;
    if options.momentum > 0.0 {
        let kernel = |count| gpu::step(count, &options);
        return run(e, OP, parameters, gradients, [("states", momentum)], kernel, |p| cpu::step(OP, p, &options));
    }
    if options.nesterov {
        return Err(Error::option(OP, "nesterov", true, "false without momentum"));
    }
    if !momentum.is_empty() {
        let got = format!("{} tensors", momentum.len());
        return Err(Error::option(OP, "states", got, "none without momentum"));
    }
    let kernel = |count| gpu::step_plain(count, &options);
    run(e, OP, parameters, gradients, [], kernel, |parameters| cpu::step_plain(OP, parameters, &options))
}
