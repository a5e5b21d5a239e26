//! The cache of keys and values while text is generated.

use super::rules;
use crate::cpu::buffer::Fill;
use crate::dtype::DType;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
use crate::gpu::copy::{self as gpu, Blocks};
use crate::memory::Category;

/// Writes `x[batch·n, width]` at rows `position …` of each sequence of `cache[batch, capacity, width]`.
pub fn cache_write(e: &Engine, cache: Handle, x: Handle, position: usize) -> Result<()> {
    let mut args = rules::CACHE_WRITE.of(e);
    let (op, cache, x) = (args.op, args.take(cache)?, args.take(x)?);
    super::expect_apart(op, "x", &cache, &x)?;
    let [batch, capacity, width, n] = args.dims(["batch", "capacity", "width", "n"])?;
    if position.checked_add(n).is_none_or(|end| end > capacity) {
        let got = format!("{position} for {n} rows");
        return Err(Error::option(op, "position", got, format!("position + rows ≤ capacity = {capacity}")));
    }
    if let Some(far) = args.far()? {
        let from = Blocks { start: 0, stride: n * width };
        let to = Blocks { start: position * width, stride: capacity * width };
        return far.run(&gpu::blocks(batch, n * width, from, to), &[&x, &cache]);
    }
    let x = x.read::<f32>(op, "x")?;
    let mut cache = cache.write::<f32>(op, "cache")?;
    for (sequence, x) in x.chunks_exact((n * width).max(1)).enumerate() {
        cache[(sequence * capacity + position) * width..][..n * width].copy_from_slice(x);
    }
    Ok(())
}

/// The first `length` rows of each sequence of `cache[batch, capacity, width]` → `[batch·length, width]`.
pub fn cache_read(e: &Engine, cache: Handle, length: usize) -> Result<Handle> {
    let mut args = rules::CACHE_READ.of(e);
    let (op, cache) = (args.op, args.take(cache)?);
    let [batch, capacity, width] = args.dims(["batch", "capacity", "width"])?;
    if length > capacity {
        return Err(Error::option(op, "length", length, format!("at most the capacity, {capacity}")));
    }
    if let Some(far) = args.far()? {
        let y = far.output(&[batch * length, width])?;
        let from = Blocks { start: 0, stride: capacity * width };
        let to = Blocks { start: 0, stride: length * width };
        far.run(&gpu::blocks(batch, length * width, from, to), &[&cache, &y])?;
        return e.keep(y);
    }
    let mut y = e.allocate(op, &[batch * length, width], DType::F32, (Category::Activations, op), Fill::Any)?;
    let cache = cache.read::<f32>(op, "cache")?;
    for (sequence, y) in y.f32().chunks_exact_mut((length * width).max(1)).enumerate() {
        y.copy_from_slice(&cache[sequence * capacity * width..][..length * width]);
    }
    y.keep(e)
}
