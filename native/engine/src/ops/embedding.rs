//! Rows of a table by number, and their gradient.

use super::rules;
use crate::cpu::embedding as cpu;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};

/// `ids[n]` i32 · `weight[vocabulary, d]` → `[n, d]`
pub fn embedding_forward(e: &Engine, ids: Handle, weight: Handle) -> Result<Handle> {
    let mut args = rules::EMBEDDING_FORWARD.of(e);
    let (op, ids, weight) = (args.op, args.take(ids)?, args.take(weight)?);
    let [n, vocabulary, width] = args.dims(["n", "vocabulary", "d"])?;
    let ids = ids.read::<i32>(op, "ids")?;
    expect_ids(op, "ids", &ids, vocabulary)?;
    let mut y = e.output(op, &[n, width])?;
    cpu::gather(&e.cancel(op), &ids, &weight.read_bytes(op, "weight")?, width * 4, y.bytes())?;
    y.keep(e)
}

/// `into[vocabulary, d] += dy[n, d]` at rows `ids[n]`
pub fn embedding_backward(e: &Engine, ids: Handle, dy: Handle, into: Handle) -> Result<()> {
    let mut args = rules::EMBEDDING_BACKWARD.of(e);
    let (op, ids, into, dy) = (args.op, args.take(ids)?, args.take(into)?, args.take(dy)?);
    super::expect_apart(op, "dy", &into, &dy)?;
    let [vocabulary, width] = args.dims(["vocabulary", "d"])?;
    let (ids, dy) = (ids.read::<i32>(op, "ids")?, dy.read::<f32>(op, "dy")?);
    expect_ids(op, "ids", &ids, vocabulary)?;
    cpu::scatter_add(&e.cancel(op), &ids, &dy, width, &mut into.write(op, "into")?)
}

/// Errs unless every number is that of a row.
pub(super) fn expect_ids(op: &'static str, name: &'static str, ids: &[i32], rows: usize) -> Result<()> {
    match ids.iter().position(|&id| usize::try_from(id).map_or(true, |id| id >= rows)) {
        None => Ok(()),
        Some(at) => Err(Error::option(op, name, format!("{} at position {at}", ids[at]), format!("0 … {rows} − 1"))),
    }
}
