//! One function per operation: checks its arguments, allocates its results, hands slices to the device's kernels.
//!
//! Results are charged to the operation's own name; gradients to [`crate::Category::Gradients`].

pub mod activation;
pub mod attention;
pub mod cache;
pub mod cross_entropy;
pub mod data;
pub mod dropout;
pub mod elementwise;
pub mod embedding;
pub mod fake_quant;
mod far;
pub mod linalg;
pub mod linear;
pub mod matmul;
pub mod norm;
pub mod optimizer;
pub mod pca;
pub mod quantize;
pub mod random;
pub mod reduce;
pub mod rope;
pub mod rules;
pub mod softmax;

use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// Errs when a tensor that is changed in place shares bytes with one that is read meanwhile.
fn expect_apart(op: &'static str, name: &'static str, target: &Tensor, other: &Tensor) -> Result<()> {
    if target.shares_with(other) {
        let got = "the tensor that is changed in place, or a view of it";
        Err(Error::option(op, name, got, "a tensor with bytes of its own"))
    } else {
        Ok(())
    }
}
