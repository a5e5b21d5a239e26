//! Where an operation runs: where all of its tensors are. [`Far`] is its view of a GPU.

use std::sync::Arc;

use super::data::Label;
use crate::device::Device;
use crate::dtype::DType;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gpu::{self, Failure, Launch};
use crate::memory::Category;
use crate::shape;
use crate::tensor::{Storage, Tensor};

/// A call of an operation whose tensors are on a GPU.
pub struct Far<'a> {
    e: &'a Engine,
    op: &'static str,
    number: u32,
}

/// Errs unless `b` is on the device that `a` is on.
pub fn expect_together(op: &'static str, (first, a): (&str, Device), (second, b): (&str, Device)) -> Result<()> {
    if a == b {
        return Ok(());
    }
    let name = a.name();
    let what = format!("{first} is on \"{name}\" and {second} on \"{}\"", b.name());
    Err(Error::Unsupported { op, what, advice: format!("Move both to one device: toDevice({second}, \"{name}\")") })
}

impl<'a> Far<'a> {
    /// The GPU that `device` is, for an operation that was not interrupted; none for the processor.
    pub fn on(e: &'a Engine, op: &'static str, device: Device) -> Result<Option<Far<'a>>> {
        match device {
            Device::Cpu => Ok(None),
            Device::Gpu(number) => {
                let far = Far { e, op, number };
                gpu::find(number).map_err(|failure| far.error(failure, 0, Category::Workspace))?;
                e.cancel(op).check().map(|()| Some(far))
            }
        }
    }

    /// The GPU where all of these are; none where all are the processor's.
    pub fn of(e: &'a Engine, op: &'static str, tensors: &[(&str, Option<&Tensor>)]) -> Result<Option<Far<'a>>> {
        let mut devices = tensors.iter().filter_map(|(name, tensor)| Some((*name, tensor.as_ref()?.storage.device())));
        let Some(first) = devices.next() else { return Ok(None) };
        devices.try_for_each(|other| expect_together(op, first, other))?;
        Far::on(e, op, first.1)
    }

    /// A tensor there with anything in it, to be written whole.
    pub fn allocate(&self, shape: &[usize], dtype: DType, (category, owner): Label) -> Result<Tensor> {
        let bytes = shape::elements(self.op, shape)? * dtype.size();
        let charge = self.e.charge(self.op, self.device(), category, owner, bytes)?;
        let memory = gpu::Memory::new(self.number, bytes).map_err(|failure| self.error(failure, bytes, category))?;
        Ok(Tensor { storage: Arc::new(Storage::on_gpu(memory, charge)), shape: shape.to_vec(), dtype })
    }

    /// A result, to be written whole.
    pub fn output(&self, shape: &[usize]) -> Result<Tensor> {
        self.allocate(shape, DType::F32, (Category::Activations, self.op))
    }

    /// A gradient, to be written whole.
    pub fn gradient(&self, shape: &[usize]) -> Result<Tensor> {
        self.allocate(shape, DType::F32, (Category::Gradients, self.op))
    }

    /// Numbers that live inside the operation, to be written whole.
    pub fn workspace(&self, shape: &[usize]) -> Result<Tensor> {
        self.allocate(shape, DType::F32, (Category::Workspace, self.op))
    }

    /// A copy of these bytes, held while the operation runs.
    pub fn upload(&self, shape: &[usize], dtype: DType, bytes: &[u8]) -> Result<Tensor> {
        let (category, count) = (Category::Workspace, bytes.len());
        let charge = self.e.charge(self.op, self.device(), category, self.op, count)?;
        let memory = gpu::Memory::upload(self.number, bytes).map_err(|failure| self.error(failure, count, category))?;
        Ok(Tensor { storage: Arc::new(Storage::on_gpu(memory, charge)), shape: shape.to_vec(), dtype })
    }

    /// The bytes of a tensor that is there.
    pub fn download(&self, tensor: &Tensor) -> Result<Vec<u8>> {
        let memory = tensor.storage.gpu().ok_or_else(|| self.elsewhere())?;
        let refused = |failure| self.error(failure, tensor.bytes(), Category::Workspace);
        memory.download(tensor.bytes()).map_err(refused)
    }

    /// Whole numbers, wherever they are: they are looked at before a kernel takes them.
    pub fn numbers(&self, tensor: &Tensor, name: &'static str) -> Result<Vec<i32>> {
        match tensor.storage.gpu() {
            Some(_) => Ok(bytemuck::pod_collect_to_vec(&self.download(tensor)?)),
            None => Ok(tensor.read::<i32>(self.op, name)?.to_vec()),
        }
    }

    /// Runs kernels one after the other on the same tensors.
    pub fn run_all(&self, launches: &[Launch], tensors: &[&Tensor]) -> Result<()> {
        launches.iter().try_for_each(|launch| self.run(launch, tensors))
    }

    /// Runs a kernel on tensors, in the order of its bindings.
    pub fn run(&self, launch: &Launch, tensors: &[&Tensor]) -> Result<()> {
        let memories = tensors.iter().map(|tensor| tensor.storage.gpu()).collect::<Option<Vec<_>>>();
        let memories = memories.ok_or_else(|| self.elsewhere())?;
        gpu::run(self.number, launch, &memories).map_err(|failure| self.error(failure, 0, Category::Workspace))
    }

    fn elsewhere(&self) -> Error {
        Error::Internal { op: self.op, what: "a tensor of a kernel is not on its GPU".into() }
    }

    fn device(&self) -> Device {
        Device::Gpu(self.number)
    }

    fn error(&self, failure: Failure, bytes: usize, category: Category) -> Error {
        failure.into_error(self.op, self.device(), || self.e.refused(self.op, bytes, category))
    }
}
