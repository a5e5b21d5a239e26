//! How codes are chosen: kernels on slices, a group or a row at a time, threaded over the output rows.

pub mod blocks;
pub mod clip;
pub mod gptq;
pub mod grid;
pub mod hqq;
pub mod magr;
pub mod rtn;

use crate::format::int;

/// Integer codes of a weight `[rows, columns]`, as [`crate::format::int`] stores them.
#[derive(Debug, Clone, PartialEq)]
pub struct Codes {
    /// `[rows, bytes of a row]`.
    pub codes: Vec<u8>,
    /// `[rows, groups]`.
    pub scales: Vec<f32>,
    /// `[rows, groups]`.
    pub zero_points: Vec<f32>,
}

/// A weight's dimensions, and the columns of a row that share a scale (0: the whole row).
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Output features.
    pub rows: usize,
    /// Input features.
    pub columns: usize,
    /// Columns of a group, 0 for all.
    pub group: usize,
}

impl Layout {
    /// Groups of a row: the last may be shorter.
    pub fn groups(self) -> usize {
        int::groups(self.columns, self.group)
    }

    /// Columns of a group.
    pub fn size(self) -> usize {
        if self.group == 0 { self.columns.max(1) } else { self.group }
    }

    /// Empty codes of `bits` bits.
    fn codes(self, bits: usize) -> Codes {
        let params = self.rows * self.groups();
        Codes {
            codes: vec![0; self.rows * int::row_bytes(self.columns, bits)],
            scales: vec![0.0; params],
            zero_points: vec![0.0; params],
        }
    }
}

/// Writes `(scale, zero)` pairs into their two arrays.
fn split_params(params: &[(f32, f32)], codes: &mut Codes) {
    for (&(scale, zero), (scales, zeros)) in
        params.iter().zip(codes.scales.iter_mut().zip(codes.zero_points.iter_mut()))
    {
        *scales = scale;
        *zeros = zero;
    }
}
