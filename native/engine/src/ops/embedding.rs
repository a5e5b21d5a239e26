//! Rows of a table by number, and their gradient.

use super::far::Far;
use super::rules;
use crate::cpu::embedding as cpu;
use crate::dtype::DType;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
use crate::gpu::copy as gpu;
use crate::tensor::Tensor;

/// `ids[n]` i32 · `weight[vocabulary, d]` → `[n, d]`
pub fn embedding_forward(e: &Engine, ids: Handle, weight: Handle) -> Result<Handle> {
    let mut args = rules::EMBEDDING_FORWARD.of(e);
    let (op, ids, weight) = (args.op, args.take_anywhere(ids)?, args.take(weight)?);
    let [n, vocabulary, width] = args.dims(["n", "vocabulary", "d"])?;
    if let Some(far) = args.far()? {
        let ids = ids_there(&far, op, ("ids", &ids), vocabulary)?;
        let y = far.output(&[n, width])?;
        far.run(&gpu::gather(n, width), &[&ids, &weight, &y])?;
        return e.keep(y);
    }
    let ids = ids.read::<i32>(op, "ids")?;
    expect_ids(op, "ids", &ids, vocabulary)?;
    let mut y = e.output(op, &[n, width])?;
    cpu::gather(&e.cancel(op), &ids, &weight.read_bytes(op, "weight")?, width * 4, y.bytes())?;
    y.keep(e)
}

/// `into[vocabulary, d] += dy[n, d]` at rows `ids[n]`
pub fn embedding_backward(e: &Engine, ids: Handle, dy: Handle, into: Handle) -> Result<()> {
    let mut args = rules::EMBEDDING_BACKWARD.of(e);
    let (op, ids, into, dy) = (args.op, args.take_anywhere(ids)?, args.take(into)?, args.take(dy)?);
    super::expect_apart(op, "dy", &into, &dy)?;
    let [vocabulary, width] = args.dims(["vocabulary", "d"])?;
    if let Some(far) = args.far()? {
        return far_scatter(&far, op, ("ids", &ids), vocabulary, (&dy, width), &into);
    }
    let (ids, dy) = (ids.read::<i32>(op, "ids")?, dy.read::<f32>(op, "dy")?);
    expect_ids(op, "ids", &ids, vocabulary)?;
    cpu::scatter_add(&e.cancel(op), &ids, &dy, width, &mut into.write(op, "into")?)
}

/// Numbers of rows on a GPU, wherever they were, checked on the way.
pub(super) fn ids_there(
    far: &Far<'_>,
    op: &'static str,
    (name, ids): (&'static str, &Tensor),
    rows: usize,
) -> Result<Tensor> {
    let numbers = far.numbers(ids, name)?;
    expect_ids(op, name, &numbers, rows)?;
    if ids.storage.gpu().is_some() {
        return Ok(ids.clone());
    }
    far.upload(&ids.shape, DType::I32, bytemuck::cast_slice(&numbers))
}

/// Adds rows of `width` elements of `dy` to those of `into` that the numbers tell, in their order.
pub(super) fn far_scatter(
    far: &Far<'_>,
    op: &'static str,
    (name, ids): (&'static str, &Tensor),
    rows: usize,
    (dy, width): (&Tensor, usize),
    into: &Tensor,
) -> Result<()> {
    let numbers = far.numbers(ids, name)?;
    expect_ids(op, name, &numbers, rows)?;
    let (plan, changed) = gpu::scatter_plan(&numbers);
    let plan = far.upload(&[plan.len()], DType::I32, bytemuck::cast_slice(&plan))?;
    far.run(&gpu::scatter_add(changed, width), &[&plan, dy, into])
}

/// Errs unless every number is that of a row.
pub(super) fn expect_ids(op: &'static str, name: &'static str, ids: &[i32], rows: usize) -> Result<()> {
    match ids.iter().position(|&id| usize::try_from(id).map_or(true, |id| id >= rows)) {
        None => Ok(()),
        Some(at) => Err(Error::option(op, name, format!("{} at position {at}", ids[at]), format!("0 … {rows} − 1"))),
    }
}
