//! A matrix that tasks write side by side, each its own tile.

#![expect(
    unsafe_code,
    reason = "tiles of a row-major matrix are not slices of it, so the borrow checker cannot split it"
)]

use std::marker::PhantomData;

/// A row-major matrix, borrowed for writing by several tasks.
pub(super) struct Shared<'a> {
    data: *mut f32,
    rows: usize,
    columns: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: it only hands out segments under the promise of `segment`, so threads never write the same element.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    /// Shares `data[rows, columns]`.
    pub(super) fn new(data: &'a mut [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "a matrix of {rows} × {columns}");
        Shared { data: data.as_mut_ptr(), rows, columns, borrow: PhantomData }
    }

    /// `length` elements of a row from `column`.
    ///
    /// # Safety
    /// No two tasks that run at the same time ask for overlapping segments, and a task drops one before it asks for
    /// another that overlaps it.
    #[expect(clippy::mut_from_ref, reason = "exclusive by the promise above")]
    pub(super) unsafe fn segment(&self, row: usize, column: usize, length: usize) -> &mut [f32] {
        assert!(row < self.rows && column + length <= self.columns, "a segment inside the matrix");
        // SAFETY: row and column lie inside the matrix.
        let first = unsafe { self.data.add(row * self.columns + column) };
        // SAFETY: `length` elements follow in the same row, and the caller promises that nobody else has them.
        unsafe { std::slice::from_raw_parts_mut(first, length) }
    }
}
