//! The interrupt flag, as long operations see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// What a kernel polls between tiles: the engine's interrupt flag and the name of the operation.
#[derive(Debug, Clone)]
pub struct Cancel {
    op: &'static str,
    flag: Arc<AtomicBool>,
}

impl Cancel {
    /// Polls `flag` on behalf of `op`.
    pub fn new(op: &'static str, flag: Arc<AtomicBool>) -> Self {
        Cancel { op, flag }
    }

    /// One that nothing raises.
    pub fn never(op: &'static str) -> Self {
        Cancel { op, flag: Arc::default() }
    }

    /// The operation's name, for messages.
    pub fn op(&self) -> &'static str {
        self.op
    }

    /// Whether the flag is up.
    pub fn is_raised(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    /// `Interrupted` when the flag is up.
    pub fn check(&self) -> Result<()> {
        if self.is_raised() { Err(Error::Interrupted { op: self.op }) } else { Ok(()) }
    }
}
