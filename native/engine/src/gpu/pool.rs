//! Buffers of freed tensors, kept for the next ones of their size. What they hold is left there.

use std::collections::HashMap;

/// Bytes kept at most.
const MOST: u64 = 512 << 20;

/// Free buffers by size.
#[derive(Default)]
pub(super) struct Pool {
    free: HashMap<u64, Vec<wgpu::Buffer>>,
    bytes: u64,
}

/// The size that a buffer for `bytes` gets: at most an eighth more.
pub(super) fn class(bytes: u64) -> u64 {
    let step = (bytes.next_power_of_two() / 16).max(256);
    bytes.max(1).next_multiple_of(step)
}

impl Pool {
    /// A free buffer of this size.
    pub(super) fn take(&mut self, size: u64) -> Option<wgpu::Buffer> {
        let buffer = self.free.get_mut(&size)?.pop()?;
        self.bytes -= size;
        Some(buffer)
    }

    /// Keeps a buffer; one too many is dropped.
    pub(super) fn give(&mut self, buffer: wgpu::Buffer) {
        if self.bytes + buffer.size() <= MOST {
            self.bytes += buffer.size();
            self.free.entry(buffer.size()).or_default().push(buffer);
        }
    }

    /// Drops all of them.
    pub(super) fn clear(&mut self) {
        self.free.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::class;

    #[test]
    fn sizes_are_whole_words_and_waste_an_eighth_at_most() {
        for bytes in [0, 1, 255, 256, 257, 1000, 4097, 65_536, 1_000_001, 123_456_789] {
            let size = class(bytes);
            assert!(size >= bytes.max(4) && size.is_multiple_of(4) && class(size) == size, "{bytes}: {size}");
            assert!(size <= (bytes + bytes / 8).max(bytes + 256), "{bytes}: {size}");
        }
    }
}
