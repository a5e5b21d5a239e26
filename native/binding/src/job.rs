//! Asynchronous work: the one task type, which keeps panics from reaching Node.

use std::panic::{AssertUnwindSafe, catch_unwind};

use napi::bindgen_prelude::Uint8Array;
use napi::{Env, Task};
use nibble_engine::{Error, Result};

/// Work for Node's thread pool whose result is bytes.
pub struct BytesJob {
    op: &'static str,
    work: Option<Box<dyn FnOnce() -> Result<Vec<u8>> + Send>>,
}

impl BytesJob {
    /// Work on behalf of `op`.
    pub(crate) fn new(op: &'static str, work: impl FnOnce() -> Result<Vec<u8>> + Send + 'static) -> Self {
        BytesJob { op, work: Some(Box::new(work)) }
    }
}

#[napi_derive::napi]
impl Task for BytesJob {
    type Output = Result<Vec<u8>>;
    type JsValue = Uint8Array;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        let op = self.op;
        let Some(work) = self.work.take() else {
            return Ok(Err(Error::Internal { op, what: "a job ran twice".into() }));
        };
        Ok(catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|_| Err(Error::Internal { op, what: "the engine panicked".into() })))
    }

    fn resolve(&mut self, env: Env, output: Self::Output) -> napi::Result<Uint8Array> {
        match output {
            Ok(bytes) => Ok(Uint8Array::new(bytes)),
            Err(error) => Err(crate::error::rejection(&env, &error)?),
        }
    }
}
