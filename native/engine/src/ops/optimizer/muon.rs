//! Muon.

use super::{check, finite, lock, not_negative, sets, share};
use crate::cpu::gemm;
use crate::cpu::muon::{self as cpu, Muon, Parameter};
use crate::engine::{Engine, Handle};
use crate::error::Result;
use crate::{Category, Device};

/// One step for every matrix, in place: see [`cpu::step`].
pub fn muon_step(
    e: &Engine,
    parameters: &[Handle],
    gradients: &[Handle],
    momentum: &[Handle],
    options: Muon,
) -> Result<()> {
    const OP: &str = "muonStep";
    let checks = [
        not_negative("learningRate", options.learning_rate),
        share("momentum", options.momentum),
        not_negative("weightDecay", options.weight_decay),
        finite("gradientScale", options.gradient_scale),
    ];
    check(OP, checks)?;
    let sets = sets(e, OP, parameters, gradients, [("momentum", momentum)])?;
    let mut sizes = Vec::with_capacity(sets.len());
    for set in &sets {
        sizes.push(set.p.dims(OP, "parameters", ["rows", "columns"])?);
    }
    let floats = sizes.iter().map(|&[rows, columns]| cpu::workspace(rows, columns)).max().unwrap_or(0);
    let panels = sizes.iter().map(|&[rows, columns]| gemm::workspace_bytes(rows.max(columns), rows.max(columns))).max();
    let _panels = e.charge(OP, Device::Cpu, Category::Workspace, OP, panels.unwrap_or(0))?;
    let mut space = e.workspace(OP, floats)?;
    e.cancel(OP).check()?;
    let mut locked = lock(OP, &sets)?;
    for (set, [rows, columns]) in locked.iter_mut().zip(sizes) {
        let [momentum] = &mut set.states;
        let parameter = Parameter { p: &mut set.p, g: &set.g, momentum, rows, columns };
        cpu::step(OP, parameter, &options, space.f32())?;
    }
    Ok(())
}
