//! The account of memory. Every function may be called from any thread while another computes.

use napi_derive::napi;
use nibble_engine::cpu::buffer;
use nibble_engine::memory::ByCategory;
use nibble_engine::{Category, Device, Engine};

use crate::convert;
use crate::error::{OrThrow, Result};

/// Bytes of one owner in one category.
#[napi(object)]
pub struct OwnerBytes {
    /// The owner's label.
    pub owner: String,
    /// What the bytes are for.
    #[napi(ts_type = "Category")]
    pub category: String,
    /// Where they are.
    pub device: String,
    /// How many.
    pub bytes: f64,
}

/// The account of one device.
#[napi(object)]
pub struct MemoryStats {
    /// The device.
    pub device: String,
    /// Bytes in use.
    pub live: f64,
    /// The most bytes ever in use at once, since the last reset.
    pub peak: f64,
    /// The byte limit; 0 is none.
    pub limit: f64,
    /// Bytes in use, in the order of `categories()`.
    pub live_by_category: Vec<f64>,
    /// Each category's own peak.
    pub peak_by_category: Vec<f64>,
    /// The composition at the moment of `peak`: adds up to it.
    pub at_peak_by_category: Vec<f64>,
    /// Number of tensors, on all devices.
    pub tensors: u32,
    /// Bytes that were freed and lie ready for reuse: not in use, and not in any other number here.
    pub pooled: f64,
}

/// The categories, in the order of every array by category.
#[napi(catch_unwind, ts_return_type = "Category[]")]
pub fn categories() -> Vec<&'static str> {
    Category::ALL.into_iter().map(Category::name).collect()
}

/// The account of each device in use.
#[napi(catch_unwind)]
pub fn memory_stats() -> Vec<MemoryStats> {
    let engine = Engine::process();
    let list = |bytes: ByCategory| bytes.iter().map(|&bytes| bytes as f64).collect();
    let limit = engine.ledger().limit() as f64;
    let tensors = engine.live_tensors() as u32;
    let stats = engine.ledger().stats().into_iter().map(|(device, stats)| MemoryStats {
        device: device.name(),
        live: stats.live as f64,
        peak: stats.peak as f64,
        limit,
        live_by_category: list(stats.live_by_category),
        peak_by_category: list(stats.peak_by_category),
        at_peak_by_category: list(stats.at_peak_by_category),
        tensors,
        pooled: if device == Device::Cpu { buffer::pooled_bytes() as f64 } else { 0.0 },
    });
    stats.collect()
}

/// The largest owners, by falling bytes.
#[napi(catch_unwind)]
pub fn memory_owners(limit: f64) -> Result<Vec<OwnerBytes>> {
    let limit = convert::count("memoryOwners", "limit", limit).or_throw()?;
    let owners = Engine::process().ledger().owners(limit).into_iter().map(|held| OwnerBytes {
        owner: held.owner.to_string(),
        category: held.category.name().into(),
        device: held.device.name(),
        bytes: held.bytes as f64,
    });
    Ok(owners.collect())
}

/// An allocation or a release.
#[napi(object)]
pub struct MemoryEvent {
    /// Counts up by one with every event of the process.
    pub sequence: f64,
    /// Milliseconds since the engine started.
    pub time_ms: f64,
    /// What happened.
    #[napi(ts_type = "\"allocate\" | \"free\"")]
    pub kind: String,
    /// What the bytes are for.
    #[napi(ts_type = "Category")]
    pub category: String,
    /// Whose they are.
    pub owner: String,
    /// How many.
    pub bytes: f64,
}

/// The latest events numbered `sinceSequence` or later, from a ring of 8192.
#[napi(catch_unwind)]
pub fn memory_events(since_sequence: f64) -> Result<Vec<MemoryEvent>> {
    let since = convert::count("memoryEvents", "sinceSequence", since_sequence).or_throw()?;
    let events = Engine::process().ledger().events(since as u64).into_iter().map(|event| MemoryEvent {
        sequence: event.sequence as f64,
        time_ms: event.time_ms,
        kind: if event.allocate { "allocate".into() } else { "free".into() },
        category: event.category.name().into(),
        owner: event.owner.to_string(),
        bytes: event.bytes as f64,
    });
    Ok(events.collect())
}

/// Peaks start again from what is in use now.
#[napi(catch_unwind)]
pub fn reset_peak_memory() {
    Engine::process().ledger().reset_peak();
}

/// Gives freed bytes that lie ready for reuse back to the system; returns how many there were.
#[napi(catch_unwind)]
pub fn release_pooled_memory() -> f64 {
    buffer::release_pool() as f64
}

/// Sets the byte limit of each device; 0 is none. An allocation beyond it throws `OutOfMemoryError`, which names the
/// largest owners.
#[napi(catch_unwind)]
pub fn set_memory_limit(bytes: f64) -> Result<()> {
    let bytes = convert::count("setMemoryLimit", "bytes", bytes).or_throw()?;
    Engine::process().ledger().set_limit(bytes as u64);
    Ok(())
}

/// Number of tensors.
#[napi(catch_unwind)]
pub fn live_tensors() -> u32 {
    Engine::process().live_tensors() as u32
}
