//! Asynchronous work: the one task type, which keeps panics from reaching Node, and what callers see and do while it runs.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use napi::bindgen_prelude::{AsyncTask, Either3, Uint8Array};
use napi::{Env, Task};
use napi_derive::napi;
use nibble_engine::{Error, Result};

use crate::convert::count;
use crate::error::OrThrow;

/// What a job's promise resolves to.
pub enum Value {
    /// Bytes.
    Bytes(Vec<u8>),
    /// A tensor.
    Handle(f64),
    /// An object of tensors and numbers.
    Fields(Vec<(&'static str, f64)>),
}

type Work = Box<dyn FnOnce() -> Result<Value> + Send>;

/// Work for Node's thread pool.
pub struct Job {
    op: &'static str,
    work: Option<Work>,
    watched: Arc<nibble_engine::Job>,
    id: Option<u64>,
}

impl Job {
    /// Starts work on behalf of `op`; with an `id`, `jobProgress` and `jobStop` find it while it runs.
    pub(crate) fn start(
        op: &'static str,
        id: Option<f64>,
        work: impl FnOnce() -> Result<Value> + Send + 'static,
    ) -> crate::error::Result<AsyncTask<Job>> {
        let id = id.map(|id| count(op, "job", id).map(|id| id as u64)).transpose().or_throw()?;
        let watched = Arc::<nibble_engine::Job>::default();
        if let Some(id) = id {
            let mut running = running();
            if running.contains_key(&id) {
                let error = Error::option(op, "job", id, "a number that no running job has");
                return Err(error).or_throw();
            }
            running.insert(id, Arc::clone(&watched));
        }
        Ok(AsyncTask::new(Job { op, work: Some(Box::new(work)), watched, id }))
    }
}

#[napi]
impl Task for Job {
    type Output = Result<Value>;
    type JsValue = Either3<Uint8Array, f64, HashMap<String, f64>>;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        let op = self.op;
        let Some(work) = self.work.take() else {
            return Ok(Err(Error::Internal { op, what: "a job ran twice".into() }));
        };
        let watched = &self.watched;
        let result = catch_unwind(AssertUnwindSafe(|| watched.run(work)));
        if let Some(id) = self.id {
            running().remove(&id);
        }
        Ok(result.unwrap_or_else(|_| Err(Error::Internal { op, what: "the engine panicked".into() })))
    }

    fn resolve(&mut self, env: Env, output: Self::Output) -> napi::Result<Self::JsValue> {
        match output {
            Ok(Value::Bytes(bytes)) => Ok(Either3::A(Uint8Array::new(bytes))),
            Ok(Value::Handle(handle)) => Ok(Either3::B(handle)),
            Ok(Value::Fields(fields)) => {
                Ok(Either3::C(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()))
            }
            Err(error) => Err(crate::error::rejection(&env, &error)?),
        }
    }
}

fn running() -> MutexGuard<'static, HashMap<u64, Arc<nibble_engine::Job>>> {
    static RUNNING: LazyLock<Mutex<HashMap<u64, Arc<nibble_engine::Job>>>> = LazyLock::new(Mutex::default);
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn find(op: &'static str, id: f64) -> crate::error::Result<Option<Arc<nibble_engine::Job>>> {
    let id = count(op, "job", id).or_throw()? as u64;
    Ok(running().get(&id).cloned())
}

/// How far a job is.
#[napi(object)]
pub struct JobProgress {
    /// Parts of its work that are done.
    pub done: f64,
    /// Parts known so far: grows while the job finds out.
    pub total: f64,
}

/// How far the job of this number is; null once it has ended.
#[napi(catch_unwind)]
pub fn job_progress(job: f64) -> crate::error::Result<Option<JobProgress>> {
    Ok(find("jobProgress", job)?.map(|job| {
        let (done, total) = job.progress();
        JobProgress { done: done as f64, total: total as f64 }
    }))
}

/// Makes the job of this number reject with `InterruptedError`, unless it has ended.
#[napi(catch_unwind)]
pub fn job_stop(job: f64) -> crate::error::Result<()> {
    if let Some(job) = find("jobStop", job)? {
        job.stop();
    }
    Ok(())
}
