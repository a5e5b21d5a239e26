//! Nibble Lab's engine: tensors by handle, kernels on the CPU (and the GPU), and an account of every byte.
//!
//! No JavaScript in here. [`Engine`] owns the tensors; [`ops`] holds one function per operation, which checks its
//! arguments, allocates its results and hands plain slices to [`cpu`].

pub mod cancel;
pub mod cpu;
pub mod device;
pub mod dtype;
pub mod engine;
pub mod error;
pub mod format;
pub mod gpu;
pub mod memory;
pub mod ops;
pub mod precision;
pub mod random;
#[cfg(any(test, feature = "reference"))]
pub mod reference;
pub mod shape;
pub mod tensor;

pub use cancel::{Cancel, Job};
pub use device::Device;
pub use dtype::DType;
pub use engine::{Engine, Handle};
pub use error::{Error, Result};
pub use memory::Category;
pub use precision::Precision;
