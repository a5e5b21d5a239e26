//! Element by element.

use std::num::NonZeroU64;

use super::Failure;
use super::memory::Memory;
use super::pipelines::pipeline;
use crate::device::Device;

/// Invocations of a workgroup, as in the kernel.
const WORKGROUP: usize = 256;
/// Elements of a dispatch: as many workgroups as every device takes in a row. Starts of the next are aligned for it.
const PIECE: usize = 65_535 * WORKGROUP;

/// `a + b` for the first `count` f32 elements, both on one GPU.
pub fn add(a: &Memory, b: &Memory, count: usize) -> Result<Memory, Failure> {
    let Device::Gpu(number) = a.device() else { return Err(Failure::Absent) };
    let gpu = a.gpu;
    let y = Memory::new(number, count * size_of::<f32>())?;
    let pipeline = pipeline(gpu, "elementwise.wgsl: add", include_str!("elementwise.wgsl"))?;
    gpu.guarded(|| {
        let layout = pipeline.get_bind_group_layout(0);
        let mut commands = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = commands.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline);
        for start in (0..count).step_by(PIECE) {
            let elements = PIECE.min(count - start);
            let part = |binding: u32, buffer| wgpu::BindGroupEntry {
                binding,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer,
                    offset: (start * size_of::<f32>()) as u64,
                    size: NonZeroU64::new((elements * size_of::<f32>()) as u64),
                }),
            };
            let entries = [part(0, &a.buffer), part(1, &b.buffer), part(2, &y.buffer)];
            let group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &layout,
                entries: &entries,
            });
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(elements.div_ceil(WORKGROUP) as u32, 1, 1);
        }
        drop(pass);
        gpu.queue.submit([commands.finish()]);
        Ok(())
    })?;
    Ok(y)
}
