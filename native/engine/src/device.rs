//! Where a tensor lives.

use crate::cpu::simd::Isa;
use crate::error::{Error, Result};

/// A device: the processor, or a GPU by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Device {
    /// The processor and its memory.
    Cpu,
    /// GPU number N, in the order in which `devices()` lists them.
    Gpu(u32),
}

impl Device {
    /// "cpu", "gpu", "gpu:1", …
    pub fn name(self) -> String {
        match self {
            Device::Cpu => "cpu".into(),
            Device::Gpu(0) => "gpu".into(),
            Device::Gpu(n) => format!("gpu:{n}"),
        }
    }

    /// The device of this name.
    pub fn parse(op: &'static str, name: &str) -> Result<Device> {
        let number = match name {
            "cpu" => return Ok(Device::Cpu),
            "gpu" => Some(0),
            _ => name.strip_prefix("gpu:").and_then(|digits| digits.parse().ok()),
        };
        number
            .map(Device::Gpu)
            .ok_or_else(|| Error::option(op, "device", format!("\"{name}\""), "\"cpu\", \"gpu\" or \"gpu:N\""))
    }
}

/// What `devices()` tells about a device.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceDescription {
    /// The device.
    pub device: Device,
    /// Its maker's name for it.
    pub description: String,
    /// Whether it is a GPU emulated by the processor.
    pub software: bool,
    /// Its memory in bytes; 0 where it does not tell.
    pub memory_bytes: u64,
    /// How matrix products in bf16 are made there; `None` where there are none.
    pub bf16: Option<Bf16>,
}

/// How matrix products in bf16 are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bf16 {
    /// By instructions that multiply bf16.
    Native,
    /// Operands are rounded to bf16, f32 instructions multiply them: the same numbers, no faster than f32.
    Emulated,
}

impl Bf16 {
    /// The name in JavaScript.
    pub fn name(self) -> &'static str {
        match self {
            Bf16::Native => "native",
            Bf16::Emulated => "emulated",
        }
    }
}

/// The devices of this machine: the processor first, then real GPUs, then emulated ones. Asking wakes the GPU drivers.
pub fn devices() -> Vec<DeviceDescription> {
    let mut devices = vec![DeviceDescription {
        device: Device::Cpu,
        description: crate::cpu::processor_name().to_owned(),
        software: false,
        memory_bytes: crate::cpu::memory_bytes(),
        bf16: Some(if crate::cpu::simd::isa().is_ok_and(Isa::has_bf16) { Bf16::Native } else { Bf16::Emulated }),
    }];
    devices.extend(crate::gpu::devices());
    devices
}
