//! Kernels for the processor, on plain slices: one file per family of operations, and the pool that runs them.

use std::sync::LazyLock;

pub mod activation;
pub mod adamw;
pub mod adamw8bit;
pub mod attention;
pub mod buffer;
pub mod cross_entropy;
pub mod dropout;
pub mod elementwise;
pub mod embedding;
pub mod exp;
pub mod fake_quant;
pub mod gemm;
pub mod lion;
pub mod multi;
pub mod muon;
pub mod norm;
pub mod permute;
pub mod pool;
pub mod quantize;
pub mod reduce;
pub mod rope;
pub mod sgd;
pub mod simd;
pub mod softmax;

/// The processor's name for itself, or "unknown".
pub fn processor_name() -> &'static str {
    static NAME: LazyLock<String> =
        LazyLock::new(|| proc_field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into()));
    &NAME
}

/// Bytes of main memory; 0 where the system does not tell.
pub fn memory_bytes() -> u64 {
    let kibibytes = proc_field("/proc/meminfo", "MemTotal")
        .and_then(|text| text.split_whitespace().next().and_then(|digits| digits.parse::<u64>().ok()));
    kibibytes.map_or(0, |n| n * 1024)
}

fn proc_field(path: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim().to_owned())
    })
}
