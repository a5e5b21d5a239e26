//! Dense matrix products.

use super::{Launch, Source};

pub(super) static SOURCE: Source = Source {
    file: "matmul.wgsl",
    text: concat!(include_str!("shared.wgsl"), include_str!("matmul.wgsl"), include_str!("tile.wgsl")),
};

/// Rows and columns of a workgroup's tile.
pub(super) const TILE: usize = 64;
/// The most rows that are worth no tiles.
pub(super) const FEW: usize = 4;
/// The longest sum that one launch makes: Mesa's software device ends all loops of an invocation together after 65,535 rounds.
pub const LONGEST: usize = 32_768;

/// `alpha·op(a)·op(b)` and what is added to it.
#[derive(Debug, Clone, Copy)]
pub struct Product {
    /// Products of as many matrices, one behind the other.
    pub batch: usize,
    /// Rows and columns of the result, and the length of the sums.
    pub sizes: [usize; 3],
    /// Whether `a` is `[k, m]`.
    pub transpose_a: bool,
    /// Whether `b` is `[n, k]`.
    pub transpose_b: bool,
    /// Factor of the product.
    pub alpha: f32,
    /// Add to what the result holds.
    pub accumulate: bool,
    /// Add a vector to every row.
    pub bias: bool,
    /// Add a matrix.
    pub residual: bool,
    /// The result's first element in its tensor.
    pub y_start: usize,
    /// The first element of `a` in its tensor.
    pub a_start: usize,
    /// The first element of `b` in its tensor.
    pub b_start: usize,
}

impl Product {
    /// Nothing but `a·b`.
    pub fn plain(sizes: [usize; 3]) -> Product {
        Product {
            batch: 1,
            sizes,
            transpose_a: false,
            transpose_b: false,
            alpha: 1.0,
            accumulate: false,
            bias: false,
            residual: false,
            y_start: 0,
            a_start: 0,
            b_start: 0,
        }
    }
}

/// The launches of a product, one after the other: long sums are made in parts. `a`, `b`, bias and residual, or `a` again, → `y`
pub fn matmul(p: Product) -> Vec<Launch> {
    let k = p.sizes[2];
    let starts: Vec<_> = (0..k.max(1)).step_by(LONGEST).collect();
    let last = starts.len() - 1;
    let parts = starts.into_iter().enumerate().map(|(n, start)| {
        let end = n == last;
        let (bias, residual, accumulate) = (p.bias && end, p.residual && end, p.accumulate || n > 0);
        part(Product { bias, residual, accumulate, ..p }, start, LONGEST.min(k - start))
    });
    parts.collect()
}

/// Workgroups and entry point of a product.
pub(super) fn grid(batch: usize, m: usize, n: usize) -> (&'static str, [usize; 3]) {
    if m <= FEW && n < 65_536 {
        ("single", [n, m, batch])
    } else {
        ("product", [n.div_ceil(TILE), m.div_ceil(TILE), batch])
    }
}

/// `count` steps of the sums from `first` on.
fn part(p: Product, first: usize, count: usize) -> Launch {
    let [m, n, k] = p.sizes;
    let (a_row, a_column) = if p.transpose_a { (1, m) } else { (k, 1) };
    let (b_row, b_column) = if p.transpose_b { (1, k) } else { (n, 1) };
    let strides = [m * k, a_row, a_column, k * n, b_row, b_column];
    let together = [!p.transpose_a, p.transpose_b].map(usize::from);
    let sizes = [&[m, n, count], &together[..], &strides].concat();
    let flags = [p.accumulate, p.bias, p.residual].map(u32::from);
    let (entry, groups) = grid(p.batch, m, n);
    let mut params: Vec<_> = sizes.into_iter().map(|size| size as u32).collect();
    params.push(p.alpha.to_bits());
    params.extend(flags);
    params.extend([p.y_start, p.a_start + first * a_column, p.b_start + first * b_row].map(|start| start as u32));
    Launch { source: &SOURCE, entry, params, groups }
}
