//! Weights rounded to an integer grid in floating point (quantization-aware training), and their codes.

use crate::cpu::fake_quant::{self as cpu, Grid};
use crate::dtype::DType;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
use crate::format::{self, int};
use crate::memory::Category;
use crate::tensor::Tensor;

/// An f32 weight with the grids that it is rounded to.
#[derive(Debug, Clone, Copy)]
pub struct GridOptions {
    /// Width of a code.
    pub bits: usize,
    /// Columns that share a scale and a zero point; 0: the row.
    pub group: usize,
}

/// Gradients of [`fake_quant_forward`].
#[derive(Debug, Clone, Copy)]
pub struct FakeQuantGradients {
    /// `[rows, columns]`
    pub w: Handle,
    /// `[rows, groups]`
    pub scales: Handle,
    /// `[rows, groups]`
    pub zero_points: Handle,
}

/// The checked arguments that every function here takes.
struct Arguments {
    w: Tensor,
    scales: Tensor,
    zero_points: Tensor,
    rows: usize,
    columns: usize,
    size: usize,
    bits: usize,
}

impl Arguments {
    fn check(
        e: &Engine,
        op: &'static str,
        [w, scales, zero_points]: [Handle; 3],
        GridOptions { bits, group }: GridOptions,
    ) -> Result<Self> {
        int::check_bits(op, bits)?;
        let w = e.tensor(op, "w", w)?;
        w.expect(op, "w", DType::F32)?;
        let [rows, columns] = w.dims(op, "w", ["rows", "columns"])?;
        let (scales, zero_points) = (e.tensor(op, "scales", scales)?, e.tensor(op, "zeroPoints", zero_points)?);
        for (name, t) in [("scales", &scales), ("zeroPoints", &zero_points)] {
            t.expect(op, name, DType::F32)?;
            t.expect_shape(op, name, &[rows, int::groups(columns, group)])?;
        }
        if let Some(at) = scales.read::<f32>(op, "scales")?.iter().position(|&s| !(s.is_finite() && s > 0.0)) {
            let what = format!("scale {at} is not a finite number above 0");
            return Err(Error::Numerics { op, what, advice: "Keep scales above 0".into() });
        }
        let size = if group == 0 { columns.max(1) } else { group };
        Ok(Arguments { w, scales, zero_points, rows, columns, size, bits })
    }

    /// Runs `f` on the weight's numbers and its grid.
    fn with<R>(&self, op: &'static str, f: impl FnOnce(&[f32], &Grid<'_>) -> Result<R>) -> Result<R> {
        let (scales, zero_points) = (self.scales.read(op, "scales")?, self.zero_points.read(op, "zeroPoints")?);
        let (columns, size) = (self.columns, self.size);
        let top = ((1u32 << self.bits) - 1) as f32;
        f(&self.w.read(op, "w")?, &Grid { scales: &scales, zero_points: &zero_points, columns, size, top })
    }
}

/// `w[rows, columns]`, `scales` and `zeroPoints[rows, groups]` → `s·(clamp(round(w/s) + z, 0, 2^bits − 1) − z)`
pub fn fake_quant_forward(e: &Engine, [w, scales, zero_points]: [Handle; 3], options: GridOptions) -> Result<Handle> {
    const OP: &str = "fakeQuantForward";
    let arguments = Arguments::check(e, OP, [w, scales, zero_points], options)?;
    let mut y = e.output(OP, &arguments.w.shape)?;
    arguments.with(OP, |w, grid| cpu::forward(&e.cancel(OP), w, grid, y.f32()))?;
    y.keep(e)
}

/// Straight-through gradients of [`fake_quant_forward`] for `dy[rows, columns]`.
pub fn fake_quant_backward(
    e: &Engine,
    dy: Handle,
    [w, scales, zero_points]: [Handle; 3],
    options: GridOptions,
) -> Result<FakeQuantGradients> {
    const OP: &str = "fakeQuantBackward";
    let arguments = Arguments::check(e, OP, [w, scales, zero_points], options)?;
    let dy = e.tensor(OP, "dy", dy)?;
    dy.expect(OP, "dy", DType::F32)?;
    dy.expect_shape(OP, "dy", &arguments.w.shape)?;
    let mut dw = e.gradient(OP, &arguments.w.shape)?;
    let (mut ds, mut dz) = (e.gradient(OP, &arguments.scales.shape)?, e.gradient(OP, &arguments.scales.shape)?);
    let (dy, cancel) = (dy.read::<f32>(OP, "dy")?, e.cancel(OP));
    arguments.with(OP, |w, grid| {
        cpu::backward_weight(&cancel, &dy, w, grid, dw.f32())?;
        cpu::backward_grid(&cancel, &dy, w, grid, ds.f32(), dz.f32())
    })?;
    Ok(FakeQuantGradients { w: dw.keep(e)?, scales: ds.keep(e)?, zero_points: dz.keep(e)? })
}

/// The packed codes of [`fake_quant_forward`]'s levels.
pub fn codes_on_grid(e: &Engine, [w, scales, zero_points]: [Handle; 3], options: GridOptions) -> Result<Handle> {
    const OP: &str = "codesOnGrid";
    let arguments = Arguments::check(e, OP, [w, scales, zero_points], options)?;
    let (rows, columns, bits) = (arguments.rows, arguments.columns, arguments.bits);
    let mut levels = vec![0u8; rows * columns];
    arguments.with(OP, |w, grid| cpu::levels(&e.cancel(OP), w, grid, &mut levels))?;
    let codes = format::pack_integers(OP, &levels, [rows, columns], bits)?;
    e.store(OP, &[rows, int::row_bytes(columns, bits)], Category::Weights, &codes)?.keep(e)
}
