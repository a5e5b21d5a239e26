//! Linear layers whose weight is packed, and what makes such weights.

use napi_derive::napi;
use nibble_engine::format::Format;
use nibble_engine::ops::linear as ops;
use nibble_engine::{Engine, Precision};

use crate::convert::count;
use crate::error::{OrThrow, Result};
use crate::tensor::Handle;

/// A weight `[rows, columns]` = `[out, in]` as codes.
///
/// Integers: `W = scale·(q − zeroPoint)`; codes row-major, each row padded to a byte, lowest bits first (int3: a
/// little-endian bit stream). NF4, NF3, NF2, FP4 (bitsandbytes' tables) and E2M1 (OCP's, largest level 6): `W = level[code]·scale`,
/// two codes a byte, the even element in the high nibble; blocks run over the flattened tensor, as in bitsandbytes.
#[napi(object)]
pub struct PackedWeight {
    /// How codes are stored.
    #[napi(
        ts_type = "\"int2\" | \"int3\" | \"int4\" | \"int5\" | \"int6\" | \"int8\" | \"nf4\" | \"nf3\" | \"nf2\" | \"fp4\" | \"e2m1\""
    )]
    pub format: String,
    /// Output features.
    pub rows: f64,
    /// Input features.
    pub columns: f64,
    /// Inputs that share a scale; 0 = the whole row ("per channel"). Formats with levels: elements of a block.
    pub group: f64,
    /// u8.
    pub codes: Handle,
    /// f32 `[rows, groups]` for integers, f32 `[blocks]` otherwise, u8 `[blocks]` with double quantization.
    pub scales: Handle,
    /// f32 `[rows, groups]` for integers (whole or not).
    pub zero_points: Option<Handle>,
    /// f32 `[⌈blocks / 256⌉]`, double quantization.
    pub nested_scales: Option<Handle>,
    /// What was taken off the scales before they were quantized. Default: 0.
    pub nested_offset: Option<f64>,
}

impl PackedWeight {
    fn convert(self, op: &'static str) -> Result<ops::PackedWeight> {
        Ok(ops::PackedWeight {
            format: Format::parse(op, &self.format).or_throw()?,
            rows: count(op, "rows", self.rows).or_throw()?,
            columns: count(op, "columns", self.columns).or_throw()?,
            group: count(op, "group", self.group).or_throw()?,
            codes: self.codes,
            scales: self.scales,
            zero_points: self.zero_points,
            nested_scales: self.nested_scales,
            nested_offset: self.nested_offset.unwrap_or(0.0),
        })
    }
}

/// `x[.., in]` → `[.., out] = x·Wᵀ`, decoding W while it multiplies.
#[napi(catch_unwind)]
pub fn packed_linear_forward(
    x: Handle,
    w: PackedWeight,
    #[napi(ts_arg_type = "Precision")] precision: Option<String>,
) -> Result<Handle> {
    const OP: &str = "packedLinearForward";
    let precision = Precision::parse(OP, precision.as_deref()).or_throw()?;
    ops::packed_linear_forward(Engine::process(), x, &w.convert(OP)?, precision).or_throw()
}

/// The same with x rounded to eight bits, a scale for each 32 numbers, and so the levels of formats with a table: sums
/// of integers, for generation. Rows and groups hold whole blocks of 32; there are no gradients.
#[napi(catch_unwind)]
pub fn packed_linear_forward_int8(x: Handle, w: PackedWeight) -> Result<Handle> {
    const OP: &str = "packedLinearForwardInt8";
    ops::packed_linear_forward_int8(Engine::process(), x, &w.convert(OP)?).or_throw()
}

/// `dy[.., out]` → `[.., in] = dy·W`, from the same bytes.
#[napi(catch_unwind)]
pub fn packed_linear_backward_input(
    dy: Handle,
    w: PackedWeight,
    #[napi(ts_arg_type = "Precision")] precision: Option<String>,
) -> Result<Handle> {
    const OP: &str = "packedLinearBackwardInput";
    let precision = Precision::parse(OP, precision.as_deref()).or_throw()?;
    ops::packed_linear_backward_input(Engine::process(), dy, &w.convert(OP)?, precision).or_throw()
}

/// The gradient of the scales, `[rows, groups]`, summed over tokens; dW never exists. Integer formats only.
#[napi(catch_unwind)]
pub fn packed_linear_backward_scales(
    dy: Handle,
    x: Handle,
    w: PackedWeight,
    #[napi(ts_arg_type = "Precision")] precision: Option<String>,
) -> Result<Handle> {
    const OP: &str = "packedLinearBackwardScales";
    let precision = Precision::parse(OP, precision.as_deref()).or_throw()?;
    ops::packed_linear_backward_scales(Engine::process(), dy, x, &w.convert(OP)?, precision).or_throw()
}

/// The same per channel, from the saved output (without bias): `Σ_t dy·y / scale`, shaped as `scales`.
#[napi(catch_unwind)]
pub fn packed_linear_backward_scales_from_output(dy: Handle, y: Handle, scales: Handle) -> Result<Handle> {
    ops::packed_linear_backward_scales_from_output(Engine::process(), dy, y, scales).or_throw()
}

/// The weight as f32 `[rows, columns]`, charged as "workspace".
#[napi(catch_unwind)]
pub fn dequantize(w: PackedWeight) -> Result<Handle> {
    ops::dequantize(Engine::process(), &w.convert("dequantize")?).or_throw()
}

/// Codes for grids that are given (GPTQ, HQQ, …): u8 `[rows, columns]` → packed codes.
#[napi(catch_unwind)]
pub fn pack_integers(q: Handle, bits: f64) -> Result<Handle> {
    ops::pack_integers(Engine::process(), q, count("packIntegers", "bits", bits).or_throw()?).or_throw()
}

/// Packed codes → u8 `[rows, columns]`.
#[napi(catch_unwind)]
pub fn unpack_integers(codes: Handle, rows: f64, columns: f64, bits: f64) -> Result<Handle> {
    const OP: &str = "unpackIntegers";
    let (rows, columns) = (count(OP, "rows", rows).or_throw()?, count(OP, "columns", columns).or_throw()?);
    let bits = count(OP, "bits", bits).or_throw()?;
    ops::unpack_integers(Engine::process(), codes, rows, columns, bits).or_throw()
}

/// What `quantizeBlocks` returns.
#[napi(object)]
pub struct BlockCodes {
    /// u8 `[bytes]`, "weights".
    pub codes: Handle,
    /// f32 `[blocks]`, "scales".
    pub scales: Handle,
}

/// Codes of the flattened `w` at the nearest levels, one scale for each `block` elements; the bytes of "nf4" and "fp4" equal
/// bitsandbytes'.
#[napi(catch_unwind)]
pub fn quantize_blocks(
    w: Handle,
    #[napi(ts_arg_type = "\"nf4\" | \"nf3\" | \"nf2\" | \"fp4\" | \"e2m1\"")] format: String,
    block: f64,
) -> Result<BlockCodes> {
    const OP: &str = "quantizeBlocks";
    let (format, block) = (Format::parse(OP, &format).or_throw()?, count(OP, "block", block).or_throw()?);
    let (codes, scales) = ops::quantize_blocks(Engine::process(), w, format, block).or_throw()?;
    Ok(BlockCodes { codes, scales })
}

/// What `quantizeScalesNested` returns.
#[napi(object)]
pub struct NestedScales {
    /// u8 `[n]`, "scales".
    pub codes: Handle,
    /// f32 `[⌈n / 256⌉]`, "scales".
    pub scales: Handle,
    /// The mean that was taken off.
    pub offset: f64,
}

/// bitsandbytes' double quantization: eight bits a scale, one f32 for each 256 of them.
#[napi(catch_unwind)]
pub fn quantize_scales_nested(scales: Handle) -> Result<NestedScales> {
    let (codes, scales, offset) = ops::quantize_scales_nested(Engine::process(), scales).or_throw()?;
    Ok(NestedScales { codes, scales, offset })
}
