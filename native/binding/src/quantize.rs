//! Codes from weights, and from what flows into them.

use napi::bindgen_prelude::AsyncTask;
use napi_derive::napi;
use nibble_engine::cpu::quantize::grid::{Search, Symmetry};
use nibble_engine::ops::quantize as ops;
use nibble_engine::{Engine, Error};

use crate::convert::{count, count_or};
use crate::error::{OrThrow, Result};
use crate::job::{Job, Value};
use crate::tensor::Handle;

/// The grids of a weight's groups.
#[napi(object)]
pub struct GridOptions {
    /// Bits of a code.
    pub bits: f64,
    /// Columns that share a scale, 0 for the whole row.
    pub group: f64,
    /// "asymmetric" (default): the range includes 0, the zero point is whole; "symmetric": all levels over ±max|w|, zero
    /// point `2^(bits−1)`; "restricted": one level less, evenly around 0.
    #[napi(ts_type = "\"asymmetric\" | \"symmetric\" | \"restricted\"")]
    pub symmetry: Option<String>,
    /// "minmax" (default): the range is covered; "mse": the share of it of least squared error.
    #[napi(ts_type = "\"minmax\" | \"mse\"")]
    pub search: Option<String>,
}

impl GridOptions {
    pub(crate) fn convert(&self, op: &'static str) -> nibble_engine::Result<ops::GridOptions> {
        Ok(ops::GridOptions {
            bits: count(op, "bits", self.bits)?,
            group: count(op, "group", self.group)?,
            symmetry: named(
                op,
                "symmetry",
                self.symmetry.as_deref().unwrap_or("asymmetric"),
                &[
                    ("asymmetric", Symmetry::Asymmetric),
                    ("symmetric", Symmetry::Symmetric),
                    ("restricted", Symmetry::Restricted),
                ],
            )?,
            search: named(
                op,
                "search",
                self.search.as_deref().unwrap_or("minmax"),
                &[("minmax", Search::MinMax), ("mse", Search::Mse)],
            )?,
        })
    }
}

fn named<T: Copy>(op: &'static str, name: &'static str, value: &str, table: &[(&str, T)]) -> nibble_engine::Result<T> {
    table.iter().find(|(known, _)| *known == value).map(|&(_, found)| found).ok_or_else(|| {
        let known: Vec<_> = table.iter().map(|(known, _)| format!("\"{known}\"")).collect();
        Error::option(op, name, format!("\"{value}\""), format!("one of {}", known.join(", ")))
    })
}

/// What makes integer codes returns.
#[napi(object)]
pub struct IntegerCodes {
    /// u8 `[rows, bytes of a row]`, "weights".
    pub codes: Handle,
    /// f32 `[rows, groups]`, "scales".
    pub scales: Handle,
    /// f32 `[rows, groups]`, "scales".
    pub zero_points: Handle,
}

impl From<ops::IntegerCodes> for IntegerCodes {
    fn from(made: ops::IntegerCodes) -> Self {
        IntegerCodes { codes: made.codes, scales: made.scales, zero_points: made.zero_points }
    }
}

/// `w[rows, columns]` → nearest levels of a grid for each group, ties to even.
#[napi(catch_unwind)]
pub fn quantize_integer(w: Handle, options: GridOptions) -> Result<IntegerCodes> {
    let options = options.convert("quantizeInteger").or_throw()?;
    ops::quantize_integer(Engine::process(), w, options).or_throw().map(IntegerCodes::from)
}

/// Options of `quantizeHqq`.
#[napi(object)]
pub struct HqqOptions {
    /// Bits of a code.
    pub bits: f64,
    /// Columns that share a scale, 0 for the whole row.
    pub group: f64,
    /// The norm of the error, more than 0 and at most 1.
    pub p: f64,
    /// Times that the zero point is improved.
    pub iterations: f64,
}

/// Half-quadratic quantization: zero points that are not whole.
#[napi(catch_unwind)]
pub fn quantize_hqq(w: Handle, options: HqqOptions) -> Result<IntegerCodes> {
    const OP: &str = "quantizeHqq";
    let options = ops::HqqOptions {
        bits: count(OP, "bits", options.bits).or_throw()?,
        group: count(OP, "group", options.group).or_throw()?,
        p: options.p,
        iterations: count(OP, "iterations", options.iterations).or_throw()?,
    };
    ops::quantize_hqq(Engine::process(), w, options).or_throw().map(IntegerCodes::from)
}

/// What `gptqFactor` finds.
#[napi(object)]
pub struct GptqFactor {
    /// f32 `[columns, columns]`, upper triangular: `UᵀU = (H + λI)⁻¹`, in processing order.
    pub upper: Handle,
    /// i32 `[columns]`: the column that each step processes.
    pub order: Handle,
    /// λ over the mean of the diagonal: what was asked for, or its double, four times … that until H + λI was positive
    /// definite.
    pub damping: f64,
}

/// `gram[columns, columns]` → what GPTQ needs to know of it.
#[napi(catch_unwind, ts_return_type = "Promise<GptqFactor>")]
pub fn gptq_factor(gram: Handle, damping: f64, act_order: bool, job: Option<f64>) -> Result<AsyncTask<Job>> {
    Job::start("gptqFactor", job, move || {
        let made = ops::gptq_factor(Engine::process(), gram, damping, act_order)?;
        Ok(Value::Fields(vec![("upper", made.upper), ("order", made.order), ("damping", made.damping)]))
    })
}

/// Options of `quantizeGptq`.
#[napi(object)]
pub struct GptqOptions {
    /// The grids.
    pub grid: GridOptions,
    /// Fit all grids before the first column is fixed. Default: false.
    pub static_groups: Option<bool>,
    /// Columns between two updates of all that follow. Default: 128.
    pub block: Option<f64>,
}

/// GPTQ's codes of `w[rows, columns]`; `factor` is that of `gram`.
#[napi(catch_unwind, ts_return_type = "Promise<IntegerCodes>")]
pub fn quantize_gptq(
    w: Handle,
    gram: Handle,
    factor: GptqFactor,
    options: GptqOptions,
    job: Option<f64>,
) -> Result<AsyncTask<Job>> {
    const OP: &str = "quantizeGptq";
    let options = ops::GptqOptions {
        grid: options.grid.convert(OP).or_throw()?,
        static_groups: options.static_groups.unwrap_or(false),
        block: count_or(OP, "block", options.block, 128).or_throw()?,
    };
    Job::start(OP, job, move || {
        let made = ops::quantize_gptq(Engine::process(), w, gram, factor.upper, factor.order, options)?;
        Ok(Value::Fields(vec![("codes", made.codes), ("scales", made.scales), ("zeroPoints", made.zero_points)]))
    })
}

/// Options of `reduceMagnitude`.
#[napi(object)]
pub struct MagrOptions {
    /// Columns whose largest magnitude is penalized together, 0 for the whole row.
    pub group: f64,
    /// The penalty, in the weight's own unit.
    pub alpha: f64,
    /// Steps of proximal gradient descent.
    pub iterations: f64,
}

/// MagR: weights of smaller magnitude with nearly the same outputs.
#[napi(catch_unwind, ts_return_type = "Promise<Handle>")]
pub fn reduce_magnitude(w: Handle, gram: Handle, options: MagrOptions, job: Option<f64>) -> Result<AsyncTask<Job>> {
    const OP: &str = "reduceMagnitude";
    let options = ops::MagrOptions {
        group: count(OP, "group", options.group).or_throw()?,
        alpha: options.alpha,
        iterations: count(OP, "iterations", options.iterations).or_throw()?,
    };
    Job::start(OP, job, move || Ok(Value::Handle(ops::reduce_magnitude(Engine::process(), w, gram, options)?)))
}

/// AWQ's clip search: the weight with each group clamped.
#[napi(catch_unwind, ts_return_type = "Promise<Handle>")]
pub fn clip_weights(w: Handle, gram: Handle, options: GridOptions, job: Option<f64>) -> Result<AsyncTask<Job>> {
    const OP: &str = "clipWeights";
    let options = options.convert(OP).or_throw()?;
    Job::start(OP, job, move || Ok(Value::Handle(ops::clip_weights(Engine::process(), w, gram, options)?)))
}

/// `w[rows, columns]·diag(factors[columns])`.
#[napi(catch_unwind)]
pub fn scale_columns(w: Handle, factors: Handle) -> Result<Handle> {
    ops::scale_columns(Engine::process(), w, factors).or_throw()
}
