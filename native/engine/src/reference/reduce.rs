//! Sums, means, largest elements, norms.

use crate::cpu::reduce::{Over, Reduction};

/// `x[.., n]` to one number for everything, for each column or for each row.
pub fn reduce(kind: Reduction, over: Over, x: &[f64], n: usize) -> Vec<f64> {
    let groups: Vec<Vec<f64>> = match over {
        Over::All => vec![x.to_vec()],
        Over::Rows => (0..n).map(|j| x.chunks(n).map(|row| row[j]).collect()).collect(),
        Over::Columns => x.chunks(n.max(1)).map(<[f64]>::to_vec).collect(),
    };
    let one = |group: &Vec<f64>| match kind {
        Reduction::Sum => group.iter().sum(),
        Reduction::Mean => group.iter().sum::<f64>() / group.len() as f64,
        Reduction::Max => group.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Reduction::Norm => group.iter().map(|x| x * x).sum::<f64>().sqrt(),
    };
    groups.iter().map(one).collect()
}
