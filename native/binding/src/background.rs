//! Asynchronous forms of operations that also exist in a synchronous one: for what takes more than about 50 ms.

use napi::bindgen_prelude::AsyncTask;
use napi_derive::napi;
use nibble_engine::Engine;
use nibble_engine::format::Format;
use nibble_engine::ops::{linalg, linear, matmul, quantize};

use crate::convert::count;
use crate::elementwise::MatmulOptions;
use crate::error::{OrThrow, Result};
use crate::job::{Job, Value};
use crate::quantize::GridOptions;
use crate::tensor::Handle;

/// `matmul` beside the caller; not `into` a tensor.
#[napi(catch_unwind, ts_return_type = "Promise<Handle>")]
pub fn matmul_async(a: Handle, b: Handle, options: Option<MatmulOptions>, job: Option<f64>) -> Result<AsyncTask<Job>> {
    let mut options = crate::elementwise::convert(options)?;
    options.into = None;
    Job::start("matmul", job, move || Ok(Value::Handle(matmul::matmul(Engine::process(), a, b, options)?)))
}

/// `gram` beside the caller; always a new tensor.
#[napi(catch_unwind, ts_return_type = "Promise<Handle>")]
pub fn gram_async(x: Handle, job: Option<f64>) -> Result<AsyncTask<Job>> {
    Job::start("gram", job, move || Ok(Value::Handle(linalg::gram(Engine::process(), x, None)?)))
}

/// `quantizeInteger` beside the caller.
#[napi(catch_unwind, ts_return_type = "Promise<IntegerCodes>")]
pub fn quantize_integer_async(w: Handle, options: GridOptions, job: Option<f64>) -> Result<AsyncTask<Job>> {
    const OP: &str = "quantizeInteger";
    let options = options.convert(OP).or_throw()?;
    Job::start(OP, job, move || {
        let made = quantize::quantize_integer(Engine::process(), w, options)?;
        let (codes, scales) = (("codes", made.codes), ("scales", made.scales));
        Ok(Value::Fields(vec![codes, scales, ("zeroPoints", made.zero_points)]))
    })
}

/// `quantizeBlocks` beside the caller.
#[napi(catch_unwind, ts_return_type = "Promise<BlockCodes>")]
pub fn quantize_blocks_async(
    w: Handle,
    #[napi(ts_arg_type = "\"nf4\" | \"nf3\" | \"nf2\" | \"fp4\" | \"e2m1\"")] format: String,
    block: f64,
    job: Option<f64>,
) -> Result<AsyncTask<Job>> {
    const OP: &str = "quantizeBlocks";
    let (format, block) = (Format::parse(OP, &format).or_throw()?, count(OP, "block", block).or_throw()?);
    Job::start(OP, job, move || {
        let (codes, scales) = linear::quantize_blocks(Engine::process(), w, format, block)?;
        Ok(Value::Fields(vec![("codes", codes), ("scales", scales)]))
    })
}
