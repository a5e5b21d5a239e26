//! The interrupt flag, as long operations see it, and how far they are, as others see it.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::{Error, Result};

/// Work that runs beside its caller, who may watch and stop it.
#[derive(Debug, Default)]
pub struct Job {
    stopped: AtomicBool,
    done: AtomicU64,
    total: AtomicU64,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Job>>> = const { RefCell::new(None) };
}

impl Job {
    /// Runs `f` on this thread as this job: every operation in it stops with the job and reports to it.
    pub fn run<R>(self: &Arc<Self>, f: impl FnOnce() -> R) -> R {
        struct Restore(Option<Arc<Job>>);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.set(self.0.take());
            }
        }
        let _restore = Restore(CURRENT.replace(Some(Arc::clone(self))));
        f()
    }

    /// Makes its operations stop with `Interrupted`.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Parts of the work that are done, and parts known so far. Both only grow.
    pub fn progress(&self) -> (u64, u64) {
        let done = self.done.load(Ordering::Relaxed);
        (done, self.total.load(Ordering::Relaxed).max(done))
    }
}

/// What a kernel polls between tiles: the engine's interrupt flag, its job's, and the name of the operation.
#[derive(Debug, Clone)]
pub struct Cancel {
    op: &'static str,
    flag: Arc<AtomicBool>,
    job: Option<Arc<Job>>,
}

impl Cancel {
    /// Polls `flag`, and the job of this thread where there is one, on behalf of `op`.
    pub fn new(op: &'static str, flag: Arc<AtomicBool>) -> Self {
        Cancel { op, flag, job: CURRENT.with_borrow(Clone::clone) }
    }

    /// One that nothing raises.
    pub fn never(op: &'static str) -> Self {
        Cancel { op, flag: Arc::default(), job: None }
    }

    /// The operation's name, for messages.
    pub fn op(&self) -> &'static str {
        self.op
    }

    /// Whether it should stop.
    pub fn is_raised(&self) -> bool {
        self.flag.load(Ordering::Relaxed) || self.job.as_ref().is_some_and(|job| job.stopped.load(Ordering::Relaxed))
    }

    /// `Interrupted` when it should stop.
    pub fn check(&self) -> Result<()> {
        if self.is_raised() { Err(Error::Interrupted { op: self.op }) } else { Ok(()) }
    }

    /// Announces parts of work to come.
    pub fn expect(&self, parts: usize) {
        if let Some(job) = &self.job {
            job.total.fetch_add(parts as u64, Ordering::Relaxed);
        }
    }

    /// Reports one part as done.
    pub fn advance(&self) {
        if let Some(job) = &self.job {
            job.done.fetch_add(1, Ordering::Relaxed);
        }
    }
}
