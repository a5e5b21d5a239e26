//! Bytes on a GPU.

use std::sync::{PoisonError, mpsc};

use wgpu::{BufferDescriptor, BufferUsages, COPY_BUFFER_ALIGNMENT, MapMode};

use super::Failure;
use super::device::{Open, open};
use super::pool;
use crate::device::Device;

/// Uploads larger than this are handed to the GPU at once, so that no second copy of them waits.
const LARGE: usize = 1 << 20;

/// A buffer on a GPU. Dropped, it goes back to the pool: commands run in order, so what is still recorded reads it
/// before its next owner writes.
pub struct Memory {
    number: u32,
    pub(super) gpu: &'static Open,
    pub(super) buffer: wgpu::Buffer,
    /// Bytes in use, in whole words.
    pub(super) bytes: u64,
}

/// Copies are made in whole words.
fn padded(bytes: usize) -> u64 {
    (bytes as u64).next_multiple_of(COPY_BUFFER_ALIGNMENT).max(COPY_BUFFER_ALIGNMENT)
}

fn refused(what: impl std::fmt::Display) -> Failure {
    Failure::Refused(what.to_string())
}

impl Memory {
    /// `bytes` on GPU `number`, with anything in them.
    pub fn new(number: u32, bytes: usize) -> Result<Memory, Failure> {
        let gpu = open(number)?;
        let (bytes, limits) = (padded(bytes), gpu.device.limits());
        if bytes > limits.max_buffer_size {
            return Err(Failure::OutOfMemory);
        }
        let size = pool::class(bytes).min(limits.max_buffer_size / COPY_BUFFER_ALIGNMENT * COPY_BUFFER_ALIGNMENT);
        let pooled = gpu.pool.lock().unwrap_or_else(PoisonError::into_inner).take(size);
        let buffer = match pooled {
            Some(buffer) => buffer,
            None => match Memory::fresh(gpu, size) {
                Err(Failure::OutOfMemory) => {
                    gpu.pool.lock().unwrap_or_else(PoisonError::into_inner).clear();
                    gpu.finish()?;
                    Memory::fresh(gpu, size)?
                }
                other => other?,
            },
        };
        Ok(Memory { number, gpu, buffer, bytes })
    }

    fn fresh(gpu: &Open, size: u64) -> Result<wgpu::Buffer, Failure> {
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
        let descriptor = BufferDescriptor { label: None, size, usage, mapped_at_creation: false };
        gpu.guarded(|| Ok(gpu.device.create_buffer(&descriptor)))
    }

    /// A copy of `bytes` on GPU `number`; the last word is filled up with zeros.
    pub fn upload(number: u32, bytes: &[u8]) -> Result<Memory, Failure> {
        let memory = Memory::new(number, bytes.len())?;
        memory.write(bytes)?;
        Ok(memory)
    }

    /// Replaces all of its bytes once what was recorded before has read them.
    pub fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        let gpu = self.gpu;
        let near = gpu.guarded(|| {
            let (size, usage) = (self.bytes, BufferUsages::COPY_SRC);
            let near =
                gpu.device.create_buffer(&BufferDescriptor { label: None, size, usage, mapped_at_creation: true });
            let mut view = near.get_mapped_range_mut(..).map_err(refused)?;
            let last = padded(bytes.len()) as usize - COPY_BUFFER_ALIGNMENT as usize;
            view.slice(last..).copy_from_slice(&[0; COPY_BUFFER_ALIGNMENT as usize]);
            view.slice(..bytes.len()).copy_from_slice(bytes);
            drop(view);
            near.unmap();
            Ok(near)
        })?;
        gpu.record(|commands| commands.copy_buffer_to_buffer(&near, 0, &self.buffer, 0, self.bytes))?;
        if bytes.len() > LARGE { gpu.submit() } else { Ok(()) }
    }

    /// Its first `bytes`, copied back, once everything that was recorded is done.
    pub fn download(&self, bytes: usize) -> Result<Vec<u8>, Failure> {
        let (gpu, size) = (self.gpu, padded(bytes));
        let near = gpu.guarded(|| {
            let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
            Ok(gpu.device.create_buffer(&BufferDescriptor { label: None, size, usage, mapped_at_creation: false }))
        })?;
        gpu.record(|commands| commands.copy_buffer_to_buffer(&self.buffer, 0, &near, 0, size))?;
        gpu.submit()?;
        gpu.guarded(|| {
            let (tell, told) = mpsc::channel();
            near.map_async(MapMode::Read, .., move |result| {
                // The other end only goes away when this call has already failed.
                let _ = tell.send(result);
            });
            gpu.finish()?;
            // Another thread's poll may have taken the call that tells, and make it only now.
            told.recv().map_err(refused)?.map_err(refused)?;
            let view = near.get_mapped_range(..).map_err(refused)?;
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
        self.gpu.pool.lock().unwrap_or_else(PoisonError::into_inner).give(self.buffer.clone());
    }
}
