//! Tensors from bytes and to bytes, copies, casts, rows.

use std::sync::Arc;

use half::{bf16, f16};

use super::far::Far;
use super::rules;
use crate::cpu::buffer::Fill;
use crate::cpu::{embedding, permute, pool};
use crate::device::Device;
use crate::dtype::DType;
use crate::engine::{Engine, Fresh, Handle};
use crate::error::{Error, Result};
use crate::gpu;
use crate::gpu::cast;
use crate::gpu::copy::{self, Blocks};
use crate::memory::Category;
use crate::random;
use crate::shape;
use crate::tensor::{Element, Storage, Tensor};

/// A category and an owner: what a tensor's bytes are charged to.
pub type Label<'a> = (Category, &'a str);

/// What `tensor_info` tells.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorInfo {
    /// Dimensions.
    pub shape: Vec<usize>,
    /// Element type.
    pub dtype: DType,
    /// Where it lives.
    pub device: Device,
    /// What its bytes are for.
    pub category: Category,
    /// Whose they are.
    pub owner: String,
    /// Bytes of its elements.
    pub bytes: usize,
}

/// A tensor of these little-endian bytes.
pub fn tensor_from_bytes(e: &Engine, bytes: &[u8], dtype: DType, shape: &[usize], label: Label) -> Result<Handle> {
    const OP: &str = "tensorFromBytes";
    let expected = shape::elements(OP, shape)? * dtype.size();
    expect_bytes(OP, bytes.len(), expected, shape, dtype)?;
    let mut fresh = e.allocate(OP, shape, dtype, label, Fill::Any)?;
    fresh.bytes().copy_from_slice(bytes);
    fresh.keep(e)
}

/// A tensor of zeros.
pub fn tensor_zeros(e: &Engine, shape: &[usize], dtype: DType, label: Label) -> Result<Handle> {
    tensor_zeros_on(e, Device::Cpu, shape, dtype, label)
}

/// [`tensor_zeros`] on a device.
pub fn tensor_zeros_on(e: &Engine, device: Device, shape: &[usize], dtype: DType, label: Label) -> Result<Handle> {
    const OP: &str = "tensorZeros";
    match Far::on(e, OP, device)? {
        Some(far) => far_fill(e, &far, shape, dtype, label, 0),
        None => e.allocate(OP, shape, dtype, label, Fill::Zero)?.keep(e),
    }
}

/// A float tensor with one value everywhere.
pub fn tensor_full(e: &Engine, shape: &[usize], value: f64, label: Label) -> Result<Handle> {
    tensor_full_on(e, Device::Cpu, shape, value, label)
}

/// [`tensor_full`] on a device.
pub fn tensor_full_on(e: &Engine, device: Device, shape: &[usize], value: f64, label: Label) -> Result<Handle> {
    const OP: &str = "tensorFull";
    if let Some(far) = Far::on(e, OP, device)? {
        return far_fill(e, &far, shape, DType::F32, label, (value as f32).to_bits());
    }
    let mut fresh = e.allocate(OP, shape, DType::F32, label, Fill::Any)?;
    fresh.f32().fill(value as f32);
    fresh.keep(e)
}

/// A tensor on a GPU, all of whose words are the same.
fn far_fill(e: &Engine, far: &Far<'_>, shape: &[usize], dtype: DType, label: Label, word: u32) -> Result<Handle> {
    let out = far.allocate(shape, dtype, label)?;
    far.run(&copy::fill(out.bytes().div_ceil(WORD), word), &[&out])?;
    e.keep(out)
}

/// Normal random numbers with mean 0; the same for the same seed on every machine and number of threads.
pub fn tensor_random_normal(e: &Engine, shape: &[usize], std: f64, seed: f64, label: Label) -> Result<Handle> {
    const OP: &str = "tensorRandomNormal";
    if !(std.is_finite() && std >= 0.0) {
        return Err(Error::option(OP, "std", std, "a finite number that is not negative"));
    }
    if !(seed.fract() == 0.0 && seed.abs() <= 9_007_199_254_740_991.0) {
        return Err(Error::option(OP, "seed", seed, "a safe integer"));
    }
    let mut fresh = e.allocate(OP, shape, DType::F32, label, Fill::Any)?;
    let (seed, std) = (seed as i64 as u64, std as f32);
    pool::rows(&e.cancel(OP), fresh.f32(), 2, |first, out| {
        for (n, pair) in out.chunks_mut(2).enumerate() {
            let (a, b) = random::normal_pair(seed, (first + n) as u64);
            for (out, value) in pair.iter_mut().zip([a, b]) {
                *out = value * std;
            }
        }
    })?;
    fresh.keep(e)
}

/// Shape, type, place, purpose and size.
pub fn tensor_info(e: &Engine, h: Handle) -> Result<TensorInfo> {
    let t = e.tensor("tensorInfo", "tensor", h)?;
    let (category, owner) = t.storage.with_charge(|charge| (charge.category(), charge.owner().to_owned()));
    let (device, bytes) = (t.storage.device(), t.bytes());
    Ok(TensorInfo { shape: t.shape, dtype: t.dtype, device, category, owner, bytes })
}

/// Its bytes, little-endian.
pub fn tensor_read(e: &Engine, h: Handle) -> Result<Vec<u8>> {
    const OP: &str = "tensorRead";
    read(e, OP, &e.tensor(OP, "tensor", h)?)
}

fn read(e: &Engine, op: &'static str, t: &Tensor) -> Result<Vec<u8>> {
    match t.storage.gpu() {
        Some(memory) => memory.download(t.bytes()).map_err(|failure| {
            failure.into_error(op, memory.device(), || e.refused(op, t.bytes(), Category::Workspace))
        }),
        None => Ok(t.read_bytes(op, "tensor")?.to_vec()),
    }
}

/// What waits for its bytes. On the processor they are copied at once, so that later changes do not show.
pub fn tensor_read_later(e: &Engine, h: Handle) -> Result<impl FnOnce() -> Result<Vec<u8>> + Send + use<>> {
    let bytes = tensor_read(e, h)?;
    Ok(move || Ok(bytes))
}

/// Replaces its bytes.
pub fn tensor_write(e: &Engine, h: Handle, bytes: &[u8]) -> Result<()> {
    const OP: &str = "tensorWrite";
    let t = e.tensor(OP, "tensor", h)?;
    expect_bytes(OP, bytes.len(), t.bytes(), &t.shape, t.dtype)?;
    if let Some(memory) = t.storage.gpu() {
        return memory.write(bytes).map_err(|failure| {
            failure.into_error(OP, memory.device(), || e.refused(OP, bytes.len(), Category::Workspace))
        });
    }
    t.write_bytes(OP, "tensor")?.copy_from_slice(bytes);
    Ok(())
}

fn expect_bytes(op: &'static str, got: usize, expected: usize, shape: &[usize], dtype: DType) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    let what = format!("{got} bytes came for {dtype} {shape:?}");
    Err(Error::Format { op, what, advice: format!("Expected {expected} bytes") })
}

/// The same bytes under another shape.
pub fn tensor_reshape(e: &Engine, h: Handle, shape: &[usize]) -> Result<Handle> {
    const OP: &str = "tensorReshape";
    let t = e.tensor(OP, "tensor", h)?;
    if shape::elements(OP, shape)? != t.elements() {
        return Err(Error::shape(OP, "shape", shape, format!("{} elements, as in {:?}", t.elements(), t.shape)));
    }
    e.keep(Tensor { shape: shape.to_vec(), ..t })
}

/// A copy in another element type. Floats convert among f32, f16 and bf16 (ties to even); integers convert to
/// and from f32 and i32, where what does not fit is clamped.
pub fn tensor_cast(e: &Engine, h: Handle, dtype: DType, label: Label) -> Result<Handle> {
    const OP: &str = "tensorCast";
    let t = e.tensor(OP, "tensor", h)?;
    if t.dtype == dtype {
        return copy(e, OP, &t, label);
    }
    if let Some(far) = Far::of(e, OP, &[("tensor", Some(&t))])? {
        expect_direct(OP, t.dtype, dtype)?;
        let out = far.allocate(&t.shape, dtype, label)?;
        far.run(&cast::cast(t.elements(), t.dtype, dtype), &[&t, &out])?;
        return e.keep(out);
    }
    let mut out = e.allocate(OP, &t.shape, dtype, label, Fill::Any)?;
    let cancel = e.cancel(OP);
    let mut run = Cast { t: &t, out: &mut out, cancel: &cancel };
    use DType::{BF16, F16, F32, I8, I32, U8};
    match (t.dtype, dtype) {
        (F32, F16) => run.with(f16::from_f32),
        (F32, BF16) => run.with(bf16::from_f32),
        (F32, I32) => run.with(|x: f32| x.round_ties_even() as i32),
        (F32, U8) => run.with(|x: f32| x.round_ties_even() as u8),
        (F32, I8) => run.with(|x: f32| x.round_ties_even() as i8),
        (F16, F32) => run.with(f16::to_f32),
        (BF16, F32) => run.with(bf16::to_f32),
        (F16, BF16) => run.with(|x: f16| bf16::from_f32(x.to_f32())),
        (BF16, F16) => run.with(|x: bf16| f16::from_f32(x.to_f32())),
        (I32, F32) => run.with(|x: i32| x as f32),
        (U8, F32) => run.with(|x: u8| f32::from(x)),
        (I8, F32) => run.with(|x: i8| f32::from(x)),
        (U8, I32) => run.with(|x: u8| i32::from(x)),
        (I8, I32) => run.with(|x: i8| i32::from(x)),
        (I32, U8) => run.with(|x: i32| x.clamp(0, 255) as u8),
        (I32, I8) => run.with(|x: i32| x.clamp(-128, 127) as i8),
        (from, to) => Err(not_direct(OP, from, to)),
    }?;
    out.keep(e)
}

fn not_direct(op: &'static str, from: DType, to: DType) -> Error {
    Error::Unsupported {
        op,
        what: format!("{from} does not convert to {to} directly"),
        advice: "Cast to f32 first".into(),
    }
}

/// Errs for pairs of types that the processor does not convert either.
fn expect_direct(op: &'static str, from: DType, to: DType) -> Result<()> {
    let is_float = |dtype| matches!(dtype, DType::F32 | DType::F16 | DType::BF16);
    let direct = from == DType::F32 || to == DType::F32 || (is_float(from) && is_float(to));
    let whole = !is_float(from) && !is_float(to) && (from == DType::I32 || to == DType::I32);
    if direct || whole { Ok(()) } else { Err(not_direct(op, from, to)) }
}

struct Cast<'a> {
    t: &'a Tensor,
    out: &'a mut Fresh,
    cancel: &'a crate::Cancel,
}

impl Cast<'_> {
    fn with<A: Element + Sync, B: Element + Send>(&mut self, f: impl Fn(A) -> B + Sync) -> Result<()> {
        let x = self.t.read::<A>(self.cancel.op(), "tensor")?;
        let x: &[A] = &x;
        pool::rows(self.cancel, self.out.elements::<B>(), 1, |first, out| {
            for (out, &x) in out.iter_mut().zip(&x[first..]) {
                *out = f(x);
            }
        })
    }
}

/// A copy with bytes of its own.
pub fn tensor_copy(e: &Engine, h: Handle, label: Label) -> Result<Handle> {
    const OP: &str = "tensorCopy";
    copy(e, OP, &e.tensor(OP, "tensor", h)?, label)
}

fn copy(e: &Engine, op: &'static str, t: &Tensor, label: Label) -> Result<Handle> {
    if let Some(far) = Far::of(e, op, &[("tensor", Some(t))])? {
        let (out, words) = (far.allocate(&t.shape, t.dtype, label)?, t.bytes().div_ceil(WORD));
        let all = Blocks { start: 0, stride: words };
        far.run(&copy::blocks(1, words, all, all), &[t, &out])?;
        return e.keep(out);
    }
    let mut out = e.allocate(op, &t.shape, t.dtype, label, Fill::Any)?;
    out.bytes().copy_from_slice(&t.read_bytes(op, "tensor")?);
    out.keep(e)
}

/// A copy on another device, charged as the original is.
pub fn tensor_to_device(e: &Engine, h: Handle, device: Device) -> Result<Handle> {
    const OP: &str = "tensorToDevice";
    let t = e.tensor(OP, "tensor", h)?;
    let (category, owner) = t.storage.with_charge(|charge| (charge.category(), charge.owner().to_owned()));
    let Device::Gpu(number) = device else {
        let mut out = e.allocate(OP, &t.shape, t.dtype, (category, &owner), Fill::Any)?;
        out.bytes().copy_from_slice(&read(e, OP, &t)?);
        return out.keep(e);
    };
    let failed = |failure: gpu::Failure| failure.into_error(OP, device, || e.refused(OP, t.bytes(), category));
    gpu::find(number).map_err(failed)?;
    let charge = e.charge(OP, device, category, &owner, t.bytes())?;
    let memory = match t.storage.gpu() {
        None => gpu::Memory::upload(number, &t.read_bytes(OP, "tensor")?),
        Some(_) => gpu::Memory::upload(number, &read(e, OP, &t)?),
    };
    let memory = memory.map_err(failed)?;
    e.keep(Tensor { storage: Arc::new(Storage::on_gpu(memory, charge)), shape: t.shape.clone(), dtype: t.dtype })
}

/// Charges its bytes (and those of its views) to another category and owner.
pub fn tensor_relabel(e: &Engine, h: Handle, (category, owner): Label) -> Result<()> {
    let t = e.tensor("tensorRelabel", "tensor", h)?;
    t.storage.with_charge(|charge| charge.relabel(category, owner));
    Ok(())
}

/// Rows `start` to `end` (not included) of dimension 0, copied.
pub fn slice_rows(e: &Engine, x: Handle, start: usize, end: usize) -> Result<Handle> {
    const OP: &str = "sliceRows";
    let x = e.tensor(OP, "x", x)?;
    let (rows, row_bytes) = first_dimension(OP, &x)?;
    if start > end || end > rows {
        return Err(Error::option(OP, "start, end", format!("{start}, {end}"), format!("0 ≤ start ≤ end ≤ {rows}")));
    }
    if let Some(far) = Far::of(e, OP, &[("x", Some(&x))])? {
        let (out, width) = (far_rows_like(&far, OP, &x, end - start)?, words(OP, &x, row_bytes)?);
        let from = Blocks { start: start * width, stride: width };
        far.run(&copy::blocks(end - start, width, from, Blocks { start: 0, stride: width }), &[&x, &out])?;
        return e.keep(out);
    }
    let mut out = rows_like(e, OP, &x, end - start)?;
    out.bytes().copy_from_slice(&x.read_bytes(OP, "x")?[start * row_bytes..end * row_bytes]);
    out.keep(e)
}

/// `x[rows, …]`, `rows[n]` i32 → `[n, …]`.
pub fn gather_rows(e: &Engine, x: Handle, rows: Handle) -> Result<Handle> {
    let mut args = rules::GATHER_ROWS.of(e);
    let (op, x, ids) = (args.op, args.take(x)?, args.take_anywhere(rows)?);
    let [n] = args.dims(["n"])?;
    let (count, row_bytes) = first_dimension(op, &x)?;
    if let Some(far) = args.far()? {
        let width = words(op, &x, row_bytes)?;
        let ids = super::embedding::ids_there(&far, op, ("rows", &ids), count)?;
        let out = far_rows_like(&far, op, &x, n)?;
        far.run(&copy::gather(n, width), &[&ids, &x, &out])?;
        return e.keep(out);
    }
    let ids = ids.read::<i32>(op, "rows")?;
    super::embedding::expect_ids(op, "rows", &ids, count)?;
    let mut out = rows_like(e, op, &x, n)?;
    embedding::gather(&e.cancel(op), &ids, &x.read_bytes(op, "x")?, row_bytes, out.bytes())?;
    out.keep(e)
}

/// `x[n, …]`, `rows[n]` i32 → `[count, …]`: zeros, to whose row `rows[i]` row `i` of `x` is added. The gradient of
/// [`gather_rows`], which is its gradient.
pub fn scatter_rows(e: &Engine, x: Handle, rows: Handle, count: usize) -> Result<Handle> {
    let mut args = rules::SCATTER_ROWS.of(e);
    let (op, x, ids) = (args.op, args.take(x)?, args.take_anywhere(rows)?);
    let [n] = args.dims(["n"])?;
    let (x_rows, row_bytes) = first_dimension(op, &x)?;
    if x_rows != n {
        return Err(Error::shape(op, "x", &x.shape, format!("[{n}, …], as many rows as rows has numbers")));
    }
    let mut shape = x.shape.clone();
    shape[0] = count;
    if let Some(far) = args.far()? {
        let out = far.output(&shape)?;
        far.run(&copy::fill(out.elements(), 0), &[&out])?;
        let width = row_bytes / size_of::<f32>();
        super::embedding::far_scatter(&far, op, ("rows", &ids), count, (&x, width), &out)?;
        return e.keep(out);
    }
    let ids = ids.read::<i32>(op, "rows")?;
    super::embedding::expect_ids(op, "rows", &ids, count)?;
    let mut out = e.allocate(op, &shape, DType::F32, (Category::Activations, op), Fill::Zero)?;
    embedding::scatter_add(&e.cancel(op), &ids, &x.read(op, "x")?, row_bytes / size_of::<f32>(), out.f32())?;
    out.keep(e)
}

/// Rows of several tensors, one after the other.
pub fn concat_rows(e: &Engine, xs: &[Handle]) -> Result<Handle> {
    const OP: &str = "concatRows";
    let xs = xs.iter().map(|&x| e.tensor(OP, "xs", x)).collect::<Result<Vec<_>>>()?;
    let Some(first) = xs.first() else {
        return Err(Error::option(OP, "xs", "an empty array", "at least one tensor"));
    };
    let mut rows = 0;
    for x in &xs {
        rows += first_dimension(OP, x)?.0;
        x.expect(OP, "xs", first.dtype)?;
        if x.shape[1..] != first.shape[1..] {
            return Err(Error::shape(OP, "xs", &x.shape, format!("[n, {:?}…] as in the first", &first.shape[1..])));
        }
    }
    let places: Vec<_> = xs.iter().map(|x| ("xs", Some(x))).collect();
    if let Some(far) = Far::of(e, OP, &places)? {
        let (out, mut start) = (far_rows_like(&far, OP, first, rows)?, 0);
        for x in &xs {
            let width = words(OP, x, x.bytes())?;
            far.run(&copy::blocks(1, width, Blocks { start: 0, stride: 0 }, Blocks { start, stride: 0 }), &[x, &out])?;
            start += width;
        }
        return e.keep(out);
    }
    let mut out = rows_like(e, OP, first, rows)?;
    let mut rest = out.bytes();
    for x in &xs {
        let (head, tail) = rest.split_at_mut(x.bytes());
        head.copy_from_slice(&x.read_bytes(OP, "xs")?);
        rest = tail;
    }
    out.keep(e)
}

/// `x[a, b]` → `[b, a]`.
pub fn transpose(e: &Engine, x: Handle) -> Result<Handle> {
    let mut args = rules::TRANSPOSE.of(e);
    let (op, x) = (args.op, args.take(x)?);
    let [a, b] = args.dims(["a", "b"])?;
    if let Some(far) = args.far()? {
        let out = far.output(&[b, a])?;
        far.run(&copy::permute(&[b, a], &[1, b]), &[&x, &out])?;
        return e.keep(out);
    }
    let mut out = e.output(op, &[b, a])?;
    permute::transpose(&e.cancel(op), &x.read(op, "x")?, [a, b], out.f32())?;
    out.keep(e)
}

/// Dimension `i` of the result is dimension `axes[i]` of `x`.
pub fn permute(e: &Engine, x: Handle, axes: &[usize]) -> Result<Handle> {
    let mut args = rules::PERMUTE.of(e);
    let (op, x) = (args.op, args.take(x)?);
    let mut sorted = axes.to_vec();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..x.shape.len()) {
        let expected = format!("each of 0 … {} − 1 once", x.shape.len());
        return Err(Error::option(op, "axes", format!("{axes:?}"), expected));
    }
    let shape: Vec<_> = axes.iter().map(|&axis| x.shape[axis]).collect();
    if let Some(far) = args.far()? {
        if shape.len() > copy::MOST_DIMENSIONS {
            let expected = format!("at most {} dimensions on a GPU", copy::MOST_DIMENSIONS);
            return Err(Error::shape(op, "x", &x.shape, expected));
        }
        let strides: Vec<_> = axes.iter().map(|&axis| x.shape[axis + 1..].iter().product()).collect();
        let out = far.output(&shape)?;
        far.run(&copy::permute(&shape, &strides), &[&x, &out])?;
        return e.keep(out);
    }
    let mut out = e.output(op, &shape)?;
    permute::permute(&e.cancel(op), &x.read(op, "x")?, &x.shape, axes, out.f32())?;
    out.keep(e)
}

fn first_dimension(op: &'static str, x: &Tensor) -> Result<(usize, usize)> {
    match x.shape.split_first() {
        Some((&rows, rest)) => Ok((rows, rest.iter().product::<usize>() * x.dtype.size())),
        None => Err(Error::shape(op, "x", &x.shape, "at least one dimension")),
    }
}

fn rows_like(e: &Engine, op: &'static str, x: &Tensor, rows: usize) -> Result<Fresh> {
    let mut shape = x.shape.clone();
    shape[0] = rows;
    e.allocate(op, &shape, x.dtype, (Category::Activations, op), Fill::Any)
}

/// Bytes of a word: what kernels on a GPU copy.
const WORD: usize = 4;

/// The words of rows on a GPU.
fn words(op: &'static str, x: &Tensor, row_bytes: usize) -> Result<usize> {
    if row_bytes.is_multiple_of(WORD) {
        return Ok(row_bytes / WORD);
    }
    Err(Error::shape(op, "x", &x.shape, format!("rows of whole words of {WORD} bytes on a GPU, of {}", x.dtype)))
}

fn far_rows_like(far: &Far<'_>, op: &'static str, x: &Tensor, rows: usize) -> Result<Tensor> {
    let mut shape = x.shape.clone();
    shape[0] = rows;
    far.allocate(&shape, x.dtype, (Category::Activations, op))
}
