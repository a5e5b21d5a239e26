//! Linear layers whose weight is levels of an integer grid.

use super::matmul::matmul;

/// A weight `[rows, columns]` as levels, with a scale and a zero point for each group of columns.
#[derive(Debug, Clone)]
pub struct Grid {
    /// Output features.
    pub rows: usize,
    /// Input features.
    pub columns: usize,
    /// Columns of a group.
    pub group: usize,
    /// `[rows, columns]`.
    pub levels: Vec<u8>,
    /// `[rows, groups]`.
    pub zero_points: Vec<f64>,
}

impl Grid {
    /// `scale·(q − zeroPoint)`.
    pub fn weight(&self, scales: &[f64]) -> Vec<f64> {
        let groups = self.columns.div_ceil(self.group);
        let at = |i: usize| (i / self.columns) * groups + i % self.columns / self.group;
        self.levels.iter().enumerate().map(|(i, &q)| scales[at(i)] * (f64::from(q) - self.zero_points[at(i)])).collect()
    }

    /// `x[tokens, columns]·weightᵀ`.
    pub fn forward(&self, x: &[f64], scales: &[f64]) -> Vec<f64> {
        matmul([x.len() / self.columns, self.rows, self.columns], (x, false), (&self.weight(scales), true))
    }
}
