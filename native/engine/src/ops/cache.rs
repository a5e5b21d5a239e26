//! The cache of keys and values while text is generated.

use crate::cpu::buffer::Fill;
use crate::dtype::DType;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
use crate::memory::Category;

/// Writes `x[batch·n, width]` at rows `position …` of each sequence of `cache[batch, capacity, width]`.
pub fn cache_write(e: &Engine, cache: Handle, x: Handle, position: usize) -> Result<()> {
    const OP: &str = "cacheWrite";
    let (cache, x) = (e.tensor(OP, "cache", cache)?, e.tensor(OP, "x", x)?);
    super::expect_apart(OP, "x", &cache, &x)?;
    x.expect(OP, "x", DType::F32)?;
    cache.expect(OP, "cache", DType::F32)?;
    let [batch, capacity, width] = cache.dims(OP, "cache", ["batch", "capacity", "width"])?;
    let (rows, x_width) = x.rows();
    if x_width != width || batch == 0 || !rows.is_multiple_of(batch) {
        return Err(Error::shape(OP, "x", &x.shape, format!("[{batch}·n, {width}]")));
    }
    let n = rows / batch;
    if position.checked_add(n).is_none_or(|end| end > capacity) {
        let got = format!("{position} for {n} rows");
        return Err(Error::option(OP, "position", got, format!("position + rows ≤ capacity = {capacity}")));
    }
    let x = x.read::<f32>(OP, "x")?;
    let mut cache = cache.write::<f32>(OP, "cache")?;
    for (sequence, x) in x.chunks_exact((n * width).max(1)).enumerate() {
        cache[(sequence * capacity + position) * width..][..n * width].copy_from_slice(x);
    }
    Ok(())
}

/// The first `length` rows of each sequence of `cache[batch, capacity, width]` → `[batch·length, width]`.
pub fn cache_read(e: &Engine, cache: Handle, length: usize) -> Result<Handle> {
    const OP: &str = "cacheRead";
    let cache = e.tensor(OP, "cache", cache)?;
    cache.expect(OP, "cache", DType::F32)?;
    let [batch, capacity, width] = cache.dims(OP, "cache", ["batch", "capacity", "width"])?;
    if length > capacity {
        return Err(Error::option(OP, "length", length, format!("at most the capacity, {capacity}")));
    }
    let mut y = e.allocate(OP, &[batch * length, width], DType::F32, (Category::Activations, OP), Fill::Any)?;
    let cache = cache.read::<f32>(OP, "cache")?;
    for (sequence, y) in y.f32().chunks_exact_mut((length * width).max(1)).enumerate() {
        y.copy_from_slice(&cache[sequence * capacity * width..][..length * width]);
    }
    y.keep(e)
}
