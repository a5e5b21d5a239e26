//! Codes from weights, and from what flows into them.

use crate::cpu::pool;
use crate::cpu::quantize::grid::{Grid, Search, Symmetry};
use crate::cpu::quantize::{Codes, Layout, clip, gptq, hqq, magr, rtn};
use crate::device::Device;
use crate::dtype::DType;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
use crate::format::int;
use crate::memory::Category;
use crate::tensor::Tensor;

/// The grids of a weight's groups.
#[derive(Debug, Clone, Copy)]
pub struct GridOptions {
    /// Bits of a code.
    pub bits: usize,
    /// Columns that share a scale, 0 for the whole row.
    pub group: usize,
    /// Where a grid lies.
    pub symmetry: Symmetry,
    /// How its scale is chosen.
    pub search: Search,
}

impl GridOptions {
    /// From the smallest weight to the largest.
    pub const fn covering(bits: usize, group: usize) -> Self {
        GridOptions { bits, group, symmetry: Symmetry::Asymmetric, search: Search::MinMax }
    }

    fn grid(self, op: &'static str) -> Result<Grid> {
        int::check_bits(op, self.bits)?;
        Ok(Grid { bits: self.bits, symmetry: self.symmetry, search: self.search })
    }
}

/// Codes, scales and zero points.
#[derive(Debug, Clone, Copy)]
pub struct IntegerCodes {
    /// u8 `[rows, bytes of a row]`.
    pub codes: Handle,
    /// f32 `[rows, groups]`.
    pub scales: Handle,
    /// f32 `[rows, groups]`.
    pub zero_points: Handle,
}

/// `w[rows, columns]` → codes of the nearest levels (ties to even), a scale and a zero point for each group.
pub fn quantize_integer(e: &Engine, w: Handle, options: GridOptions) -> Result<IntegerCodes> {
    const OP: &str = "quantizeInteger";
    let (w, layout) = weight(e, OP, w, options.group)?;
    let grid = options.grid(OP)?;
    let codes = rtn::quantize(&e.cancel(OP), &w.read(OP, "w")?, layout, grid)?;
    store(e, OP, layout, options.bits, &codes)
}

/// Options of [`quantize_hqq`].
#[derive(Debug, Clone, Copy)]
pub struct HqqOptions {
    /// Columns that share a scale, 0 for the whole row.
    pub group: usize,
    /// Bits of a code.
    pub bits: usize,
    /// The norm, 0 < p ≤ 1.
    pub p: f64,
    /// Times that the zero point is improved.
    pub iterations: usize,
}

/// `w[rows, columns]` → codes with zero points that are not whole, by half-quadratic quantization.
pub fn quantize_hqq(e: &Engine, w: Handle, options: HqqOptions) -> Result<IntegerCodes> {
    const OP: &str = "quantizeHqq";
    let HqqOptions { group, bits, p, iterations } = options;
    let (w, layout) = weight(e, OP, w, group)?;
    int::check_bits(OP, bits)?;
    if !(p > 0.0 && p <= 1.0) {
        return Err(Error::option(OP, "p", p, "more than 0, at most 1"));
    }
    check_iterations(OP, iterations)?;
    let options = hqq::Options { bits, p: p as f32, iterations };
    let codes = hqq::quantize(&e.cancel(OP), &w.read(OP, "w")?, layout, options)?;
    store(e, OP, layout, bits, &codes)
}

/// What GPTQ needs to know of a Gram matrix.
#[derive(Debug, Clone, Copy)]
pub struct GptqFactor {
    /// f32 `[columns, columns]`: `UᵀU = (H + λI)⁻¹`, upper triangular, in processing order.
    pub upper: Handle,
    /// i32 `[columns]`: the column that each step processes.
    pub order: Handle,
    /// λ over the mean of H's diagonal: what was asked for, or twice, four times … that until H + λI was positive
    /// definite.
    pub damping: f64,
}

/// `gram[columns, columns]` → its [`GptqFactor`]. Columns that are always 0 get a 1 on the diagonal.
pub fn gptq_factor(e: &Engine, gram: Handle, damping: f64, act_order: bool) -> Result<GptqFactor> {
    const OP: &str = "gptqFactor";
    const MOST: f64 = 1.0;
    let gram = e.tensor(OP, "gram", gram)?;
    let [n, columns] = gram.dims(OP, "gram", ["columns", "columns"])?;
    gram.expect_shape(OP, "gram", &[n, n])?;
    if !(damping > 0.0 && damping <= MOST) {
        return Err(Error::option(OP, "damping", damping, "more than 0, at most 1"));
    }
    let gram = gram.read::<f32>(OP, "gram")?;
    if gram.iter().any(|value| !value.is_finite()) {
        let what = "the Gram matrix of the inputs is not finite".into();
        return Err(Error::Numerics { op: OP, what, advice: "Check the model's activations.".into() });
    }
    let alive = |column: usize| gram[column * n + column] > 0.0;
    let diagonal = |column: usize| if alive(column) { gram[column * n + column] } else { 1.0 };
    let mut order: Vec<i32> = (0..n as i32).collect();
    if act_order {
        order.sort_by(|&a, &b| diagonal(b as usize).total_cmp(&diagonal(a as usize)));
    }
    let mut upper = e.allocate(OP, &[n, n], DType::F32, (Category::Workspace, OP), crate::cpu::buffer::Fill::Any)?;
    let _workspace = e.charge(OP, Device::Cpu, Category::Workspace, OP, 3 * n * n * size_of::<f64>())?;
    let cancel = e.cancel(OP);
    let permuted = upper.f32();
    pool::rows(&cancel, permuted, columns, |first, out| {
        for (step, out) in out.chunks_exact_mut(columns.max(1)).enumerate() {
            let row = order[first + step] as usize;
            for (out, &column) in out.iter_mut().zip(&order) {
                let column = column as usize;
                *out = if row == column { diagonal(row) } else { gram[row * n + column] };
            }
        }
    })?;
    let mean = (0..n).map(|column| f64::from(diagonal(column))).sum::<f64>() / n.max(1) as f64;
    let mut share = damping;
    let factor = loop {
        cancel.check()?;
        if let Some(factor) = nibble_linalg::inverse_factor(permuted, n, share * mean) {
            break factor;
        }
        share *= 2.0;
        if share > MOST {
            let what = format!("the Gram matrix is not positive definite, even with damping {}", share / 2.0);
            return Err(Error::Numerics { op: OP, what, advice: "Give more or longer calibration text.".into() });
        }
    };
    permuted.copy_from_slice(&factor);
    let order = e.store(OP, &[n], Category::Workspace, &order)?;
    Ok(GptqFactor { upper: upper.keep(e)?, order: order.keep(e)?, damping: share })
}

/// Options of [`quantize_gptq`].
#[derive(Debug, Clone, Copy)]
pub struct GptqOptions {
    /// The grids.
    pub grid: GridOptions,
    /// Fit the grids of all groups before the first column is fixed.
    pub static_groups: bool,
    /// Columns between two updates of all that follow.
    pub block: usize,
}

/// `w[rows, columns]`, `gram[columns, columns]` and its factor → codes.
pub fn quantize_gptq(
    e: &Engine,
    w: Handle,
    gram: Handle,
    upper: Handle,
    order: Handle,
    options: GptqOptions,
) -> Result<IntegerCodes> {
    const OP: &str = "quantizeGptq";
    let (w, layout) = weight(e, OP, w, options.grid.group)?;
    let n = layout.columns;
    let gram = gram_of(e, OP, gram, n)?;
    let (upper, order) = (e.tensor(OP, "upper", upper)?, e.tensor(OP, "order", order)?);
    upper.expect_shape(OP, "upper", &[n, n])?;
    order.expect_shape(OP, "order", &[n])?;
    let grid = options.grid.grid(OP)?;
    if options.block == 0 {
        return Err(Error::option(OP, "block", 0, "at least 1"));
    }
    let (gram, upper) = (gram.read::<f32>(OP, "gram")?, upper.read::<f32>(OP, "upper")?);
    let order = order.read::<i32>(OP, "order")?;
    check_order(OP, &order, !options.static_groups && layout.groups() > 1)?;
    let dead: Vec<bool> = (0..n).map(|column| gram[column * n + column] <= 0.0).collect();
    let _workspace = e.charge(OP, Device::Cpu, Category::Workspace, OP, layout.rows * n * 5)?;
    let factor = gptq::Factor { upper: &upper, order: &order, dead: &dead };
    let settings = gptq::Options { grid, static_grids: options.static_groups, block: options.block };
    let (w, cancel) = (w.read::<f32>(OP, "w")?, e.cancel(OP));
    let w: &[f32] = &w;
    // On the pool as a whole: its many small products then start without handing over.
    let codes = pool::run(|| gptq::quantize(&cancel, w, layout, factor, settings))?;
    store(e, OP, layout, grid.bits, &codes)
}

fn check_order(op: &'static str, order: &[i32], identity: bool) -> Result<()> {
    let mut seen = vec![false; order.len()];
    for (step, &column) in order.iter().enumerate() {
        let fresh = usize::try_from(column).ok().and_then(|column| seen.get_mut(column)).filter(|seen| !**seen);
        let Some(seen) = fresh else {
            return Err(Error::option(op, "order", format!("{column} at {step}"), "each column once"));
        };
        *seen = true;
        if identity && column as usize != step {
            let what = "columns out of order with groups that are fitted on the way";
            return Err(Error::option(op, "order", what, "staticGroups, one group a row, or columns in order"));
        }
    }
    Ok(())
}

/// Options of [`reduce_magnitude`].
#[derive(Debug, Clone, Copy)]
pub struct MagrOptions {
    /// Columns whose largest magnitude is penalized together, 0 for the whole row.
    pub group: usize,
    /// The penalty, in the weight's own unit.
    pub alpha: f64,
    /// Steps of proximal gradient descent.
    pub iterations: usize,
}

/// MagR: `w[rows, columns]`, `gram[columns, columns]` → weights of smaller magnitude with nearly the same outputs.
pub fn reduce_magnitude(e: &Engine, w: Handle, gram: Handle, options: MagrOptions) -> Result<Handle> {
    const OP: &str = "reduceMagnitude";
    let (w, layout) = weight(e, OP, w, options.group)?;
    let gram = gram_of(e, OP, gram, layout.columns)?;
    let MagrOptions { alpha, iterations, .. } = options;
    if !(alpha >= 0.0 && alpha.is_finite()) {
        return Err(Error::option(OP, "alpha", alpha, "a finite number that is not negative"));
    }
    check_iterations(OP, iterations)?;
    let cancel = e.cancel(OP);
    let (w, gram) = (w.read::<f32>(OP, "w")?, gram.read::<f32>(OP, "gram")?);
    let (w, gram): (&[f32], &[f32]) = (&w, &gram);
    let _workspace = e.charge(OP, Device::Cpu, Category::Workspace, OP, w.len() * 8)?;
    let reduced = pool::run(|| {
        let lambda = magr::largest_eigenvalue(&cancel, gram, layout.columns)?;
        if lambda <= 0.0 {
            return Ok(w.to_vec());
        }
        magr::reduce(&cancel, w, layout, gram, lambda, alpha as f32, iterations)
    })?;
    e.store(OP, &[layout.rows, layout.columns], Category::Workspace, &reduced)?.keep(e)
}

/// AWQ's clip search: `w[rows, columns]`, `gram[columns, columns]` → the weight with each group clamped.
pub fn clip_weights(e: &Engine, w: Handle, gram: Handle, options: GridOptions) -> Result<Handle> {
    const OP: &str = "clipWeights";
    let (w, layout) = weight(e, OP, w, options.group)?;
    let gram = gram_of(e, OP, gram, layout.columns)?;
    let grid = options.grid(OP)?;
    let w = w.read::<f32>(OP, "w")?;
    let _workspace = e.charge(OP, Device::Cpu, Category::Workspace, OP, w.len() * 12)?;
    let (gram, cancel) = (gram.read::<f32>(OP, "gram")?, e.cancel(OP));
    let (w, gram): (&[f32], &[f32]) = (&w, &gram);
    let clipped = pool::run(|| clip::clip(&cancel, w, layout, gram, grid))?;
    e.store(OP, &[layout.rows, layout.columns], Category::Workspace, &clipped)?.keep(e)
}

/// `w[rows, columns]`, `factors[columns]` → `w·diag(factors)`
pub fn scale_columns(e: &Engine, w: Handle, factors: Handle) -> Result<Handle> {
    const OP: &str = "scaleColumns";
    let (w, factors) = (e.tensor(OP, "w", w)?, e.tensor(OP, "factors", factors)?);
    let [rows, columns] = w.dims(OP, "w", ["rows", "columns"])?;
    factors.expect_shape(OP, "factors", &[columns])?;
    let mut out = e.output(OP, &[rows, columns])?;
    let (w, factors) = (w.read::<f32>(OP, "w")?, factors.read::<f32>(OP, "factors")?);
    let (w, factors): (&[f32], &[f32]) = (&w, &factors);
    pool::rows(&e.cancel(OP), out.f32(), columns, |first, out| {
        let rows = w[first * columns..].chunks_exact(columns.max(1));
        for (out, w) in out.chunks_exact_mut(columns.max(1)).zip(rows) {
            for ((out, w), factor) in out.iter_mut().zip(w).zip(factors) {
                *out = w * factor;
            }
        }
    })?;
    out.keep(e)
}

fn check_iterations(op: &'static str, iterations: usize) -> Result<()> {
    const MOST: usize = 10_000;
    if iterations > MOST {
        return Err(Error::option(op, "iterations", iterations, format!("0 … {MOST}")));
    }
    Ok(())
}

fn weight(e: &Engine, op: &'static str, w: Handle, group: usize) -> Result<(Tensor, Layout)> {
    let w = e.tensor(op, "w", w)?;
    w.expect(op, "w", DType::F32)?;
    let [rows, columns] = w.dims(op, "w", ["rows", "columns"])?;
    Ok((w, Layout { rows, columns, group }))
}

fn gram_of(e: &Engine, op: &'static str, gram: Handle, columns: usize) -> Result<Tensor> {
    let gram = e.tensor(op, "gram", gram)?;
    gram.expect(op, "gram", DType::F32)?;
    gram.expect_shape(op, "gram", &[columns, columns])?;
    Ok(gram)
}

fn store(e: &Engine, op: &'static str, layout: Layout, bits: usize, made: &Codes) -> Result<IntegerCodes> {
    let Layout { rows, columns, .. } = layout;
    let groups = layout.groups();
    let codes = e.store(op, &[rows, int::row_bytes(columns, bits)], Category::Weights, &made.codes)?;
    let scales = e.store(op, &[rows, groups], Category::Scales, &made.scales)?;
    let zero_points = e.store(op, &[rows, groups], Category::Scales, &made.zero_points)?;
    Ok(IntegerCodes { codes: codes.keep(e)?, scales: scales.keep(e)?, zero_points: zero_points.keep(e)? })
}
