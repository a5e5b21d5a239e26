//! The engine's functions for Node.js: each export converts its arguments, makes one call, converts the result.
//!
//! Every export says `catch_unwind`, and everything asynchronous goes through the one task of [`job`], which catches
//! panics too: a mistake in the engine becomes a JavaScript error, not the end of the process.

mod convert;
mod error;

pub mod activation;
pub mod attention;
pub mod background;
pub mod elementwise;
pub mod fake_quant;
pub mod job;
pub mod linalg;
pub mod linear;
pub mod memory;
pub mod optimizer;
pub mod pca;
pub mod process;
pub mod quantize;
pub mod random;
pub mod reduce;
pub mod tensor;
pub mod training;
pub mod transformer;
