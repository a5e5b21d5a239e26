//! The process: what computes, and the interrupt flag.

use napi_derive::napi;
use nibble_engine::{Device, Engine, cpu, device};

/// What computes.
#[napi(object)]
pub struct EngineInfo {
    /// Version of the engine.
    pub version: String,
    /// The processor's name for itself, or "unknown".
    pub processor: String,
    /// The vector instructions in use: "avx512bf16", "avx512", "avx2" or "baseline". `NIBBLE_LAB_ISA` forces a lower one.
    pub isa: String,
    /// Threads that compute. `NIBBLE_LAB_THREADS` sets their number.
    pub threads: u32,
}

/// Processor, instruction set and number of threads: print them beside every measurement.
#[napi(catch_unwind)]
pub fn engine_info() -> EngineInfo {
    EngineInfo {
        version: env!("CARGO_PKG_VERSION").into(),
        processor: cpu::processor_name().into(),
        isa: cpu::simd::isa().map_or_else(|error| error.to_string(), |isa| isa.name().into()),
        threads: cpu::pool::threads() as u32,
    }
}

/// A device that tensors can be on.
#[napi(object)]
pub struct DeviceInfo {
    /// "cpu", "gpu", "gpu:1", …
    pub name: String,
    /// What it is.
    #[napi(ts_type = "\"cpu\" | \"gpu\"")]
    pub kind: String,
    /// Its maker's name for it.
    pub description: String,
    /// Whether it is a GPU that the processor emulates; `auto` never chooses one.
    pub software: bool,
    /// Its memory in bytes; 0 where it does not tell.
    pub memory_bytes: f64,
    /// How matrix products in bf16 are made: by its own instructions, or by rounding operands and multiplying in f32 (the
    /// same numbers, no faster than f32). Absent where there are no such products.
    #[napi(ts_type = "\"native\" | \"emulated\"")]
    pub bf16: Option<String>,
}

/// "cpu", then "gpu", "gpu:1", … Asking creates the GPU instance.
#[napi(catch_unwind)]
pub fn devices() -> Vec<DeviceInfo> {
    let describe = |d: device::DeviceDescription| DeviceInfo {
        name: d.device.name(),
        kind: if d.device == Device::Cpu { "cpu".into() } else { "gpu".into() },
        description: d.description,
        software: d.software,
        memory_bytes: d.memory_bytes as f64,
        bf16: d.bf16.map(|bf16| bf16.name().into()),
    };
    device::devices().into_iter().map(describe).collect()
}

/// Raises the interrupt flag of the process, from any thread: operations stop with `InterruptedError` until
/// `clearInterrupt()`.
#[napi(catch_unwind)]
pub fn interrupt() {
    Engine::process().interrupt();
}

/// Lowers the interrupt flag.
#[napi(catch_unwind)]
pub fn clear_interrupt() {
    Engine::process().clear_interrupt();
}

/// Whether the interrupt flag is up.
#[napi(catch_unwind)]
pub fn is_interrupted() -> bool {
    Engine::process().is_interrupted()
}
