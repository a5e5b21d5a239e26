//! Bytes on a GPU.

use std::sync::mpsc;

use wgpu::{BufferDescriptor, BufferUsages, COPY_BUFFER_ALIGNMENT, MapMode};

use super::Failure;
use super::device::{Open, open};
use crate::device::Device;

/// A buffer on a GPU, freed when dropped.
pub struct Memory {
    number: u32,
    pub(super) gpu: &'static Open,
    pub(super) buffer: wgpu::Buffer,
}

/// Copies are made in whole words.
fn padded(bytes: usize) -> u64 {
    (bytes as u64).next_multiple_of(COPY_BUFFER_ALIGNMENT).max(COPY_BUFFER_ALIGNMENT)
}

impl Memory {
    /// `bytes` on GPU `number`, zeroed.
    pub(super) fn new(number: u32, bytes: usize) -> Result<Memory, Failure> {
        let gpu = open(number)?;
        if padded(bytes) > gpu.device.limits().max_buffer_size {
            return Err(Failure::OutOfMemory);
        }
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
        let descriptor = BufferDescriptor { label: None, size: padded(bytes), usage, mapped_at_creation: false };
        let buffer = gpu.guarded(|| Ok(gpu.device.create_buffer(&descriptor)))?;
        Ok(Memory { number, gpu, buffer })
    }

    /// A copy of `bytes` on GPU `number`.
    pub fn upload(number: u32, bytes: &[u8]) -> Result<Memory, Failure> {
        let memory = Memory::new(number, bytes.len())?;
        let whole = bytes.len() / COPY_BUFFER_ALIGNMENT as usize * COPY_BUFFER_ALIGNMENT as usize;
        let mut last = [0; COPY_BUFFER_ALIGNMENT as usize];
        last[..bytes.len() - whole].copy_from_slice(&bytes[whole..]);
        memory.gpu.guarded(|| {
            if whole > 0 {
                memory.gpu.queue.write_buffer(&memory.buffer, 0, &bytes[..whole]);
            }
            if whole < bytes.len() {
                memory.gpu.queue.write_buffer(&memory.buffer, whole as u64, &last);
            }
            memory.gpu.queue.submit([]);
            memory.gpu.wait()
        })?;
        Ok(memory)
    }

    /// Its first `bytes`, copied back.
    pub fn download(&self, bytes: usize) -> Result<Vec<u8>, Failure> {
        let gpu = self.gpu;
        gpu.guarded(|| {
            let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
            let size = padded(bytes);
            let near =
                gpu.device.create_buffer(&BufferDescriptor { label: None, size, usage, mapped_at_creation: false });
            let mut commands = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            commands.copy_buffer_to_buffer(&self.buffer, 0, &near, 0, size);
            gpu.queue.submit([commands.finish()]);
            let (tell, told) = mpsc::channel();
            near.map_async(MapMode::Read, .., move |result| {
                // The other end only goes away when this call has already failed.
                let _ = tell.send(result);
            });
            gpu.wait()?;
            let refused = |what: &dyn std::fmt::Display| Failure::Refused(what.to_string());
            told.try_recv().map_err(|error| refused(&error))?.map_err(|error| refused(&error))?;
            let view = near.get_mapped_range(..).map_err(|error| refused(&error))?;
            Ok(view[..bytes].to_vec())
        })
    }

    /// Where it is.
    pub fn device(&self) -> Device {
        Device::Gpu(self.number)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.buffer.destroy();
        // Freed memory is given back by polling only. A failure here is told by the next call.
        let _ = self.gpu.device.poll(wgpu::PollType::Poll);
    }
}
