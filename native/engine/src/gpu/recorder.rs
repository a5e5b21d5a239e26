//! The one door for commands: they are recorded one after the other and submitted a few at a time.
//!
//! A submission holds at most [`MOST_COMMANDS`], at most [`MOST_IN_FLIGHT`] submissions wait on the GPU, and reading
//! bytes back submits what is left: an interrupt, which operations look for before they record, is never far.

use std::collections::VecDeque;
use std::sync::{MutexGuard, PoisonError};

use wgpu::{BindGroupDescriptor, BindGroupEntry, BindingResource, BufferBinding, BufferUsages, PollType};

use super::device::{Open, open};
use super::pipelines::pipeline;
use super::{Failure, Launch, Memory};

/// Commands of a submission.
const MOST_COMMANDS: usize = 16;
/// Submissions that wait on the GPU.
const MOST_IN_FLIGHT: usize = 2;
/// Bytes of a command's parameters: also where every device lets a uniform start.
const PARAMS: usize = 256;

/// What was recorded and not yet submitted, and what was submitted.
#[derive(Default)]
pub(super) struct Recorder {
    commands: Option<wgpu::CommandEncoder>,
    count: usize,
    /// A slot for each command; written to `uniform` at the submission, which the queue does after all earlier ones.
    params: Vec<u8>,
    uniform: Option<wgpu::Buffer>,
    in_flight: VecDeque<wgpu::SubmissionIndex>,
}

/// Records a launch on GPU `number`, its tensors at bindings 1, 2, …
pub fn run(number: u32, launch: &Launch, tensors: &[&Memory]) -> Result<(), Failure> {
    if launch.groups.contains(&0) {
        return Ok(());
    }
    let gpu = open(number)?;
    let largest = gpu.device.limits().max_storage_buffer_binding_size;
    if let Some(memory) = tensors.iter().find(|memory| memory.bytes > largest) {
        let what = format!("a tensor of {} bytes, where its kernels see {largest} at most", memory.bytes);
        return Err(Failure::Refused(what));
    }
    let most = gpu.device.limits().max_compute_workgroups_per_dimension as usize;
    if launch.groups.iter().any(|&groups| groups > most) {
        return Err(Failure::Refused(format!("{:?} workgroups, of {most} at most", launch.groups)));
    }
    let pipeline = pipeline(gpu, launch.source, launch.entry)?;
    let mut recorder = gpu.recorder();
    gpu.guarded(|| {
        let slot = recorder.params.len();
        let uniform = recorder.uniform(gpu);
        let params = BindGroupEntry { binding: 0, resource: part(&uniform, slot as u64, PARAMS as u64) };
        let tensors = (1..)
            .zip(tensors)
            .map(|(binding, memory)| BindGroupEntry { binding, resource: part(&memory.buffer, 0, memory.bytes) });
        let entries: Vec<_> = std::iter::once(params).chain(tensors).collect();
        let layout = &pipeline.get_bind_group_layout(0);
        let group = gpu.device.create_bind_group(&BindGroupDescriptor { label: None, layout, entries: &entries });
        let mut pass = recorder.commands(gpu).begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        let [x, y, z] = launch.groups.map(|groups| groups as u32);
        pass.dispatch_workgroups(x, y, z);
        drop(pass);
        recorder.params.extend_from_slice(bytemuck::cast_slice(&launch.params));
        recorder.params.resize(slot + PARAMS, 0);
        Ok(())
    })?;
    gpu.counted(recorder)
}

fn part(buffer: &wgpu::Buffer, offset: u64, size: u64) -> BindingResource<'_> {
    BindingResource::Buffer(BufferBinding { buffer, offset, size: std::num::NonZeroU64::new(size) })
}

impl Recorder {
    fn commands(&mut self, gpu: &Open) -> &mut wgpu::CommandEncoder {
        self.commands
            .get_or_insert_with(|| gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default()))
    }

    fn uniform(&mut self, gpu: &Open) -> wgpu::Buffer {
        let make = || {
            gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: (MOST_COMMANDS * PARAMS) as u64,
                usage: BufferUsages::UNIFORM | BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        };
        self.uniform.get_or_insert_with(make).clone()
    }

    fn submit(&mut self, gpu: &Open) -> Result<(), Failure> {
        let Some(commands) = self.commands.take() else { return Ok(()) };
        let params = std::mem::take(&mut self.params);
        self.count = 0;
        gpu.guarded(|| {
            if let Some(uniform) = self.uniform.as_ref().filter(|_| !params.is_empty()) {
                gpu.queue.write_buffer(uniform, 0, &params);
            }
            self.in_flight.push_back(gpu.queue.submit([commands.finish()]));
            if self.in_flight.len() > MOST_IN_FLIGHT {
                let oldest = self.in_flight.pop_front();
                gpu.poll(PollType::Wait { submission_index: oldest, timeout: None })?;
            }
            Ok(())
        })
    }
}

impl Open {
    fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a copy.
    pub(super) fn record(&self, f: impl FnOnce(&mut wgpu::CommandEncoder)) -> Result<(), Failure> {
        let mut recorder = self.recorder();
        self.guarded(|| {
            f(recorder.commands(self));
            Ok(())
        })?;
        self.counted(recorder)
    }

    fn counted(&self, mut recorder: MutexGuard<'_, Recorder>) -> Result<(), Failure> {
        recorder.count += 1;
        if recorder.count < MOST_COMMANDS { Ok(()) } else { recorder.submit(self) }
    }

    /// Submits what was recorded.
    pub(super) fn submit(&self) -> Result<(), Failure> {
        self.recorder().submit(self)
    }

    /// Submits what was recorded and waits until all of it is done.
    pub(super) fn finish(&self) -> Result<(), Failure> {
        let mut recorder = self.recorder();
        recorder.submit(self)?;
        recorder.in_flight.clear();
        drop(recorder);
        self.poll(PollType::wait_indefinitely())
    }

    fn poll(&self, how: PollType) -> Result<(), Failure> {
        self.device.poll(how).map(|_| ()).map_err(|error| Failure::Refused(error.to_string()))
    }
}
