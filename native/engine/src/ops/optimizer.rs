//! AdamW over many tensors, and the norm of their gradients.

use crate::cpu::adamw::{self as cpu, AdamW};
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
            for earlier in &set[..j] {
                super::expect_apart(OP, names[j], earlier, t)?;
            }
        }
        sets.push(set);
    }
    let cancel = e.cancel(OP);
    // An interrupt between two parameters would leave a step half done: it is polled before the first only.
    cancel.check()?;
    let never = crate::Cancel::never(OP);
    for [p, g, m, v] in &sets {
        let (mut p, mut m, mut v) = (p.write(OP, names[0])?, m.write(OP, names[2])?, v.write(OP, names[3])?);
        cpu::step(&never, &mut p, &g.read(OP, names[1])?, &mut m, &mut v, &options)?;
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
