//! Rows of a table by number, and their gradient.

use crate::cpu::embedding as cpu;
use crate::dtype::DType;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};

/// `ids[n]` i32 · `weight[vocabulary, d]` → `[n, d]`
pub fn embedding_forward(e: &Engine, ids: Handle, weight: Handle) -> Result<Handle> {
    const OP: &str = "embeddingForward";
    let (ids, weight) = (e.tensor(OP, "ids", ids)?, e.tensor(OP, "weight", weight)?);
    weight.expect(OP, "weight", DType::F32)?;
    let [vocabulary, width] = weight.dims(OP, "weight", ["vocabulary", "d"])?;
    let [n] = ids.dims(OP, "ids", ["n"])?;
    let ids = ids.read::<i32>(OP, "ids")?;
    expect_ids(OP, "ids", &ids, vocabulary)?;
    let mut y = e.output(OP, &[n, width])?;
    cpu::gather(&e.cancel(OP), &ids, &weight.read_bytes(OP, "weight")?, width * 4, y.bytes())?;
    y.keep(e)
}

/// `into[vocabulary, d] += dy[n, d]` at rows `ids[n]`
pub fn embedding_backward(e: &Engine, ids: Handle, dy: Handle, into: Handle) -> Result<()> {
    const OP: &str = "embeddingBackward";
    let (ids, dy, into) = (e.tensor(OP, "ids", ids)?, e.tensor(OP, "dy", dy)?, e.tensor(OP, "into", into)?);
    super::expect_apart(OP, "dy", &into, &dy)?;
    into.expect(OP, "into", DType::F32)?;
    let [vocabulary, width] = into.dims(OP, "into", ["vocabulary", "d"])?;
    let [n] = ids.dims(OP, "ids", ["n"])?;
    if dy.rows() != (n, width) {
        return Err(Error::shape(OP, "dy", &dy.shape, format!("[{n}, {width}]")));
    }
    let (ids, dy) = (ids.read::<i32>(OP, "ids")?, dy.read::<f32>(OP, "dy")?);
    expect_ids(OP, "ids", &ids, vocabulary)?;
    cpu::scatter_add(&e.cancel(OP), &ids, &dy, width, &mut into.write(OP, "into")?)
}

/// Errs unless every number is that of a row.
pub(super) fn expect_ids(op: &'static str, name: &'static str, ids: &[i32], rows: usize) -> Result<()> {
    match ids.iter().position(|&id| usize::try_from(id).map_or(true, |id| id >= rows)) {
        None => Ok(()),
        Some(at) => Err(Error::option(op, name, format!("{} at position {at}", ids[at]), format!("0 … {rows} − 1"))),
    }
}
