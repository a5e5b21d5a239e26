//! Tensors: shape, element type, and bytes that several tensors may share.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use bytemuck::Pod;
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::cpu::buffer::Buffer;
use crate::device::Device;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::gpu;
use crate::memory::Charge;
use crate::shape;

/// Bytes on a device and the charge for them.
pub struct Storage {
    data: Data,
    charge: Mutex<Charge>,
}

/// Where the bytes are.
enum Data {
    Cpu(RwLock<Buffer>),
    Gpu(gpu::Memory),
}

impl Storage {
    /// Bytes in the processor's memory.
    pub fn on_cpu(buffer: Buffer, charge: Charge) -> Self {
        Storage { data: Data::Cpu(RwLock::new(buffer)), charge: Mutex::new(charge) }
    }

    /// Bytes on a GPU.
    pub fn on_gpu(memory: gpu::Memory, charge: Charge) -> Self {
        Storage { data: Data::Gpu(memory), charge: Mutex::new(charge) }
    }

    /// The device.
    pub fn device(&self) -> Device {
        match &self.data {
            Data::Cpu(_) => Device::Cpu,
            Data::Gpu(memory) => memory.device(),
        }
    }

    /// The bytes on a GPU, where they are on one.
    pub fn gpu(&self) -> Option<&gpu::Memory> {
        match &self.data {
            Data::Cpu(_) => None,
            Data::Gpu(memory) => Some(memory),
        }
    }

    /// Runs `f` on the charge.
    pub fn with_charge<R>(&self, f: impl FnOnce(&mut Charge) -> R) -> R {
        f(&mut self.charge.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A shape over shared bytes.
#[derive(Clone)]
pub struct Tensor {
    /// The bytes.
    pub storage: Arc<Storage>,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its element type.
    pub dtype: DType,
}

impl Tensor {
    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Number of bytes.
    pub fn bytes(&self) -> usize {
        self.elements() * self.dtype.size()
    }

    /// `[a, b, …, n]` as `(a·b·…, n)`.
    pub fn rows(&self) -> (usize, usize) {
        shape::fold_rows(&self.shape)
    }

    /// Whether two tensors share bytes.
    pub fn shares_with(&self, other: &Tensor) -> bool {
        Arc::ptr_eq(&self.storage, &other.storage)
    }

    fn buffer(&self, op: &'static str, name: &'static str) -> Result<&RwLock<Buffer>> {
        match &self.storage.data {
            Data::Cpu(buffer) => Ok(buffer),
            Data::Gpu(memory) => Err(Error::Unsupported {
                op,
                what: format!("{name} is on \"{}\", where this operation does not run yet", memory.device().name()),
                advice: "Move it first: toDevice(tensor, \"cpu\")".into(),
            }),
        }
    }

    /// Its elements for reading, when they are of this type and in the processor's memory. An operation may read a tensor
    /// twice (`matmul(x, x)`): the second read does not wait for a writer who waits for the first to end.
    pub fn read<T: Element>(&self, op: &'static str, name: &'static str) -> Result<Read<'_, T>> {
        self.expect(op, name, T::DTYPE)?;
        let guard = self.buffer(op, name)?.read_recursive();
        Ok(Read { guard, count: self.elements(), element: std::marker::PhantomData })
    }

    /// Its elements for writing in place.
    pub fn write<T: Element>(&self, op: &'static str, name: &'static str) -> Result<Write<'_, T>> {
        self.expect(op, name, T::DTYPE)?;
        let guard = self.buffer(op, name)?.write();
        Ok(Write { guard, count: self.elements(), element: std::marker::PhantomData })
    }

    /// Its bytes, whatever their type, for reading.
    pub fn read_bytes(&self, op: &'static str, name: &'static str) -> Result<Read<'_, u8>> {
        let guard = self.buffer(op, name)?.read_recursive();
        Ok(Read { guard, count: self.bytes(), element: std::marker::PhantomData })
    }

    /// Its bytes, whatever their type, for writing in place.
    pub fn write_bytes(&self, op: &'static str, name: &'static str) -> Result<Write<'_, u8>> {
        let guard = self.buffer(op, name)?.write();
        Ok(Write { guard, count: self.bytes(), element: std::marker::PhantomData })
    }

    /// Errs unless its element type is `dtype`.
    pub fn expect(&self, op: &'static str, name: &'static str, dtype: DType) -> Result<()> {
        if self.dtype == dtype {
            Ok(())
        } else {
            Err(Error::DType { op, name, got: self.dtype, expected: dtype.name().into() })
        }
    }

    /// Errs unless its shape is `expected`.
    pub fn expect_shape(&self, op: &'static str, name: &'static str, expected: &[usize]) -> Result<()> {
        if self.shape == expected { Ok(()) } else { Err(Error::shape(op, name, &self.shape, format!("{expected:?}"))) }
    }

    /// Its `N` dimensions, or an error that names those expected.
    pub fn dims<const N: usize>(&self, op: &'static str, name: &'static str, names: [&str; N]) -> Result<[usize; N]> {
        <[usize; N]>::try_from(self.shape.as_slice())
            .map_err(|_| Error::shape(op, name, &self.shape, format!("[{}]", names.join(", "))))
    }
}

/// A Rust type that is the element of a [`DType`].
pub trait Element: Pod {
    /// That type.
    const DTYPE: DType;
}

impl Element for f32 {
    const DTYPE: DType = DType::F32;
}
impl Element for i32 {
    const DTYPE: DType = DType::I32;
}
impl Element for i8 {
    const DTYPE: DType = DType::I8;
}
impl Element for u8 {
    const DTYPE: DType = DType::U8;
}
impl Element for half::f16 {
    const DTYPE: DType = DType::F16;
}
impl Element for half::bf16 {
    const DTYPE: DType = DType::BF16;
}

/// A tensor's elements while they are read.
pub struct Read<'a, T> {
    guard: RwLockReadGuard<'a, Buffer>,
    count: usize,
    element: std::marker::PhantomData<T>,
}

impl<T: Element> Deref for Read<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        self.guard.elements(self.count)
    }
}

/// A tensor's elements while they are written in place.
pub struct Write<'a, T> {
    guard: RwLockWriteGuard<'a, Buffer>,
    count: usize,
    element: std::marker::PhantomData<T>,
}

impl<T: Element> Deref for Write<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        self.guard.elements(self.count)
    }
}

impl<T: Element> DerefMut for Write<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.guard.elements_mut(self.count)
    }
}
