//! Linear algebra, all of it beside the caller: every export returns a promise and takes the number of its job.

use napi::bindgen_prelude::AsyncTask;
use napi_derive::napi;
use nibble_engine::ops::linalg as ops;
use nibble_engine::{Engine, Error};

use crate::convert::{count, count_or};
use crate::error::{OrThrow, Result};
use crate::job::{Job, Value};
use crate::tensor::Handle;

fn arithmetic(op: &'static str, name: &str) -> Result<ops::Arithmetic> {
    match name {
        "f32" => Ok(ops::Arithmetic::F32),
        "f64" => Ok(ops::Arithmetic::F64),
        other => Err(Error::option(op, "arithmetic", format!("\"{other}\""), "\"f32\" or \"f64\"")).or_throw(),
    }
}

/// `a[n, n]`, symmetric and positive definite (only its lower triangle is read) → lower triangular `l[n, n]` with
/// `a = l·lᵀ`. Otherwise `NumericsError` names the pivot.
#[napi(catch_unwind, ts_return_type = "Promise<Handle>")]
pub fn cholesky(
    a: Handle,
    #[napi(ts_arg_type = "\"f32\" | \"f64\"")] arithmetic: String,
    job: Option<f64>,
) -> Result<AsyncTask<Job>> {
    let arithmetic = self::arithmetic("cholesky", &arithmetic)?;
    Job::start("cholesky", job, move || Ok(Value::Handle(ops::cholesky(Engine::process(), a, arithmetic)?)))
}

/// Options of `solveTriangular` and `triangularInverse`.
#[napi(object)]
pub struct TriangularOptions {
    /// Read the upper triangle instead of the lower. Default: false.
    pub upper: Option<bool>,
    /// Solve with its transpose (`solveTriangular` alone). Default: false.
    pub transpose: Option<bool>,
    /// What it is computed in; the result is f32.
    #[napi(ts_type = "\"f32\" | \"f64\"")]
    pub arithmetic: String,
}

impl TriangularOptions {
    fn convert(self, op: &'static str) -> Result<ops::TriangularOptions> {
        Ok(ops::TriangularOptions {
            upper: self.upper.unwrap_or(false),
            transpose: self.transpose.unwrap_or(false),
            arithmetic: arithmetic(op, &self.arithmetic)?,
        })
    }
}

/// Solves `t·x = b` (or `tᵀ·x = b`), `t[n, n]` triangular, `b[n, k]` → `x[n, k]`.
#[napi(catch_unwind, ts_return_type = "Promise<Handle>")]
pub fn solve_triangular(t: Handle, b: Handle, options: TriangularOptions, job: Option<f64>) -> Result<AsyncTask<Job>> {
    let options = options.convert("solveTriangular")?;
    Job::start("solveTriangular", job, move || {
        Ok(Value::Handle(ops::solve_triangular(Engine::process(), t, b, options)?))
    })
}

/// `t[n, n]`, triangular → `t⁻¹[n, n]`.
#[napi(catch_unwind, ts_return_type = "Promise<Handle>")]
pub fn triangular_inverse(t: Handle, options: TriangularOptions, job: Option<f64>) -> Result<AsyncTask<Job>> {
    let options = options.convert("triangularInverse")?;
    Job::start("triangularInverse", job, move || {
        Ok(Value::Handle(ops::triangular_inverse(Engine::process(), t, options)?))
    })
}

/// What `symmetricEigen` returns.
#[napi(object)]
pub struct EigenResult {
    /// `[n]`, rising.
    pub values: Handle,
    /// `[n, n]`: row `i` is the unit vector of value `i`; its entry of largest size is positive.
    pub vectors: Handle,
}

/// Eigenvalues and eigenvectors of `a[n, n]`, symmetric (only its lower triangle is read).
#[napi(catch_unwind, ts_return_type = "Promise<EigenResult>")]
pub fn symmetric_eigen(
    a: Handle,
    #[napi(ts_arg_type = "\"f32\" | \"f64\"")] arithmetic: String,
    job: Option<f64>,
) -> Result<AsyncTask<Job>> {
    let arithmetic = self::arithmetic("symmetricEigen", &arithmetic)?;
    Job::start("symmetricEigen", job, move || {
        let eigen = ops::symmetric_eigen(Engine::process(), a, arithmetic)?;
        Ok(Value::Fields(vec![("values", eigen.values), ("vectors", eigen.vectors)]))
    })
}

/// What `svd` and `randomizedSvd` return: `a = u·diag(s)·vt`.
#[napi(object)]
pub struct SvdResult {
    /// `[m, k]`, orthonormal columns, of each of which the entry of largest size is positive.
    pub u: Handle,
    /// Singular values, falling.
    pub s: Handle,
    /// `[k, n]`, orthonormal rows.
    pub vt: Handle,
}

fn svd_value(svd: ops::Svd) -> Value {
    Value::Fields(vec![("u", svd.u), ("s", svd.s), ("vt", svd.vt)])
}

/// The singular values of `a[m, n]` and their vectors: `min(m, n)` of each, or square matrices when `full`.
#[napi(catch_unwind, ts_return_type = "Promise<SvdResult>")]
pub fn svd(
    a: Handle,
    full: bool,
    #[napi(ts_arg_type = "\"f32\" | \"f64\"")] arithmetic: String,
    job: Option<f64>,
) -> Result<AsyncTask<Job>> {
    let arithmetic = self::arithmetic("svd", &arithmetic)?;
    Job::start("svd", job, move || Ok(svd_value(ops::svd(Engine::process(), a, full, arithmetic)?)))
}

/// What `qr` returns.
#[napi(object)]
pub struct QrResult {
    /// `[m, min(m, n)]`, orthonormal columns.
    pub q: Handle,
    /// `[min(m, n), n]`, upper triangular, its diagonal not negative.
    pub r: Handle,
}

/// `a[m, n] = q·r`.
#[napi(catch_unwind, ts_return_type = "Promise<QrResult>")]
pub fn qr(
    a: Handle,
    #[napi(ts_arg_type = "\"f32\" | \"f64\"")] arithmetic: String,
    job: Option<f64>,
) -> Result<AsyncTask<Job>> {
    let arithmetic = self::arithmetic("qr", &arithmetic)?;
    Job::start("qr", job, move || {
        let qr = ops::qr(Engine::process(), a, arithmetic)?;
        Ok(Value::Fields(vec![("q", qr.q), ("r", qr.r)]))
    })
}

/// Options of `randomizedRange` and `randomizedSvd`.
#[napi(object)]
pub struct RandomizedOptions {
    /// Directions that are wanted.
    pub rank: f64,
    /// Directions more than that to look in. Default: 8.
    pub oversample: Option<f64>,
    /// Multiplications by `a·aᵀ` that push small singular values down. Default: 2.
    pub power_iterations: Option<f64>,
    /// Of the random directions.
    pub seed: f64,
    /// Of the factorizations; products are f32.
    #[napi(ts_type = "\"f32\" | \"f64\"")]
    pub arithmetic: String,
}

impl RandomizedOptions {
    fn convert(self, op: &'static str) -> Result<ops::RandomizedOptions> {
        Ok(ops::RandomizedOptions {
            rank: count(op, "rank", self.rank).or_throw()?,
            oversample: count_or(op, "oversample", self.oversample, 8).or_throw()?,
            power_iterations: count_or(op, "powerIterations", self.power_iterations, 2).or_throw()?,
            seed: count(op, "seed", self.seed).or_throw()? as u64,
            arithmetic: arithmetic(op, &self.arithmetic)?,
        })
    }
}

/// Orthonormal columns near the span of the first singular vectors of `a[m, n]`: `[m, min(rank + oversample, m, n)]`
/// (Halko, Martinsson and Tropp 2011, algorithm 4.4).
#[napi(catch_unwind, ts_return_type = "Promise<Handle>")]
pub fn randomized_range(a: Handle, options: RandomizedOptions, job: Option<f64>) -> Result<AsyncTask<Job>> {
    let options = options.convert("randomizedRange")?;
    Job::start("randomizedRange", job, move || Ok(Value::Handle(ops::randomized_range(Engine::process(), a, options)?)))
}

/// The first `rank` singular values of `a[m, n]` and their vectors, nearly (Halko et al. 2011, algorithm 5.1).
#[napi(catch_unwind, ts_return_type = "Promise<SvdResult>")]
pub fn randomized_svd(a: Handle, options: RandomizedOptions, job: Option<f64>) -> Result<AsyncTask<Job>> {
    let options = options.convert("randomizedSvd")?;
    Job::start("randomizedSvd", job, move || Ok(svd_value(ops::randomized_svd(Engine::process(), a, options)?)))
}

/// `x[.., n]` → `xᵀ·x [n, n]`, added to `into` where that is given (and returned): at the end and at once, or not at all.
#[napi(catch_unwind)]
pub fn gram(x: Handle, into: Option<Handle>) -> Result<Handle> {
    ops::gram(Engine::process(), x, into).or_throw()
}
