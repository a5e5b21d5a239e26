//! All integration tests in one binary: every operation against its literal float64 twin, every gradient against
//! central differences of that twin; tensors, memory, errors, interrupts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first failure and says what it skips"
)]

mod account;
mod attention;
mod bits;
mod conformance;
mod doors;
mod elementwise;
mod fake_quant;
mod format;
mod gemm;
mod golden;
mod gpu;
mod gpu_ops;
mod gpu_training;
mod handles;
mod helpers;
mod interrupt;
mod linalg;
mod linear;
mod losses;
mod moves;
mod optimizers;
mod packed;
mod pca;
mod quantize;
mod random;
mod random_tensors;
mod rules;
