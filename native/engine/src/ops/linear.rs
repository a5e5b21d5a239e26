//! Linear layers whose weight is packed: forward, both gradients, and the weight as numbers.

use super::far::{Far, expect_together};
use super::matmul::expect_f32;
use crate::cpu::gemm::{self, Gemm};
use crate::cpu::{pool, quantize};
use crate::device::Device;
use crate::dtype::DType;
use crate::engine::{Engine, Fresh, Handle};
use crate::error::{Error, Result};
use crate::format::{self, Format, Layout, PackedRef, Scales, double_quant, int};
use crate::gpu::{double_quant as decode, packed as gpu};
use crate::memory::{Category, Charge};
use crate::precision::Precision;
use crate::shape;
use crate::tensor::Tensor;

/// A weight `[rows, columns]` as codes and what gives them meaning.
#[derive(Debug, Clone, Copy)]
pub struct PackedWeight {
    /// How codes are stored.
    pub format: Format,
    /// Output features.
    pub rows: usize,
    /// Input features.
    pub columns: usize,
    /// Inputs that share a scale; 0 = the whole row. Formats with a table: elements of a block.
    pub group: usize,
    /// u8.
    pub codes: Handle,
    /// f32 `[rows, groups]` or `[blocks]`; u8 `[blocks]` when nested.
    pub scales: Handle,
    /// f32 `[rows, groups]`, integer formats.
    pub zero_points: Option<Handle>,
    /// f32, one for each 256 scales, formats with a table, double quantization.
    pub nested_scales: Option<Handle>,
    /// What was taken off the scales before they were quantized.
    pub nested_offset: f64,
}

impl PackedWeight {
    /// Runs `f` on the weight's slices once their lengths are checked.
    fn with<R>(&self, e: &Engine, op: &'static str, f: impl FnOnce(&PackedRef<'_>) -> Result<R>) -> Result<R> {
        shape::elements(op, &[self.rows, self.columns])?;
        let of = |name, handle: Option<Handle>| handle.map(|handle| e.tensor(op, name, handle)).transpose();
        let (codes, scales) = (e.tensor(op, "codes", self.codes)?, e.tensor(op, "scales", self.scales)?);
        let (zeros, nested) = (of("zeroPoints", self.zero_points)?, of("nestedScales", self.nested_scales)?);
        let zeros = zeros.as_ref().map(|t| t.read::<f32>(op, "zeroPoints")).transpose()?;
        let nested = nested.as_ref().map(|t| t.read::<f32>(op, "nestedScales")).transpose()?;
        let codes = codes.read::<u8>(op, "codes")?;
        let offset = self.nested_offset as f32;
        let run = |scales| {
            let weight = PackedRef {
                format: self.format,
                rows: self.rows,
                columns: self.columns,
                group: self.group,
                codes: &codes,
                scales,
                zero_points: zeros.as_deref().unwrap_or(&[]),
            };
            weight.check(op)?;
            f(&weight)
        };
        match &nested {
            Some(nested) => run(Scales::Nested { codes: &scales.read::<u8>(op, "scales")?, scales: nested, offset }),
            None => run(Scales::Plain(&scales.read::<f32>(op, "scales")?)),
        }
    }

    /// Its tensors and `x` on a GPU, once their lengths are checked; none on the processor.
    fn far<'a>(&self, e: &'a Engine, op: &'static str, (name, x): (&str, &Tensor)) -> Result<Option<(Far<'a>, Codes)>> {
        let of = |name, handle: Option<Handle>| handle.map(|handle| e.tensor(op, name, handle)).transpose();
        let (codes, scales) = (e.tensor(op, "codes", self.codes)?, e.tensor(op, "scales", self.scales)?);
        let (zeros, nested) = (of("zeroPoints", self.zero_points)?, of("nestedScales", self.nested_scales)?);
        let places = [(name, Some(x)), ("codes", Some(&codes)), ("scales", Some(&scales))];
        let optional = [("zeroPoints", zeros.as_ref()), ("nestedScales", nested.as_ref())];
        let Some(far) = Far::of(e, op, &[&places[..], &optional].concat())? else { return Ok(None) };
        codes.expect(op, "codes", DType::U8)?;
        let scales = match nested {
            Some(_) if self.format.is_integer() => {
                return Err(Error::option(op, "nestedScales", "given for an integer format", "plain f32 scales"));
            }
            Some(nested) => decode_scales(&far, op, (&scales, &nested), self.nested_offset as f32)?,
            None => scales,
        };
        scales.expect(op, "scales", DType::F32)?;
        if let Some(zeros) = &zeros {
            zeros.expect(op, "zeroPoints", DType::F32)?;
        }
        expect_counted(op, self.layout())?;
        let lengths = [codes.elements(), scales.elements(), zeros.as_ref().map_or(0, Tensor::elements)];
        self.layout().check(op, lengths)?;
        let zeros = zeros.unwrap_or_else(|| scales.clone());
        Ok(Some((far, Codes { codes, scales, zeros })))
    }

    fn layout(&self) -> Layout {
        Layout { format: self.format, rows: self.rows, columns: self.columns, group: self.group }
    }

    fn expect_integer(&self, op: &'static str) -> Result<()> {
        if self.format.is_integer() {
            return Ok(());
        }
        Err(Error::Unsupported {
            op,
            what: format!("the scales of {} have no gradient here", self.format.name()),
            advice: "Take an integer format".into(),
        })
    }
}

/// A packed weight's tensors on a GPU.
struct Codes {
    codes: Tensor,
    scales: Tensor,
    /// Scales again in formats without zero points.
    zeros: Tensor,
}

/// The most features of a packed weight on a GPU, for the reason of [`crate::gpu::matmul::LONGEST`].
const MOST_FEATURES: usize = 65_535;

/// Errs for a weight whose bits cannot be counted by 32 of them, as kernels do.
fn expect_counted(op: &'static str, Layout { format, rows, columns, .. }: Layout) -> Result<()> {
    let bits = (rows as u64).saturating_mul(columns as u64).saturating_mul(format.bits() as u64);
    if u32::try_from(bits).is_ok() && rows.max(columns) <= MOST_FEATURES {
        return Ok(());
    }
    let what =
        format!("a weight [{rows}, {columns}] of {} bits each is more than a GPU's kernels count", format.bits());
    Err(Error::Unsupported { op, what, advice: "Compute on \"cpu\"".into() })
}

/// Scales that were quantized in their turn, as numbers for the time of an operation.
fn decode_scales(far: &Far<'_>, op: &'static str, (codes, nested): (&Tensor, &Tensor), offset: f32) -> Result<Tensor> {
    codes.expect(op, "scales", DType::U8)?;
    nested.expect(op, "nestedScales", DType::F32)?;
    let count = codes.elements();
    if nested.elements() != count.div_ceil(double_quant::BLOCK) {
        let expected =
            format!("[{}], one for each {} scales", count.div_ceil(double_quant::BLOCK), double_quant::BLOCK);
        return Err(Error::shape(op, "nestedScales", &nested.shape, expected));
    }
    let map = double_quant::dynamic_map();
    let map = far.upload(&[map.len()], DType::F32, bytemuck::cast_slice(map))?;
    let scales = far.workspace(&[count])?;
    far.run(&decode::decode(count, offset), &[codes, nested, &map, &scales])?;
    Ok(scales)
}

/// `x[.., in]` · `w[out, in]` packed → `[.., out] = x·wᵀ`
pub fn packed_linear_forward(e: &Engine, x: Handle, w: &PackedWeight, precision: Precision) -> Result<Handle> {
    const OP: &str = "packedLinearForward";
    let x = e.tensor(OP, "x", x)?;
    let tokens = tokens(OP, "x", &x, w.columns)?;
    if let Some((far, Codes { codes, scales, zeros })) = w.far(e, OP, ("x", &x))? {
        expect_f32(OP, precision)?;
        let y = far.output(&shape::with_last(&x.shape, w.rows))?;
        far.run(&gpu::forward(tokens, w.layout()), &[&codes, &zeros, &scales, &x, &y])?;
        return e.keep(y);
    }
    w.with(e, OP, |w| {
        let _panels = charge_panels(e, OP, tokens, w.columns)?;
        let mut y = e.output(OP, &shape::with_last(&x.shape, w.rows))?;
        Gemm::new(precision)?.packed_forward(tokens, &x.read(OP, "x")?, w, y.f32(), &e.cancel(OP))?;
        y.keep(e)
    })
}

/// [`packed_linear_forward`] with `x` rounded to eight bits, [`gemm::INT8_BLOCK`] numbers to a scale; no gradients.
pub fn packed_linear_forward_int8(e: &Engine, x: Handle, w: &PackedWeight) -> Result<Handle> {
    const OP: &str = "packedLinearForwardInt8";
    let unsupported = |what: String, advice: &str| Err(Error::Unsupported { op: OP, what, advice: advice.into() });
    let x = e.tensor(OP, "x", x)?;
    let tokens = tokens(OP, "x", &x, w.columns)?;
    if w.far(e, OP, ("x", &x))?.is_some() {
        return unsupported(
            "activations of eight bits are for the processor".into(),
            "Take float activations on a GPU",
        );
    }
    if !gemm::fits_int8(w.format, w.columns, w.group) {
        let PackedWeight { columns, group, .. } = w;
        let what = format!(
            "rows of {columns} weights with a scale for {group} are not made of blocks of {}",
            gemm::INT8_BLOCK
        );
        return unsupported(what, "Take float activations, or groups of a multiple of 32 that divides the rows");
    }
    w.with(e, OP, |w| {
        let mut y = e.output(OP, &shape::with_last(&x.shape, w.rows))?;
        Gemm::new(Precision::F32)?.packed_forward_int8(tokens, &x.read(OP, "x")?, w, y.f32(), &e.cancel(OP))?;
        y.keep(e)
    })
}

/// `dy[.., out]` · `w[out, in]` packed → `[.., in] = dy·w`
pub fn packed_linear_backward_input(e: &Engine, dy: Handle, w: &PackedWeight, precision: Precision) -> Result<Handle> {
    const OP: &str = "packedLinearBackwardInput";
    let dy = e.tensor(OP, "dy", dy)?;
    let tokens = tokens(OP, "dy", &dy, w.rows)?;
    if let Some((far, Codes { codes, scales, zeros })) = w.far(e, OP, ("dy", &dy))? {
        expect_f32(OP, precision)?;
        let dx = far.gradient(&shape::with_last(&dy.shape, w.columns))?;
        far.run(&gpu::backward_input(tokens, w.layout()), &[&codes, &zeros, &scales, &dy, &dx])?;
        return e.keep(dx);
    }
    w.with(e, OP, |w| {
        let _panels = charge_panels(e, OP, tokens, w.rows)?;
        let mut dx = e.gradient(OP, &shape::with_last(&dy.shape, w.columns))?;
        Gemm::new(precision)?.packed_backward_input(tokens, &dy.read(OP, "dy")?, w, dx.f32(), &e.cancel(OP))?;
        dx.keep(e)
    })
}

/// `dy[.., out]`, `x[.., in]` → `[rows, groups]`: `Σ_t dy·Σ_{k in the group} x·(q − zeroPoint)`; integer formats
pub fn packed_linear_backward_scales(
    e: &Engine,
    dy: Handle,
    x: Handle,
    w: &PackedWeight,
    precision: Precision,
) -> Result<Handle> {
    const OP: &str = "packedLinearBackwardScales";
    let (dy, x) = (e.tensor(OP, "dy", dy)?, e.tensor(OP, "x", x)?);
    w.expect_integer(OP)?;
    let tokens = tokens(OP, "x", &x, w.columns)?;
    if self::tokens(OP, "dy", &dy, w.rows)? != tokens {
        return Err(Error::shape(OP, "dy", &dy.shape, format!("{tokens} rows, as x")));
    }
    if let Some((far, Codes { codes, zeros, .. })) = w.far(e, OP, ("x", &x))? {
        expect_together(OP, ("x", x.storage.device()), ("dy", dy.storage.device()))?;
        expect_f32(OP, precision)?;
        let ds = far.gradient(&[w.rows, int::groups(w.columns, w.group)])?;
        far.run(&gpu::backward_scales(tokens, w.layout()), &[&codes, &zeros, &dy, &x, &ds])?;
        return e.keep(ds);
    }
    w.with(e, OP, |w| {
        let _panels = charge_panels(e, OP, tokens, w.columns)?;
        let mut ds = e.gradient(OP, &[w.rows, w.groups()])?;
        let (dy, x) = (dy.read::<f32>(OP, "dy")?, x.read::<f32>(OP, "x")?);
        Gemm::new(precision)?.packed_backward_scales(tokens, &dy, &x, w, ds.f32(), &e.cancel(OP))?;
        ds.keep(e)
    })
}

/// Per channel: `dy[.., out]`, `y[.., out]` (no bias in it), `scales[out, 1]` → `Σ_t dy·y / scale`, shaped as `scales`. A scale
/// of 0 is an error; on a GPU, where looking for one would mean waiting, its gradient is NaN.
pub fn packed_linear_backward_scales_from_output(e: &Engine, dy: Handle, y: Handle, scales: Handle) -> Result<Handle> {
    const OP: &str = "packedLinearBackwardScalesFromOutput";
    let (dy, y) = (e.tensor(OP, "dy", dy)?, e.tensor(OP, "y", y)?);
    let scales = e.tensor(OP, "scales", scales)?;
    let n = scales.elements();
    let tokens = tokens(OP, "dy", &dy, n)?;
    y.expect(OP, "y", DType::F32)?;
    y.expect_shape(OP, "y", &dy.shape)?;
    if let Some(far) = Far::of(e, OP, &[("dy", Some(&dy)), ("y", Some(&y)), ("scales", Some(&scales))])? {
        scales.expect(OP, "scales", DType::F32)?;
        let ds = far.gradient(&scales.shape)?;
        far.run(&gpu::backward_scales_from_output(tokens, n), &[&dy, &y, &scales, &ds])?;
        return e.keep(ds);
    }
    let mut ds = e.gradient(OP, &scales.shape)?;
    let (dy, y) = (dy.read::<f32>(OP, "dy")?, y.read::<f32>(OP, "y")?);
    let scales = scales.read::<f32>(OP, "scales")?;
    if let Some(at) = scales.iter().position(|&scale| scale == 0.0) {
        let what = format!("scale {at} is 0, and the gradient divides by it");
        return Err(Error::Numerics { op: OP, what, advice: "Use packedLinearBackwardScales".into() });
    }
    e.cancel(OP).check()?;
    gemm::packed_backward_scales_from_output(&dy, &y, &scales, ds.f32());
    ds.keep(e)
}

/// The weight as f32 `[rows, columns]`, charged as workspace.
pub fn dequantize(e: &Engine, w: &PackedWeight) -> Result<Handle> {
    const OP: &str = "dequantize";
    let codes = e.tensor(OP, "codes", w.codes)?;
    if let Some((far, Codes { codes, scales, zeros })) = w.far(e, OP, ("codes", &codes))? {
        shape::elements(OP, &[w.rows, w.columns])?;
        let out = far.workspace(&[w.rows, w.columns])?;
        far.run(&gpu::dequantize(w.layout()), &[&codes, &zeros, &scales, &out])?;
        return e.keep(out);
    }
    w.with(e, OP, |w| {
        let mut out = e.workspace_of(OP, &[w.rows, w.columns])?;
        e.cancel(OP).check()?;
        pool::run(|| format::dequantize(w, out.f32()));
        out.keep(e)
    })
}

/// `q[rows, columns]` u8 → packed codes `[rows, bytes of a row]`
pub fn pack_integers(e: &Engine, q: Handle, bits: usize) -> Result<Handle> {
    const OP: &str = "packIntegers";
    let q = e.tensor(OP, "q", q)?;
    let [rows, columns] = q.dims(OP, "q", ["rows", "columns"])?;
    let codes = format::pack_integers(OP, &q.read::<u8>(OP, "q")?, [rows, columns], bits)?;
    e.store(OP, &[rows, format::int::row_bytes(columns, bits)], Category::Weights, &codes)?.keep(e)
}

/// Packed codes → `[rows, columns]` u8
pub fn unpack_integers(e: &Engine, codes: Handle, rows: usize, columns: usize, bits: usize) -> Result<Handle> {
    const OP: &str = "unpackIntegers";
    let codes = e.tensor(OP, "codes", codes)?;
    shape::elements(OP, &[rows, columns])?;
    let q = format::unpack_integers(OP, &codes.read::<u8>(OP, "codes")?, [rows, columns], bits)?;
    e.store(OP, &[rows, columns], Category::Workspace, &q)?.keep(e)
}

/// `w` → codes u8 `[bytes]` and f32 `[blocks]` of a format with a table, over the flattened tensor
pub fn quantize_blocks(e: &Engine, w: Handle, format: Format, block: usize) -> Result<(Handle, Handle)> {
    const OP: &str = "quantizeBlocks";
    let w = e.tensor(OP, "w", w)?;
    let w = w.read::<f32>(OP, "w")?;
    let (codes, scales) = quantize::blocks::quantize(&e.cancel(OP), format, &w, block)?;
    let codes = e.store(OP, &[codes.len()], Category::Weights, &codes)?;
    let scales = e.store(OP, &[scales.len()], Category::Scales, &scales)?;
    Ok((codes.keep(e)?, scales.keep(e)?))
}

/// `scales[n]` → codes u8 `[n]`, f32 `[⌈n / 256⌉]`, and the mean that was taken off
pub fn quantize_scales_nested(e: &Engine, scales: Handle) -> Result<(Handle, Handle, f64)> {
    const OP: &str = "quantizeScalesNested";
    let scales = e.tensor(OP, "scales", scales)?;
    let nested = format::quantize_scales_nested(&scales.read::<f32>(OP, "scales")?);
    let codes = e.store(OP, &[nested.codes.len()], Category::Scales, &nested.codes)?;
    let inner = e.store(OP, &[nested.scales.len()], Category::Scales, &nested.scales)?;
    Ok((codes.keep(e)?, inner.keep(e)?, f64::from(nested.offset)))
}

/// Charges what the product packs.
fn charge_panels(e: &Engine, op: &'static str, m: usize, k: usize) -> Result<Charge> {
    e.charge(op, Device::Cpu, Category::Workspace, op, gemm::workspace_bytes(m, k))
}

fn tokens(op: &'static str, name: &'static str, t: &Tensor, width: usize) -> Result<usize> {
    t.expect(op, name, DType::F32)?;
    let (rows, columns) = t.rows();
    if t.shape.is_empty() || columns != width {
        return Err(Error::shape(op, name, &t.shape, format!("[.., {width}]")));
    }
    Ok(rows)
}

impl Engine {
    /// A float tensor charged as workspace of `op`, to be written whole.
    fn workspace_of(&self, op: &'static str, shape: &[usize]) -> Result<Fresh> {
        self.allocate(op, shape, DType::F32, (Category::Workspace, op), crate::cpu::buffer::Fill::Any)
    }
}
