//! What stands in for the GPU in builds without the feature "gpu": no devices.

use super::{Failure, Launch};
use crate::device::{Device, DeviceDescription};

/// Bytes on a GPU: there are none.
pub enum Memory {}

/// No GPUs.
pub fn devices() -> Vec<DeviceDescription> {
    Vec::new()
}

/// Always [`Failure::Absent`].
pub fn find(_: u32) -> Result<(), Failure> {
    Err(Failure::Absent)
}

/// Always [`Failure::Absent`].
pub fn run(_: u32, _: &Launch, _: &[&Memory]) -> Result<(), Failure> {
    Err(Failure::Absent)
}

impl Memory {
    /// Always [`Failure::Absent`].
    pub fn new(_: u32, _: usize) -> Result<Memory, Failure> {
        Err(Failure::Absent)
    }

    /// Always [`Failure::Absent`].
    pub fn upload(_: u32, _: &[u8]) -> Result<Memory, Failure> {
        Err(Failure::Absent)
    }

    /// Unreachable.
    pub fn write(&self, _: &[u8]) -> Result<(), Failure> {
        match *self {}
    }

    /// Unreachable.
    pub fn download(&self, _: usize) -> Result<Vec<u8>, Failure> {
        match *self {}
    }

    /// Unreachable.
    pub fn device(&self) -> Device {
        match *self {}
    }
}
