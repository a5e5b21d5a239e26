//! Tensors: made, read, written, copied, freed.

use napi::bindgen_prelude::{AsyncTask, Uint8Array};
use napi_derive::napi;
use nibble_engine::ops::data;
use nibble_engine::{DType, Device, Engine};

use crate::convert::{count, label, shape};
use crate::error::{OrThrow, Result};
use crate::job::{Job, Value};

/// A tensor: index and generation in one safe integer. A stale handle throws `DisposedError`.
#[napi]
pub type Handle = f64;

/// What a tensor is.
#[napi(object)]
pub struct TensorInfo {
    /// Dimensions.
    pub shape: Vec<f64>,
    /// Element type.
    #[napi(ts_type = "DType")]
    pub dtype: String,
    /// Where it is.
    pub device: String,
    /// What its bytes are for.
    #[napi(ts_type = "Category")]
    pub category: String,
    /// Whose they are.
    pub owner: String,
    /// Bytes of its elements.
    pub bytes: f64,
}

/// A tensor of these little-endian bytes, which are copied.
#[napi(catch_unwind)]
pub fn tensor_from_bytes(
    bytes: Uint8Array,
    #[napi(ts_arg_type = "DType")] dtype: String,
    shape: Vec<f64>,
    #[napi(ts_arg_type = "Category")] category: String,
    owner: String,
) -> Result<Handle> {
    const OP: &str = "tensorFromBytes";
    let dtype = DType::parse(OP, &dtype).or_throw()?;
    let shape = self::shape(OP, &shape).or_throw()?;
    let label = label(OP, &category, &owner).or_throw()?;
    data::tensor_from_bytes(Engine::process(), &bytes, dtype, &shape, label).or_throw()
}

/// A tensor of zeros, on the processor unless a device is named.
#[napi(catch_unwind)]
pub fn tensor_zeros(
    shape: Vec<f64>,
    #[napi(ts_arg_type = "DType")] dtype: String,
    #[napi(ts_arg_type = "Category")] category: String,
    owner: String,
    device: Option<String>,
) -> Result<Handle> {
    const OP: &str = "tensorZeros";
    let dtype = DType::parse(OP, &dtype).or_throw()?;
    let shape = self::shape(OP, &shape).or_throw()?;
    let device = place(OP, device.as_deref()).or_throw()?;
    let label = label(OP, &category, &owner).or_throw()?;
    data::tensor_zeros_on(Engine::process(), device, &shape, dtype, label).or_throw()
}

/// An f32 tensor with one value everywhere, on the processor unless a device is named.
#[napi(catch_unwind)]
pub fn tensor_full(
    shape: Vec<f64>,
    value: f64,
    #[napi(ts_arg_type = "Category")] category: String,
    owner: String,
    device: Option<String>,
) -> Result<Handle> {
    const OP: &str = "tensorFull";
    let shape = self::shape(OP, &shape).or_throw()?;
    let device = place(OP, device.as_deref()).or_throw()?;
    let label = label(OP, &category, &owner).or_throw()?;
    data::tensor_full_on(Engine::process(), device, &shape, value, label).or_throw()
}

fn place(op: &'static str, device: Option<&str>) -> nibble_engine::Result<Device> {
    device.map_or(Ok(Device::Cpu), |name| Device::parse(op, name))
}

/// Normal random f32 numbers with mean 0; the same for the same seed, whatever the machine and its threads.
#[napi(catch_unwind)]
pub fn tensor_random_normal(
    shape: Vec<f64>,
    std: f64,
    seed: f64,
    #[napi(ts_arg_type = "Category")] category: String,
    owner: String,
) -> Result<Handle> {
    const OP: &str = "tensorRandomNormal";
    let shape = self::shape(OP, &shape).or_throw()?;
    data::tensor_random_normal(Engine::process(), &shape, std, seed, label(OP, &category, &owner).or_throw()?)
        .or_throw()
}

/// Shape, type, place, purpose and size.
#[napi(catch_unwind)]
pub fn tensor_info(h: Handle) -> Result<TensorInfo> {
    let info = data::tensor_info(Engine::process(), h).or_throw()?;
    Ok(TensorInfo {
        shape: info.shape.iter().map(|&n| n as f64).collect(),
        dtype: info.dtype.name().into(),
        device: info.device.name(),
        category: info.category.name().into(),
        owner: info.owner,
        bytes: info.bytes as f64,
    })
}

/// Its bytes at the moment of the call, little-endian.
#[napi(catch_unwind, ts_return_type = "Promise<Uint8Array>")]
pub fn tensor_read(h: Handle) -> Result<AsyncTask<Job>> {
    let read = data::tensor_read_later(Engine::process(), h).or_throw()?;
    Job::start("tensorRead", None, move || Ok(Value::Bytes(read()?)))
}

/// Its bytes, little-endian; waits for the device.
#[napi(catch_unwind)]
pub fn tensor_read_sync(h: Handle) -> Result<Uint8Array> {
    data::tensor_read(Engine::process(), h).or_throw().map(Uint8Array::new)
}

/// Replaces its bytes by as many others.
#[napi(catch_unwind)]
pub fn tensor_write(h: Handle, bytes: Uint8Array) -> Result<()> {
    data::tensor_write(Engine::process(), h, &bytes).or_throw()
}

/// Frees it: its bytes go with the last view of them. Twice is fine; what never was a tensor throws.
#[napi(catch_unwind)]
pub fn tensor_dispose(h: Handle) -> Result<()> {
    Engine::process().dispose(h).or_throw()
}

/// The same bytes under another shape: a view, which keeps them alive.
#[napi(catch_unwind)]
pub fn tensor_reshape(h: Handle, shape: Vec<f64>) -> Result<Handle> {
    let shape = self::shape("tensorReshape", &shape).or_throw()?;
    data::tensor_reshape(Engine::process(), h, &shape).or_throw()
}

/// A copy in another element type (ties to even).
#[napi(catch_unwind)]
pub fn tensor_cast(
    h: Handle,
    #[napi(ts_arg_type = "DType")] dtype: String,
    #[napi(ts_arg_type = "Category")] category: String,
    owner: String,
) -> Result<Handle> {
    const OP: &str = "tensorCast";
    let dtype = DType::parse(OP, &dtype).or_throw()?;
    data::tensor_cast(Engine::process(), h, dtype, label(OP, &category, &owner).or_throw()?).or_throw()
}

/// A copy with bytes of its own.
#[napi(catch_unwind)]
pub fn tensor_copy(h: Handle, #[napi(ts_arg_type = "Category")] category: String, owner: String) -> Result<Handle> {
    data::tensor_copy(Engine::process(), h, label("tensorCopy", &category, &owner).or_throw()?).or_throw()
}

/// A copy on another device: "cpu", "gpu" or "gpu:N".
#[napi(catch_unwind)]
pub fn tensor_to_device(h: Handle, device: String) -> Result<Handle> {
    let device = Device::parse("tensorToDevice", &device).or_throw()?;
    data::tensor_to_device(Engine::process(), h, device).or_throw()
}

/// Charges its bytes, and so those of its views, to another category and owner.
#[napi(catch_unwind)]
pub fn tensor_relabel(h: Handle, #[napi(ts_arg_type = "Category")] category: String, owner: String) -> Result<()> {
    data::tensor_relabel(Engine::process(), h, label("tensorRelabel", &category, &owner).or_throw()?).or_throw()
}

/// Rows `start` to `end` (not included) of dimension 0, copied.
#[napi(catch_unwind)]
pub fn slice_rows(x: Handle, start: f64, end: f64) -> Result<Handle> {
    const OP: &str = "sliceRows";
    let (start, end) = (count(OP, "start", start).or_throw()?, count(OP, "end", end).or_throw()?);
    data::slice_rows(Engine::process(), x, start, end).or_throw()
}

/// Rows of `x` by number, `rows` i32 `[n]`.
#[napi(catch_unwind)]
pub fn gather_rows(x: Handle, rows: Handle) -> Result<Handle> {
    data::gather_rows(Engine::process(), x, rows).or_throw()
}

/// Zeros `[rowCount, …]` to whose row `rows[i]` (i32 `[n]`) row `i` of `x[n, …]` is added.
#[napi(catch_unwind)]
pub fn scatter_rows(x: Handle, rows: Handle, row_count: f64) -> Result<Handle> {
    let row_count = count("scatterRows", "rowCount", row_count).or_throw()?;
    data::scatter_rows(Engine::process(), x, rows, row_count).or_throw()
}

/// Rows of several tensors, one after the other.
#[napi(catch_unwind)]
pub fn concat_rows(xs: Vec<Handle>) -> Result<Handle> {
    data::concat_rows(Engine::process(), &xs).or_throw()
}

/// `[a, b]` → `[b, a]`.
#[napi(catch_unwind)]
pub fn transpose(x: Handle) -> Result<Handle> {
    data::transpose(Engine::process(), x).or_throw()
}

/// Dimension `i` of the result is dimension `axes[i]` of `x`; copied.
#[napi(catch_unwind)]
pub fn permute(x: Handle, axes: Vec<f64>) -> Result<Handle> {
    const OP: &str = "permute";
    let axes =
        axes.iter().map(|&axis| count(OP, "axes", axis)).collect::<nibble_engine::Result<Vec<_>>>().or_throw()?;
    data::permute(Engine::process(), x, &axes).or_throw()
}
