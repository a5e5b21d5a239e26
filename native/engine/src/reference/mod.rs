//! Literal float64 algorithms, written from the formulas, slow and plain: what the tests compare the kernels with.

pub mod activation;
pub mod adamw;
pub mod adamw8bit;
pub mod attention;
pub mod cross_entropy;
pub mod elementwise;
pub mod embedding;
pub mod fake_quant;
pub mod linear;
pub mod lion;
pub mod matmul;
pub mod muon;
pub mod norm;
pub mod reduce;
pub mod rope;
pub mod sgd;
