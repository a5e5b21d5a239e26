//! Dense matrix products.

use super::{Launch, Source};

static SOURCE: Source = Source {
    file: "matmul.wgsl",
    text: concat!(include_str!("shared.wgsl"), include_str!("matmul.wgsl"), include_str!("tile.wgsl")),
};

/// Rows and columns of a workgroup's tile.
pub(super) const TILE: usize = 64;
/// The most rows that are worth no tiles.
pub(super) const FEW: usize = 4;

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
        }
    }
}

/// Workgroups and entry point of a product.
pub(super) fn grid(batch: usize, m: usize, n: usize) -> (&'static str, [usize; 3]) {
    if m <= FEW && n < 65_536 {
        ("single", [n, m, batch])
    } else {
        ("product", [n.div_ceil(TILE), m.div_ceil(TILE), batch])
    }
}

/// `a`, `b`, bias and residual, or `a` again, → `y`
pub fn matmul(p: Product) -> Launch {
    let [m, n, k] = p.sizes;
    let (a_row, a_column) = if p.transpose_a { (1, m) } else { (k, 1) };
    let (b_row, b_column) = if p.transpose_b { (1, k) } else { (n, 1) };
    let strides = [m * k, a_row, a_column, k * n, b_row, b_column];
    let together = [!p.transpose_a, p.transpose_b].map(usize::from);
    let sizes = [&[m, n, k], &together[..], &strides].concat();
    let flags = [p.accumulate, p.bias, p.residual].map(u32::from);
    let (entry, groups) = grid(p.batch, m, n);
    let mut params: Vec<_> = sizes.into_iter().map(|size| size as u32).collect();
    params.push(p.alpha.to_bits());
    params.extend(flags);
    params.extend([p.y_start as u32, p.a_start as u32]);
    Launch { source: &SOURCE, entry, params, groups }
}
