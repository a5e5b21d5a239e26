//! Optimizers: one step for many tensors in one call, in place; and the norm of their gradients.
//!
//! All arguments are checked before the first byte changes, and an interrupt is polled only then: a step is made whole or
//! not at all.

use std::collections::HashSet;
use std::sync::Arc;

use super::far::Far;
use super::reduce::far_sums;
use crate::cpu::multi::Parameter;
use crate::cpu::reduce::{self, Reduction};
use crate::dtype::DType;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
use crate::gpu::Launch;
use crate::tensor::{Read, Tensor, Write};

mod adamw;
mod adamw8bit;
mod lion;
mod muon;
mod sgd;

pub use adamw::adamw_step;
pub use adamw8bit::{Moment8Bit, adamw_8bit_step};
pub use lion::lion_step;
pub use muon::muon_step;
pub use sgd::sgd_step;

/// `√ Σ g²` over all tensors, in double precision and a fixed order.
pub fn global_norm(e: &Engine, gradients: &[Handle]) -> Result<f64> {
    const OP: &str = "globalNorm";
    let gradients = gradients.iter().map(|&g| e.tensor(OP, "gradients", g)).collect::<Result<Vec<_>>>()?;
    if let Some(far) = Far::of(e, OP, &gradients.iter().map(|g| ("gradients", Some(g))).collect::<Vec<_>>())? {
        gradients.iter().try_for_each(|g| g.expect(OP, "gradients", DType::F32))?;
        return far_sums(&far, Reduction::Norm, &gradients).map(|squares| squares.iter().sum::<f64>().sqrt());
    }
    let cancel = e.cancel(OP);
    let mut total = 0.0;
    for g in &gradients {
        total += reduce::sum(&cancel, &g.read(OP, "gradients")?, |g| g * g)?;
    }
    Ok(total.sqrt())
}

/// A named list of tensors: parameters, gradients, or one kind of state.
type List<'a> = (&'static str, &'a [Handle]);

/// The tensors of one parameter.
struct Set<const N: usize> {
    p: Tensor,
    g: Tensor,
    states: [Tensor; N],
}

/// The tensors of each parameter: f32, of one shape, none written twice.
fn sets<const N: usize>(
    e: &Engine,
    op: &'static str,
    parameters: &[Handle],
    gradients: &[Handle],
    states: [List<'_>; N],
) -> Result<Vec<Set<N>>> {
    let gradients = ("gradients", gradients);
    let parameters = ("parameters", parameters);
    expect_lengths(op, parameters.1.len(), [gradients].into_iter().chain(states))?;
    let same = |(name, list): List<'_>, i: usize, p: &Tensor| {
        let t = e.tensor(op, name, list[i])?;
        t.expect(op, name, DType::F32)?;
        t.expect_shape(op, name, &p.shape)?;
        Ok(t)
    };
    let mut sets = Vec::with_capacity(parameters.1.len());
    for (i, &p) in parameters.1.iter().enumerate() {
        let p = e.tensor(op, parameters.0, p)?;
        p.expect(op, parameters.0, DType::F32)?;
        let g = same(gradients, i, &p)?;
        let states = states.iter().map(|&list| same(list, i, &p)).collect::<Result<Vec<_>>>()?;
        let states = states.try_into().map_err(|_| Error::Internal { op, what: "a state is missing".into() })?;
        sets.push(Set { p, g, states });
    }
    expect_distinct(op, sets.iter().map(|s| &s.g), sets.iter().flat_map(|s| std::iter::once(&s.p).chain(&s.states)))?;
    Ok(sets)
}

/// The locked elements of one parameter.
struct Locked<'a, const N: usize> {
    p: Write<'a, f32>,
    g: Read<'a, f32>,
    states: [Write<'a, f32>; N],
}

fn lock<'a, const N: usize>(op: &'static str, sets: &'a [Set<N>]) -> Result<Vec<Locked<'a, N>>> {
    let each = |Set { p, g, states }: &'a Set<N>| {
        let states = states.iter().map(|state| state.write(op, "a state")).collect::<Result<Vec<_>>>()?;
        let states = states.try_into().map_err(|_| Error::Internal { op, what: "a state is missing".into() })?;
        Ok(Locked { p: p.write(op, "parameters")?, g: g.read(op, "gradients")?, states })
    };
    sets.iter().map(each).collect()
}

fn as_parameters<'a, const N: usize>(locked: &'a mut [Locked<'_, N>]) -> Vec<Parameter<'a, N>> {
    let slices = |Locked { p, g, states }: &'a mut Locked<'_, N>| Parameter {
        p,
        g,
        states: states.each_mut().map(|state| &mut **state),
    };
    locked.iter_mut().map(slices).collect()
}

/// The GPU where all of these are, for a step that was not interrupted.
fn far<'a, const N: usize>(e: &'a Engine, op: &'static str, sets: &[Set<N>]) -> Result<Option<Far<'a>>> {
    let mut places = Vec::new();
    for Set { p, g, states } in sets {
        places.extend([("parameters", Some(p)), ("gradients", Some(g))]);
        places.extend(states.iter().map(|state| ("a state", Some(state))));
    }
    Far::of(e, op, &places)
}

/// Checks, locks and runs one step of an optimizer whose states look like their parameters; on a GPU it is `kernel` for each
/// parameter of so many elements.
fn run<const N: usize>(
    e: &Engine,
    op: &'static str,
    parameters: &[Handle],
    gradients: &[Handle],
    states: [List<'_>; N],
    kernel: impl Fn(usize) -> Launch,
    step: impl FnOnce(Vec<Parameter<'_, N>>) -> Result<()>,
) -> Result<()> {
    let sets = sets(e, op, parameters, gradients, states)?;
    if let Some(far) = far(e, op, &sets)? {
        return sets.iter().try_for_each(|Set { p, g, states }| {
            let tensors: Vec<_> = [p, g].into_iter().chain(states).collect();
            far.run(&kernel(p.elements()), &tensors)
        });
    }
    e.cancel(op).check()?;
    step(as_parameters(&mut lock(op, &sets)?))
}

fn expect_lengths<'a>(op: &'static str, n: usize, lists: impl IntoIterator<Item = List<'a>>) -> Result<()> {
    for (name, list) in lists {
        if list.len() != n {
            let got = format!("{} tensors", list.len());
            return Err(Error::option(op, name, got, format!("{n}, one for each parameter")));
        }
    }
    Ok(())
}

/// Errs when bytes that are changed appear twice, as bytes of a parameter, a gradient or a state.
fn expect_distinct<'a>(
    op: &'static str,
    read: impl Iterator<Item = &'a Tensor>,
    changed: impl Iterator<Item = &'a Tensor>,
) -> Result<()> {
    let address = |t: &Tensor| Arc::as_ptr(&t.storage);
    let mut seen: HashSet<_> = read.map(address).collect();
    for t in changed {
        if !seen.insert(address(t)) {
            let got = "given twice (perhaps as a view)";
            return Err(Error::option(op, "a tensor", got, "parameters and states with bytes of their own"));
        }
    }
    Ok(())
}

/// A number of a step, whether it is allowed, and what is.
type Check = (&'static str, f64, bool, &'static str);

fn check(op: &'static str, checks: impl IntoIterator<Item = Check>) -> Result<()> {
    match checks.into_iter().find(|(_, _, good, _)| !good) {
        Some((name, value, _, expected)) => Err(Error::option(op, name, value, expected)),
        None => Ok(()),
    }
}

fn not_negative(name: &'static str, value: f64) -> Check {
    (name, value, value.is_finite() && value >= 0.0, "a finite number that is not negative")
}

fn finite(name: &'static str, value: f64) -> Check {
    (name, value, value.is_finite(), "a finite number")
}

fn share(name: &'static str, value: f64) -> Check {
    (name, value, (0.0..1.0).contains(&value), "in [0, 1)")
}
