//! Memory that a product will read next: while one block is multiplied, the processor is asked for the next.

/// Stretches of memory at equal distances.
#[derive(Clone, Copy)]
pub(super) struct Ahead {
    at: *const u8,
    /// Bytes from one stretch to the next.
    stride: usize,
    /// Cache lines of a stretch, at least one.
    lines: usize,
    stretches: usize,
}

const LINE: usize = 64;

impl Ahead {
    /// For where nothing is known.
    pub(super) const NOTHING: Ahead = Ahead { at: std::ptr::null(), stride: 0, lines: 1, stretches: 0 };

    /// The first and the second of some stretches of equal length.
    pub(super) fn new(first: &[u8], second: Option<&[u8]>, stretches: usize) -> Ahead {
        let stride = second.map_or(0, |second| second.as_ptr().addr().wrapping_sub(first.as_ptr().addr()));
        Ahead { at: first.as_ptr(), stride, lines: first.len().div_ceil(LINE).max(1), stretches }
    }

    /// What is left for a loop after `turns` others of as many fetches.
    pub(super) fn after(self, turns: usize, fetches: usize) -> Ahead {
        let skipped = turns * (fetches / self.lines).max(1);
        if skipped >= self.stretches {
            return Ahead::NOTHING;
        }
        let at = self.at.wrapping_add(skipped.wrapping_mul(self.stride));
        Ahead { at, stretches: self.stretches - skipped, ..self }
    }

    /// Its lines, one stretch after the other, without end.
    #[inline(always)]
    pub(super) fn lines(self) -> Lines {
        Lines { stretch: self.at, next: self.at, left: self.lines, ahead: self }
    }
}

/// See [`Ahead::lines`].
pub(super) struct Lines {
    ahead: Ahead,
    stretch: *const u8,
    next: *const u8,
    left: usize,
}

impl Lines {
    /// Asks for the next line; the processor fetches it into its second-level cache, or ignores it.
    #[inline(always)]
    pub(super) fn fetch(&mut self) {
        prefetch(self.next);
        self.left -= 1;
        self.next = self.next.wrapping_add(LINE);
        if self.left == 0 {
            self.stretch = self.stretch.wrapping_add(self.ahead.stride);
            self.next = self.stretch;
            self.left = self.ahead.lines;
        }
    }
}

#[inline(always)]
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "a hint: it reads nothing and never faults")]
fn prefetch(at: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
    // SAFETY: every x86-64 processor has the instruction, and any address may be named.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
}

#[inline(always)]
#[cfg(not(target_arch = "x86_64"))]
fn prefetch(_: *const u8) {}
