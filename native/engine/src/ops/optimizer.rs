//! AdamW over many tensors, and the norm of their gradients.

use std::collections::HashSet;
use std::sync::Arc;

use crate::cancel::Cancel;
use crate::cpu::adamw::{self as cpu, AdamW, Parameter};
use crate::cpu::elementwise;
use crate::dtype::DType;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// One step for every parameter, in place. All arguments are checked before the first is changed.
pub fn adamw_step(
    e: &Engine,
    parameters: &[Handle],
    gradients: &[Handle],
    first: &[Handle],
    second: &[Handle],
    options: AdamW,
) -> Result<()> {
    const OP: &str = "adamwStep";
    check_options(OP, &options)?;
    let n = parameters.len();
    for (name, list) in [("gradients", gradients), ("first", first), ("second", second)] {
        if list.len() != n {
            let got = format!("{} tensors", list.len());
            return Err(Error::option(OP, name, got, format!("{n}, one for each parameter")));
        }
    }
    let names = ["parameters", "gradients", "first", "second"];
    let mut sets: Vec<[Tensor; 4]> = Vec::with_capacity(n);
    for i in 0..n {
        let handles = [parameters[i], gradients[i], first[i], second[i]];
        let [p, g, m, v] = std::array::from_fn(|j| e.tensor(OP, names[j], handles[j]));
        let set = [p?, g?, m?, v?];
        for (j, t) in set.iter().enumerate() {
            t.expect(OP, names[j], DType::F32)?;
            t.expect_shape(OP, names[j], &set[0].shape)?;
        }
        sets.push(set);
    }
    expect_distinct(OP, &sets)?;
    // An interrupt between two parameters would leave a step half done: it is polled before the first only.
    e.cancel(OP).check()?;
    let mut locked = Vec::with_capacity(n);
    for [p, g, m, v] in &sets {
        let gradient = g.read::<f32>(OP, names[1])?;
        locked.push((p.write(OP, names[0])?, gradient, m.write(OP, names[2])?, v.write(OP, names[3])?));
    }
    let parameters = locked.iter_mut().map(|(p, g, m, v)| Parameter { p, g, m, v });
    cpu::step(&Cancel::never(OP), &mut parameters.collect::<Vec<_>>(), &options)
}

/// Errs when bytes that are changed appear twice, as bytes of a parameter, a gradient or a moment.
fn expect_distinct(op: &'static str, sets: &[[Tensor; 4]]) -> Result<()> {
    let address = |t: &Tensor| Arc::as_ptr(&t.storage);
    let mut seen: HashSet<_> = sets.iter().map(|[_, g, _, _]| address(g)).collect();
    let changed = sets.iter().flat_map(|[p, _, m, v]| [p, m, v]);
    for t in changed {
        if !seen.insert(address(t)) {
            let got = "given twice (perhaps as a view)";
            return Err(Error::option(op, "a tensor", got, "parameters and moments with bytes of their own"));
        }
    }
    Ok(())
}

fn check_options(op: &'static str, o: &AdamW) -> Result<()> {
    let finite = |x: f64| x.is_finite();
    let checks = [
        ("learningRate", o.learning_rate, finite(o.learning_rate), "a finite number"),
        ("beta1", o.beta1, (0.0..1.0).contains(&o.beta1), "in [0, 1)"),
        ("beta2", o.beta2, (0.0..1.0).contains(&o.beta2), "in [0, 1)"),
        ("epsilon", o.epsilon, finite(o.epsilon) && o.epsilon >= 0.0, "a finite number that is not negative"),
        ("weightDecay", o.weight_decay, finite(o.weight_decay), "a finite number"),
        ("step", o.step, o.step >= 1.0 && o.step.fract() == 0.0, "a whole number from 1"),
        ("gradientScale", o.gradient_scale, finite(o.gradient_scale), "a finite number"),
    ];
    match checks.into_iter().find(|(_, _, good, _)| !good) {
        Some((name, value, _, expected)) => Err(Error::option(op, name, value, expected)),
        None => Ok(()),
    }
}

/// `√ Σ g²` over all tensors, in double precision and a fixed order.
pub fn global_norm(e: &Engine, gradients: &[Handle]) -> Result<f64> {
    const OP: &str = "globalNorm";
    let cancel = e.cancel(OP);
    let mut total = 0.0;
    for &g in gradients {
        let g = e.tensor(OP, "gradients", g)?;
        total += elementwise::sum(&cancel, &g.read(OP, "gradients")?, |g| g * g)?;
    }
    Ok(total.sqrt())
}
