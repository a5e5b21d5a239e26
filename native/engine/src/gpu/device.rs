//! The GPUs of this machine.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use wgpu::{Backends, DeviceType, ErrorFilter, InstanceDescriptor, InstanceFlags};

use super::Failure;
use super::pool::Pool;
use super::recorder::Recorder;
use crate::device::{Device, DeviceDescription};

/// A GPU, opened at its first use.
struct Gpu {
    adapter: wgpu::Adapter,
    open: OnceLock<Result<Open, String>>,
}

/// A GPU that takes commands.
pub(super) struct Open {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) pipelines: Mutex<HashMap<(&'static str, &'static str), wgpu::ComputePipeline>>,
    pub(super) recorder: Mutex<Recorder>,
    pub(super) pool: Mutex<Pool>,
    lost: Arc<Mutex<Option<String>>>,
}

/// All GPUs: real ones first, those that the processor emulates last.
static GPUS: LazyLock<Vec<Gpu>> = LazyLock::new(|| {
    let backends = Backends::VULKAN | Backends::METAL | Backends::DX12;
    let descriptor = InstanceDescriptor {
        backends,
        flags: InstanceFlags::empty(),
        ..InstanceDescriptor::new_without_display_handle()
    };
    let instance = wgpu::Instance::new(descriptor);
    let mut adapters = pollster::block_on(instance.enumerate_adapters(backends));
    adapters.sort_by_key(|adapter| rank(adapter.get_info().device_type));
    adapters.into_iter().map(|adapter| Gpu { adapter, open: OnceLock::new() }).collect()
});

fn rank(kind: DeviceType) -> u8 {
    match kind {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    }
}

/// The GPUs of this machine, in the order of their numbers. The first call asks the drivers.
pub fn devices() -> Vec<DeviceDescription> {
    let describe = |(number, gpu): (u32, &Gpu)| {
        let info = gpu.adapter.get_info();
        DeviceDescription {
            device: Device::Gpu(number),
            description: format!("{} ({:?}, {})", info.name, info.backend, info.driver_info).replace(", )", ")"),
            software: info.device_type == DeviceType::Cpu,
            memory_bytes: 0,
            bf16: None,
        }
    };
    (0..).zip(GPUS.iter()).map(describe).collect()
}

/// Whether there is a GPU of this number.
pub fn find(number: u32) -> Result<(), Failure> {
    GPUS.get(number as usize).map(|_| ()).ok_or(Failure::Absent)
}

/// The GPU of this number, opened.
pub(super) fn open(number: u32) -> Result<&'static Open, Failure> {
    let gpu = GPUS.get(number as usize).ok_or(Failure::Absent)?;
    gpu.open.get_or_init(|| Open::new(&gpu.adapter)).as_ref().map_err(|what| Failure::Refused(what.clone()))
}

impl Open {
    fn new(adapter: &wgpu::Adapter) -> Result<Open, String> {
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("nibble-lab"),
            // The defaults are those of the weakest machine that the standard allows.
            required_limits: adapter.limits(),
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) =
            pollster::block_on(adapter.request_device(&descriptor)).map_err(|error| error.to_string())?;
        let lost = Arc::new(Mutex::new(None));
        let (told, uncaptured) = (Arc::clone(&lost), Arc::clone(&lost));
        device.set_device_lost_callback(move |_, message| note(&told, message));
        // wgpu's own handler panics; what no scope caught is told by the next call.
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| note(&uncaptured, error.to_string())));
        let (pipelines, recorder, pool) = (Mutex::default(), Mutex::default(), Mutex::default());
        Ok(Open { device, queue, pipelines, recorder, pool, lost })
    }

    /// Runs `f` inside error scopes, which belong to the calling thread.
    pub(super) fn guarded<T>(&self, f: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        let memory = self.device.push_error_scope(ErrorFilter::OutOfMemory);
        let validation = self.device.push_error_scope(ErrorFilter::Validation);
        let internal = self.device.push_error_scope(ErrorFilter::Internal);
        let result = f();
        let errors = [internal, validation, memory].map(|scope| pollster::block_on(scope.pop()));
        if let Some(error) = errors.into_iter().flatten().next() {
            return Err(match error {
                wgpu::Error::OutOfMemory { .. } => Failure::OutOfMemory,
                other => Failure::Refused(other.to_string()),
            });
        }
        match self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            Some(what) => Err(Failure::Refused(what)),
            None => result,
        }
    }
}

fn note(place: &Mutex<Option<String>>, message: String) {
    place.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(message);
}
