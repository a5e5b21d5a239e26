//! Muon.

use super::super::far::Far;
use super::super::reduce::far_sums;
use super::{Set, check, far, finite, lock, not_negative, sets, share};
use crate::cpu::gemm;
use crate::cpu::muon::{self as cpu, Muon, Parameter};
use crate::cpu::reduce::Reduction;
use crate::engine::{Engine, Handle};
use crate::error::Result;
use crate::gpu::elementwise::{self, Map, Zip};
use crate::gpu::matmul::{self, Product};
use crate::tensor::Tensor;
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
    if let Some(far) = far(e, OP, &sets)? {
        let matrices = sets.iter().zip(sizes).filter(|(set, _)| set.p.elements() > 0);
        return matrices.into_iter().try_for_each(|(set, sizes)| far_step(&far, set, sizes, &options));
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

/// [`cpu::step`] on a GPU; the norm of each matrix is read back.
fn far_step(far: &Far<'_>, set: &Set<1>, [rows, columns]: [usize; 2], o: &Muon) -> Result<()> {
    let Set { p, g, states: [momentum] } = set;
    let (count, shape) = (rows * columns, [rows, columns]);
    let (mu, rest, scale) = (o.momentum as f32, (1.0 - o.momentum) as f32, o.gradient_scale as f32);
    far.run(&elementwise::update(Zip::Mix(mu, rest * scale), count), &[momentum, g])?;
    let of_both = if o.nesterov { Zip::Mix(mu, rest * scale) } else { Zip::Mix(1.0, 0.0) };
    let x = far.workspace(&shape)?;
    far.run(&elementwise::zip(of_both, count, count), &[momentum, g, &x])?;
    orthogonalize(far, &x, shape)?;
    let keep = (1.0 - o.learning_rate * o.weight_decay) as f32;
    let rate = (o.learning_rate * o.adjust.factor(rows, columns)) as f32;
    far.run(&elementwise::update(Zip::Mix(keep, -rate), count), &[p, &x])
}

/// The iterations of the processor, by the smaller of the two Gram matrices.
fn orthogonalize(far: &Far<'_>, x: &Tensor, [rows, columns]: [usize; 2]) -> Result<()> {
    let (count, wide, small) = (rows * columns, rows <= columns, rows.min(columns));
    let norm = far_sums(far, Reduction::Norm, std::slice::from_ref(x))?.iter().sum::<f64>().sqrt();
    far.run(&elementwise::change(Map::Scale((1.0 / (norm + cpu::EPSILON)) as f32), count), &[x])?;
    let (gram, square) = (far.workspace(&[small, small])?, far.workspace(&[small, small])?);
    let next = far.workspace(&[rows, columns])?;
    let [a, b, c] = cpu::QUINTIC.map(|coefficient| coefficient as f32);
    let product = |left: &Tensor, right: &Tensor, product: Product, y: &Tensor| {
        far.run_all(&matmul::matmul(product), &[left, right, left, left, y])
    };
    for _ in 0..cpu::ITERATIONS {
        let plain = Product::plain([small, small, rows.max(columns)]);
        product(x, x, Product { transpose_a: !wide, transpose_b: wide, ..plain }, &gram)?;
        product(&gram, &gram, Product { alpha: c, ..Product::plain([small; 3]) }, &square)?;
        far.run(&elementwise::update(Zip::AddScaled(b), small * small), &[&square, &gram])?;
        let (left, right) = if wide { (&square, x) } else { (x, &square) };
        product(left, right, Product::plain([rows, columns, small]), &next)?;
        far.run(&elementwise::update(Zip::Mix(a, 1.0), count), &[x, &next])?;
    }
    Ok(())
}
