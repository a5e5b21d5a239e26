//! Sums, largest elements and their places: over everything, over rows, or along each row, in a fixed order.

use crate::cancel::Cancel;
use crate::cpu::pool;
use crate::error::Result;

/// Rows of a block in sums over rows.
const ROWS: usize = 128;
/// Elements of a block in sums over everything.
const BLOCK: usize = 8192;

/// Number of partial sums that [`sum_rows`] needs.
pub fn sum_rows_blocks(rows: usize) -> usize {
    rows.div_ceil(ROWS)
}

/// `y[n] = Σ over rows of x[m, n]`; `partial` holds [`sum_rows_blocks`] rows of `n`.
pub fn sum_rows(cancel: &Cancel, x: &[f32], partial: &mut [f32], y: &mut [f32]) -> Result<()> {
    let n = y.len();
    if n == 0 {
        return Ok(());
    }
    pool::blocks(
        cancel,
        partial,
        n,
        1,
        #[inline(always)]
        |block, partial| {
            partial.fill(0.0);
            let rows = &x[block * ROWS * n..];
            for row in rows.chunks_exact(n).take(ROWS) {
                for (sum, &x) in partial.iter_mut().zip(row) {
                    *sum += x;
                }
            }
        },
    )?;
    add_up_rows(partial, y);
    Ok(())
}

/// `y[n] = Σ` of the rows of `partial`, in order.
pub fn add_up_rows(partial: &[f32], y: &mut [f32]) {
    y.fill(0.0);
    for row in partial.chunks_exact(y.len().max(1)) {
        for (y, &x) in y.iter_mut().zip(row) {
            *y += x;
        }
    }
}

/// `Σ f(x)` in double precision and a fixed order.
pub fn sum(cancel: &Cancel, x: &[f32], f: impl Fn(f64) -> f64 + Sync) -> Result<f64> {
    let mut partial = vec![0.0f64; x.len().div_ceil(BLOCK)];
    pool::blocks(
        cancel,
        &mut partial,
        1,
        4,
        #[inline(always)]
        |first, partial| {
            for (sum, block) in partial.iter_mut().zip(x[first * BLOCK..].chunks(BLOCK)) {
                // Eight interleaved sums, so that the additions do not wait for each other.
                let mut lanes = [0.0f64; 8];
                let (groups, rest) = block.as_chunks::<8>();
                for group in groups {
                    for (lane, &x) in lanes.iter_mut().zip(group) {
                        *lane += f(f64::from(x));
                    }
                }
                for (lane, &x) in lanes.iter_mut().zip(rest) {
                    *lane += f(f64::from(x));
                }
                *sum = lanes.iter().sum();
            }
        },
    )?;
    Ok(partial.iter().sum())
}

/// What is made of many elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// The largest; NaN where there is one.
    Max,
    /// `√Σ x²`.
    Norm,
}

impl Reduction {
    /// All of them, in the order that messages print.
    pub const ALL: [Reduction; 4] = [Reduction::Sum, Reduction::Mean, Reduction::Max, Reduction::Norm];

    /// The name in JavaScript.
    pub fn name(self) -> &'static str {
        match self {
            Reduction::Sum => "sum",
            Reduction::Mean => "mean",
            Reduction::Max => "max",
            Reduction::Norm => "norm",
        }
    }

    /// One element as a term: what terms are joined with starts at `first`.
    fn term(self, x: f32) -> f64 {
        let x = f64::from(x);
        if self == Reduction::Norm { x * x } else { x }
    }

    fn first(self) -> f64 {
        if self == Reduction::Max { f64::NEG_INFINITY } else { 0.0 }
    }

    fn join(self, a: f64, b: f64) -> f64 {
        if self == Reduction::Max { if b > a || b.is_nan() { b } else { a } } else { a + b }
    }

    fn last(self, joined: f64, count: usize) -> f32 {
        (match self {
            Reduction::Sum | Reduction::Max => joined,
            Reduction::Mean => joined / count as f64,
            Reduction::Norm => joined.sqrt(),
        }) as f32
    }
}

/// Along each row of `x[y.len(), n]`.
pub fn columns(cancel: &Cancel, kind: Reduction, x: &[f32], n: usize, y: &mut [f32]) -> Result<()> {
    pool::blocks(
        cancel,
        y,
        1,
        pool::rows_per_task(n),
        #[inline(always)]
        |first, y| {
            for (i, y) in y.iter_mut().enumerate() {
                let row = &x[(first + i) * n..][..n];
                // Eight interleaved results, so that the steps do not wait for each other.
                let mut lanes = [kind.first(); 8];
                for group in row.chunks(8) {
                    for (lane, &x) in lanes.iter_mut().zip(group) {
                        *lane = kind.join(*lane, kind.term(x));
                    }
                }
                *y = kind.last(lanes.into_iter().fold(kind.first(), |a, b| kind.join(a, b)), n);
            }
        },
    )
}

/// Columns of a task in [`rows`].
const COLUMNS: usize = 64;

/// Down each column of `x[rows, y.len()]`.
pub fn rows(cancel: &Cancel, kind: Reduction, x: &[f32], y: &mut [f32]) -> Result<()> {
    let n = y.len().max(1);
    pool::blocks(
        cancel,
        y,
        1,
        COLUMNS,
        #[inline(always)]
        |first, y| {
            let mut joined = [kind.first(); COLUMNS];
            let joined = &mut joined[..y.len()];
            for row in x.chunks_exact(n) {
                for (joined, &x) in joined.iter_mut().zip(&row[first..]) {
                    *joined = kind.join(*joined, kind.term(x));
                }
            }
            for (y, &joined) in y.iter_mut().zip(&*joined) {
                *y = kind.last(joined, x.len() / n);
            }
        },
    )
}

/// Over everything.
pub fn all(cancel: &Cancel, kind: Reduction, x: &[f32]) -> Result<f32> {
    if kind == Reduction::Max {
        let mut partial = vec![f32::NEG_INFINITY; x.len().div_ceil(BLOCK)];
        let whole = x.len() / BLOCK * BLOCK;
        let (full, rest) = partial.split_at_mut(x.len() / BLOCK);
        columns(cancel, kind, &x[..whole], BLOCK, full)?;
        columns(cancel, kind, &x[whole..], x.len() - whole, rest)?;
        let joined = partial.iter().fold(kind.first(), |a, &b| kind.join(a, f64::from(b)));
        return Ok(kind.last(joined, x.len()));
    }
    let total = if kind == Reduction::Norm { sum(cancel, x, |x| x * x) } else { sum(cancel, x, |x| x) };
    Ok(kind.last(total?, x.len()))
}

/// Which elements were joined: everything, each column (over rows), or each row (over columns).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Everything → `[1]`.
    All,
    /// `[.., n]` → `[n]`.
    Rows,
    /// `[.., n]` → `[..]`.
    Columns,
}

impl Over {
    /// All of them, in the order that messages print.
    pub const ALL: [Over; 3] = [Over::All, Over::Rows, Over::Columns];

    /// The name in JavaScript.
    pub fn name(self) -> &'static str {
        match self {
            Over::All => "all",
            Over::Rows => "rows",
            Over::Columns => "columns",
        }
    }

    /// Number of the result that element `i` of a row of `n` elements went into.
    fn result(self, row: usize, column: usize) -> usize {
        match self {
            Over::All => 0,
            Over::Rows => column,
            Over::Columns => row,
        }
    }
}

/// Gradient by `x[.., n]` of a reduction to `y`: `dy` for each term of a sum, `dy/count` of a mean, `dy·x/y` of a norm (0
/// where that is 0); a largest element's is shared by all that equal it.
pub fn backward(
    cancel: &Cancel,
    (kind, over): (Reduction, Over),
    (x, dy, y): (&[f32], &[f32], &[f32]),
    n: usize,
    dx: &mut [f32],
) -> Result<()> {
    let (n, count) = (n.max(1), x.len() / y.len().max(1));
    let ties = if kind == Reduction::Max { ties(over, x, y, n) } else { Vec::new() };
    pool::rows(
        cancel,
        dx,
        n,
        #[inline(always)]
        |first, dx| {
            for (i, (dx, x)) in dx.chunks_exact_mut(n).zip(x[first * n..].chunks_exact(n)).enumerate() {
                for (column, (dx, &x)) in dx.iter_mut().zip(x).enumerate() {
                    let at = over.result(first + i, column);
                    *dx = match kind {
                        Reduction::Sum => dy[at],
                        Reduction::Mean => dy[at] / count as f32,
                        Reduction::Norm if y[at] == 0.0 => 0.0,
                        Reduction::Norm => dy[at] * x / y[at],
                        Reduction::Max if x == y[at] => dy[at] / ties[at] as f32,
                        Reduction::Max => 0.0,
                    };
                }
            }
        },
    )
}

/// How many elements equal each result.
fn ties(over: Over, x: &[f32], y: &[f32], n: usize) -> Vec<u32> {
    let mut ties = vec![0; y.len()];
    for (row, x) in x.chunks_exact(n).enumerate() {
        for (column, &x) in x.iter().enumerate() {
            let at = over.result(row, column);
            ties[at] += u32::from(x == y[at]);
        }
    }
    ties
}

/// Place of the first largest element of each group; NaN counts as the largest.
pub fn argmax(over: Over, x: &[f32], n: usize, y: &mut [i32]) {
    let mut best = vec![f32::NEG_INFINITY; y.len()];
    y.fill(-1);
    for (row, x) in x.chunks_exact(n.max(1)).enumerate() {
        for (column, &x) in x.iter().enumerate() {
            let at = over.result(row, column);
            if y[at] < 0 || x > best[at] || (x.is_nan() && !best[at].is_nan()) {
                best[at] = x;
                y[at] = match over {
                    Over::All => row * n + column,
                    Over::Rows => row,
                    Over::Columns => column,
                } as i32;
            }
        }
    }
}

/// The `k` largest of each row, falling, with their places; of equal ones the first come first.
pub fn top_k(cancel: &Cancel, x: &[f32], n: usize, k: usize, values: &mut [f32], places: &mut [i32]) -> Result<()> {
    pool::blocks2(cancel, (values, k), (places, k), pool::rows_per_task(n), |first, values, places| {
        let mut order: Vec<u32> = Vec::with_capacity(n);
        let rows = values.chunks_exact_mut(k.max(1)).zip(places.chunks_exact_mut(k.max(1)));
        for (i, (values, places)) in rows.enumerate() {
            let row = &x[(first + i) * n..][..n];
            order.clear();
            order.extend(0..n as u32);
            let falling = |a: &u32, b: &u32| row[*b as usize].total_cmp(&row[*a as usize]).then(a.cmp(b));
            if k < n {
                order.select_nth_unstable_by(k, falling);
            }
            order[..k].sort_unstable_by(falling);
            for ((value, place), &at) in values.iter_mut().zip(places).zip(&order) {
                (*value, *place) = (row[at as usize], at as i32);
            }
        }
    })
}
