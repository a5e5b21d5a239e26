//! The account of every byte: by device, category and owner, now and at the peak, with a ring of recent events.
//!
//! An allocation is a [`Charge`]; dropping it gives the bytes back. Buffers that only live inside an operation are
//! charged too, as [`Category::Workspace`].

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::device::Device;
use crate::error::{Error, Result};

/// What bytes are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// Parameters and packed codes.
    Weights,
    /// Quantization scales and zero points.
    Scales,
    /// Gradients.
    Gradients,
    /// State of the optimizer.
    Optimizer,
    /// Results of forward operations.
    Activations,
    /// Buffers inside an operation, decoded weights.
    Workspace,
    /// Keys and values of earlier tokens.
    Cache,
}

impl Category {
    /// All of them, in the order of every array by category.
    pub const ALL: [Category; 7] = [
        Category::Weights,
        Category::Scales,
        Category::Gradients,
        Category::Optimizer,
        Category::Activations,
        Category::Workspace,
        Category::Cache,
    ];

    /// The name in JavaScript.
    pub fn name(self) -> &'static str {
        match self {
            Category::Weights => "weights",
            Category::Scales => "scales",
            Category::Gradients => "gradients",
            Category::Optimizer => "optimizer",
            Category::Activations => "activations",
            Category::Workspace => "workspace",
            Category::Cache => "cache",
        }
    }

    /// The category of this name.
    pub fn parse(op: &'static str, name: &str) -> Result<Category> {
        Self::ALL.into_iter().find(|category| category.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|category| format!("\"{}\"", category.name())).collect();
            Error::option(op, "category", format!("\"{name}\""), format!("one of {}", names.join(", ")))
        })
    }
}

/// Bytes by category, in the order of [`Category::ALL`].
pub type ByCategory = [u64; Category::ALL.len()];

/// The account of one device.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct DeviceStats {
    /// Bytes in use.
    pub live: u64,
    /// The most bytes ever in use at once (since the last reset).
    pub peak: u64,
    /// In use, by category.
    pub live_by_category: ByCategory,
    /// Each category's own peak.
    pub peak_by_category: ByCategory,
    /// The composition at the moment of `peak`: adds up to it.
    pub at_peak_by_category: ByCategory,
}

/// Bytes of one owner in one category on one device.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnerBytes {
    /// The owner's label.
    pub owner: Arc<str>,
    /// What the bytes are for.
    pub category: Category,
    /// Where they are.
    pub device: Device,
    /// How many.
    pub bytes: u64,
}

/// An allocation or a release.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Counts up by one with every event of the process.
    pub sequence: u64,
    /// Milliseconds since the engine started.
    pub time_ms: f64,
    /// Whether bytes were taken (otherwise given back).
    pub allocate: bool,
    /// What they are for.
    pub category: Category,
    /// Whose they are.
    pub owner: Arc<str>,
    /// How many.
    pub bytes: u64,
}

/// Events kept; older ones are dropped.
pub const EVENTS_KEPT: usize = 8192;

struct Books {
    devices: BTreeMap<Device, DeviceStats>,
    owners: HashMap<(Arc<str>, Category, Device), u64>,
    labels: HashMap<Arc<str>, usize>,
    events: VecDeque<Event>,
    sequence: u64,
    limit: u64,
}

/// The account. Safe to ask from any thread while others compute.
pub struct Ledger {
    started: Instant,
    books: Mutex<Books>,
}

impl Default for Ledger {
    fn default() -> Self {
        Ledger {
            started: Instant::now(),
            books: Mutex::new(Books {
                devices: BTreeMap::from([(Device::Cpu, DeviceStats::default())]),
                owners: HashMap::new(),
                labels: HashMap::new(),
                events: VecDeque::with_capacity(EVENTS_KEPT),
                sequence: 0,
                limit: 0,
            }),
        }
    }
}

impl Ledger {
    /// Takes `bytes` for `owner`, or says who holds the memory when the limit is in the way.
    pub fn charge(
        self: &Arc<Self>,
        op: &str,
        device: Device,
        category: Category,
        owner: &str,
        bytes: u64,
    ) -> Result<Charge> {
        let mut books = self.books();
        let live = books.devices.get(&device).map_or(0, |stats| stats.live);
        if books.limit > 0 && live.saturating_add(bytes) > books.limit {
            return Err(Error::OutOfMemory {
                op: op.to_owned(),
                wanted: bytes,
                category: category.name(),
                live,
                limit: format!("{} allowed", books.limit),
                owners: books.describe_owners(5),
            });
        }
        let owner = books.open(owner);
        books.add(device, category, &owner, bytes);
        books.record(self.now(), true, category, &owner, bytes);
        Ok(Charge { ledger: Arc::clone(self), device, category, owner, bytes })
    }

    /// The account of each device in use.
    pub fn stats(&self) -> Vec<(Device, DeviceStats)> {
        self.books().devices.iter().map(|(&device, &stats)| (device, stats)).collect()
    }

    /// Owners by falling bytes, at most `limit` of them.
    pub fn owners(&self, limit: usize) -> Vec<OwnerBytes> {
        self.books().owners(limit)
    }

    /// Kept events numbered `since` or later.
    pub fn events(&self, since: u64) -> Vec<Event> {
        let books = self.books();
        let oldest = books.events.front().map_or(0, |event| event.sequence);
        books.events.iter().skip(since.saturating_sub(oldest) as usize).cloned().collect()
    }

    /// Peaks start again from what is in use now.
    pub fn reset_peak(&self) {
        for stats in self.books().devices.values_mut() {
            stats.peak = stats.live;
            stats.peak_by_category = stats.live_by_category;
            stats.at_peak_by_category = stats.live_by_category;
        }
    }

    /// The byte limit of each device; 0 is none.
    pub fn limit(&self) -> u64 {
        self.books().limit
    }

    /// Sets the byte limit of each device; 0 is none.
    pub fn set_limit(&self, bytes: u64) {
        self.books().limit = bytes;
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> f64 {
        self.started.elapsed().as_secs_f64() * 1e3
    }
}

impl Books {
    /// The shared copy of a label, counted while something is charged to it.
    fn open(&mut self, label: &str) -> Arc<str> {
        if let Some((shared, count)) = self.labels.get_key_value(label).map(|(k, v)| (Arc::clone(k), *v)) {
            self.labels.insert(Arc::clone(&shared), count + 1);
            return shared;
        }
        let shared: Arc<str> = label.into();
        self.labels.insert(Arc::clone(&shared), 1);
        shared
    }

    fn close(&mut self, label: &Arc<str>) {
        if let Some(count) = self.labels.get_mut(label) {
            *count -= 1;
            if *count == 0 {
                self.labels.remove(label);
            }
        }
    }

    fn add(&mut self, device: Device, category: Category, owner: &Arc<str>, bytes: u64) {
        let stats = self.devices.entry(device).or_default();
        let index = category as usize;
        stats.live += bytes;
        stats.live_by_category[index] += bytes;
        stats.peak_by_category[index] = stats.peak_by_category[index].max(stats.live_by_category[index]);
        if stats.live > stats.peak {
            stats.peak = stats.live;
            stats.at_peak_by_category = stats.live_by_category;
        }
        *self.owners.entry((Arc::clone(owner), category, device)).or_default() += bytes;
    }

    fn subtract(&mut self, device: Device, category: Category, owner: &Arc<str>, bytes: u64) {
        let stats = self.devices.entry(device).or_default();
        stats.live -= bytes;
        stats.live_by_category[category as usize] -= bytes;
        let key = (Arc::clone(owner), category, device);
        if let Some(held) = self.owners.get_mut(&key) {
            *held -= bytes;
            if *held == 0 {
                self.owners.remove(&key);
            }
        }
    }

    fn record(&mut self, time_ms: f64, allocate: bool, category: Category, owner: &Arc<str>, bytes: u64) {
        if self.events.len() == EVENTS_KEPT {
            self.events.pop_front();
        }
        let sequence = self.sequence;
        self.sequence += 1;
        self.events.push_back(Event { sequence, time_ms, allocate, category, owner: Arc::clone(owner), bytes });
    }

    fn owners(&self, limit: usize) -> Vec<OwnerBytes> {
        let mut owners: Vec<_> = self
            .owners
            .iter()
            .map(|((owner, category, device), &bytes)| OwnerBytes {
                owner: Arc::clone(owner),
                category: *category,
                device: *device,
                bytes,
            })
            .collect();
        owners.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.owner.cmp(&b.owner)));
        owners.truncate(limit);
        owners
    }

    fn describe_owners(&self, limit: usize) -> String {
        let parts: Vec<_> = self
            .owners(limit)
            .iter()
            .map(|held| format!("{} ({}, {} bytes)", held.owner, held.category.name(), held.bytes))
            .collect();
        if parts.is_empty() { "none".into() } else { parts.join(", ") }
    }
}

/// Bytes taken from the account until this is dropped.
pub struct Charge {
    ledger: Arc<Ledger>,
    device: Device,
    category: Category,
    owner: Arc<str>,
    bytes: u64,
}

impl Charge {
    /// What the bytes are for.
    pub fn category(&self) -> Category {
        self.category
    }

    /// Whose they are.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// How many.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Moves the bytes to another category and owner; recorded as a release and an allocation.
    pub fn relabel(&mut self, category: Category, owner: &str) {
        let mut books = self.ledger.books();
        let time = self.ledger.now();
        let owner = books.open(owner);
        books.subtract(self.device, self.category, &self.owner, self.bytes);
        books.record(time, false, self.category, &self.owner, self.bytes);
        books.add(self.device, category, &owner, self.bytes);
        books.record(time, true, category, &owner, self.bytes);
        books.close(&self.owner);
        drop(books);
        self.category = category;
        self.owner = owner;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let mut books = self.ledger.books();
        books.subtract(self.device, self.category, &self.owner, self.bytes);
        books.record(self.ledger.now(), false, self.category, &self.owner, self.bytes);
        books.close(&self.owner);
    }
}
