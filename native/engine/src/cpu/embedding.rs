//! Rows by number, and their gradient.

use crate::cancel::Cancel;
use crate::cpu::pool;
use crate::error::Result;

/// Bytes of row `ids[i]` of `weight` to row `i` of `y`. The numbers were checked.
pub fn gather(cancel: &Cancel, ids: &[i32], weight: &[u8], row_bytes: usize, y: &mut [u8]) -> Result<()> {
    pool::rows(cancel, y, row_bytes, |first, y| {
        for (y, &id) in y.chunks_exact_mut(row_bytes.max(1)).zip(&ids[first..]) {
            y.copy_from_slice(&weight[id as usize * row_bytes..][..row_bytes]);
        }
    })
}

/// Adds row `i` of `dy` to row `ids[i]` of `into`, in the order of `i`.
pub fn scatter_add(cancel: &Cancel, ids: &[i32], dy: &[f32], width: usize, into: &mut [f32]) -> Result<()> {
    let mut order: Vec<usize> = (0..ids.len()).collect();
    order.sort_by_key(|&i| ids[i]);
    pool::rows(cancel, into, width, |first, into| {
        let last = first + into.len() / width.max(1);
        let from = order.partition_point(|&i| (ids[i] as usize) < first);
        let until = order.partition_point(|&i| (ids[i] as usize) < last);
        for &i in &order[from..until] {
            let row = &mut into[(ids[i] as usize - first) * width..][..width];
            for (into, &dy) in row.iter_mut().zip(&dy[i * width..][..width]) {
                *into += dy;
            }
        }
    })
}
