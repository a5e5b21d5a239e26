//! Kernels for the GPU, in WGSL through `wgpu` (Vulkan, Metal, Direct3D 12): the same operations under the same names as
//! in [`crate::cpu`]. Without the feature "gpu" there are no GPUs, and nothing else changes.
//!
//! A family's `.rs` turns sizes and options into a [`Launch`], which is plain data; its `.wgsl` is the kernel. `wgpu`
//! appears only where launches are carried out: the list of GPUs is made at the first question for it, a GPU is opened
//! at its first use, and what the driver refuses comes back as a [`Failure`], never as a panic.

pub mod activation;
pub mod adamw;
pub mod adamw8bit;
pub mod attention;
pub mod cast;
pub mod copy;
pub mod cross_entropy;
pub mod double_quant;
pub mod dropout;
pub mod elementwise;
mod launch;
pub mod lion;
pub mod matmul;
pub mod norm;
pub mod packed;
pub mod reduce;
pub mod rope;
pub mod sgd;
pub mod softmax;

#[cfg(feature = "gpu")]
mod device;
#[cfg(feature = "gpu")]
mod memory;
#[cfg(feature = "gpu")]
mod pipelines;
#[cfg(feature = "gpu")]
mod pool;
#[cfg(feature = "gpu")]
mod recorder;

#[cfg(not(feature = "gpu"))]
mod absent;
#[cfg(all(test, feature = "gpu"))]
mod translation;

#[cfg(not(feature = "gpu"))]
pub use absent::{Memory, devices, find, run};
#[cfg(feature = "gpu")]
pub use device::{devices, find};
pub use launch::{Launch, Source};
#[cfg(feature = "gpu")]
pub use memory::Memory;
#[cfg(feature = "gpu")]
pub use recorder::run;

use crate::device::Device;
use crate::error::Error;

/// What a GPU answered instead of a result.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// No memory left on it.
    OutOfMemory,
    /// It is lost, could not be opened, or refused a command; in its driver's words.
    Refused(String),
    /// No GPU has this number.
    Absent,
}

impl Failure {
    /// The error for JavaScript; `out_of_memory` makes the one that names the largest owners.
    pub fn into_error(self, op: &'static str, device: Device, out_of_memory: impl FnOnce() -> Error) -> Error {
        match self {
            Failure::OutOfMemory => out_of_memory(),
            Failure::Refused(what) => Error::Unsupported {
                op,
                what: format!("\"{}\" answered: {what}", device.name()),
                advice: "Compute on \"cpu\", or restart to open the GPU again".into(),
            },
            Failure::Absent => {
                let names = crate::device::devices().into_iter().map(|it| format!("\"{}\"", it.device.name()));
                let advice = format!("Take one that this machine has: {}", names.collect::<Vec<_>>().join(", "));
                Error::Unsupported { op, what: format!("there is no device \"{}\"", device.name()), advice }
            }
        }
    }
}
