//! The engine: the table of tensors, the account of memory, and the interrupt flag.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use crate::cancel::Cancel;
use crate::cpu::buffer::{Buffer, Fill};
use crate::device::Device;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::memory::{Category, Charge, Ledger};
use crate::shape;
use crate::tensor::{Element, Storage, Tensor};

/// A tensor's number: slot and generation in one integer below 2^53, so that JavaScript holds it exactly.
pub type Handle = f64;

const INDEX_BITS: u32 = 26;
const LAST_GENERATION: u32 = (1 << 26) - 1;

/// A slot of the table: the tensor, and how often the slot was used.
struct Slot {
    generation: u32,
    tensor: Option<Tensor>,
}

#[derive(Default)]
struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    live: usize,
}

/// What a handle turned out to be.
enum Lookup<'a> {
    Live(&'a mut Slot, u32),
    Freed,
    Unknown,
}

impl Table {
    fn look_up(&mut self, handle: Handle) -> Lookup<'_> {
        if !((0.0..9_007_199_254_740_992.0).contains(&handle) && handle.fract() == 0.0) {
            return Lookup::Unknown;
        }
        let bits = handle as u64;
        let (index, generation) = ((bits & ((1 << INDEX_BITS) - 1)) as u32, (bits >> INDEX_BITS) as u32);
        match self.slots.get_mut(index as usize) {
            Some(slot) if generation == slot.generation && slot.tensor.is_some() => Lookup::Live(slot, index),
            Some(slot) if generation > 0 && generation <= slot.generation => Lookup::Freed,
            _ => Lookup::Unknown,
        }
    }

    fn insert(&mut self, tensor: Tensor) -> Option<Handle> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                let index = u32::try_from(self.slots.len()).ok().filter(|&n| n < 1 << INDEX_BITS)?;
                self.slots.push(Slot { generation: 0, tensor: None });
                index
            }
        };
        let slot = &mut self.slots[index as usize];
        slot.generation += 1;
        slot.tensor = Some(tensor);
        self.live += 1;
        Some((u64::from(slot.generation) << INDEX_BITS | u64::from(index)) as Handle)
    }
}

/// Tensors, memory, interrupt flag. JavaScript uses the one of the process; tests make their own.
#[derive(Default)]
pub struct Engine {
    table: Mutex<Table>,
    ledger: Arc<Ledger>,
    interrupted: Arc<AtomicBool>,
}

impl Engine {
    /// The engine of this process.
    pub fn process() -> &'static Engine {
        static PROCESS: LazyLock<Engine> = LazyLock::new(Engine::default);
        &PROCESS
    }

    /// The account of memory.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Makes running and later operations stop with `Interrupted`, until [`Engine::clear_interrupt`].
    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
    }

    /// Lets operations run again.
    pub fn clear_interrupt(&self) {
        self.interrupted.store(false, Ordering::Relaxed);
    }

    /// Whether the interrupt flag is up.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// What `op` polls.
    pub fn cancel(&self, op: &'static str) -> Cancel {
        Cancel::new(op, Arc::clone(&self.interrupted))
    }

    /// Number of tensors.
    pub fn live_tensors(&self) -> usize {
        self.table().live
    }

    /// The tensor of a handle.
    pub fn tensor(&self, op: &'static str, name: &'static str, handle: Handle) -> Result<Tensor> {
        match self.table().look_up(handle) {
            Lookup::Live(Slot { tensor: Some(tensor), .. }, _) => Ok(tensor.clone()),
            Lookup::Live(..) | Lookup::Freed => Err(Error::Disposed { op, name, state: "was disposed".into() }),
            Lookup::Unknown => Err(Error::Disposed { op, name, state: format!("is not a tensor (handle {handle})") }),
        }
    }

    /// Frees a tensor's slot, and its bytes with the last tensor that shares them. Twice is fine.
    pub fn dispose(&self, handle: Handle) -> Result<()> {
        let mut table = self.table();
        let tensor = match table.look_up(handle) {
            Lookup::Freed => return Ok(()),
            Lookup::Unknown => {
                let state = format!("is not a tensor (handle {handle})");
                return Err(Error::Disposed { op: "tensorDispose", name: "tensor", state });
            }
            Lookup::Live(slot, index) => {
                let tensor = slot.tensor.take();
                // A slot that has used up its generations is never given out again.
                let reusable = slot.generation < LAST_GENERATION;
                table.live -= 1;
                if reusable {
                    table.free.push(index);
                }
                tensor
            }
        };
        drop(table);
        drop(tensor);
        Ok(())
    }

    /// Gives a tensor a handle.
    pub fn keep(&self, tensor: Tensor) -> Result<Handle> {
        self.table()
            .insert(tensor)
            .ok_or_else(|| Error::Internal { op: "tensor", what: "the table of tensors is full".into() })
    }

    /// Takes bytes from the account.
    pub fn charge(
        &self,
        op: &'static str,
        device: Device,
        category: Category,
        owner: &str,
        bytes: usize,
    ) -> Result<Charge> {
        self.ledger.charge(op, device, category, owner, bytes as u64)
    }

    /// A new tensor in the processor's memory, not yet in the table.
    pub fn allocate(
        &self,
        op: &'static str,
        shape: &[usize],
        dtype: DType,
        label: (Category, &str),
        fill: Fill,
    ) -> Result<Fresh> {
        let bytes = shape::elements(op, shape)?
            .checked_mul(dtype.size())
            .ok_or_else(|| Error::shape(op, "shape", shape, "fewer elements"))?;
        let charge = self.charge(op, Device::Cpu, label.0, label.1, bytes)?;
        let buffer = Buffer::new(bytes, fill).ok_or_else(|| self.refused(op, bytes, label.0))?;
        Ok(Fresh { buffer, charge, shape: shape.to_vec(), dtype })
    }

    /// A result of `op`, to be written whole.
    pub fn output(&self, op: &'static str, shape: &[usize]) -> Result<Fresh> {
        self.allocate(op, shape, DType::F32, (Category::Activations, op), Fill::Any)
    }

    /// A gradient made by `op`, to be written whole.
    pub fn gradient(&self, op: &'static str, shape: &[usize]) -> Result<Fresh> {
        self.allocate(op, shape, DType::F32, (Category::Gradients, op), Fill::Any)
    }

    /// A float buffer that lives inside `op`, to be written whole.
    pub fn workspace(&self, op: &'static str, elements: usize) -> Result<Fresh> {
        self.allocate(op, &[elements], DType::F32, (Category::Workspace, op), Fill::Any)
    }

    /// These elements as a tensor of `op`.
    pub fn store<T: Element>(
        &self,
        op: &'static str,
        shape: &[usize],
        category: Category,
        elements: &[T],
    ) -> Result<Fresh> {
        let mut fresh = self.allocate(op, shape, T::DTYPE, (category, op), Fill::Any)?;
        fresh.elements::<T>().copy_from_slice(elements);
        Ok(fresh)
    }

    /// The error of an allocation that the system or a GPU refused.
    pub(crate) fn refused(&self, op: &'static str, bytes: usize, category: Category) -> Error {
        let owners: Vec<_> =
            self.ledger.owners(5).iter().map(|held| format!("{} ({} bytes)", held.owner, held.bytes)).collect();
        Error::OutOfMemory {
            op: op.into(),
            wanted: bytes as u64,
            category: category.name(),
            live: self.ledger.stats().iter().map(|(_, stats)| stats.live).sum(),
            limit: "what the system has".into(),
            owners: owners.join(", "),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A tensor that only its maker sees, so it is written without locks. Dropped on errors, kept on success.
pub struct Fresh {
    buffer: Buffer,
    charge: Charge,
    shape: Vec<usize>,
    dtype: DType,
}

impl Fresh {
    /// Its elements.
    pub fn elements<T: Element>(&mut self) -> &mut [T] {
        debug_assert_eq!(self.dtype.size(), size_of::<T>());
        let count = self.shape.iter().product();
        self.buffer.elements_mut(count)
    }

    /// Its elements as f32.
    pub fn f32(&mut self) -> &mut [f32] {
        self.elements()
    }

    /// Its bytes.
    pub fn bytes(&mut self) -> &mut [u8] {
        let count = self.shape.iter().product::<usize>() * self.dtype.size();
        self.buffer.elements_mut(count)
    }

    /// The finished tensor.
    pub fn finish(self) -> Tensor {
        let Fresh { buffer, charge, shape, dtype } = self;
        Tensor { storage: Arc::new(Storage::on_cpu(buffer, charge)), shape, dtype }
    }

    /// The finished tensor, in the table.
    pub fn keep(self, engine: &Engine) -> Result<Handle> {
        engine.keep(self.finish())
    }
}
