//! Sums, means, largest elements, norms; their places; the largest few.

use super::far::Far;
use super::rules;
use crate::cpu::buffer::Fill;
use crate::cpu::reduce as cpu;
use crate::dtype::DType;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
use crate::gpu::reduce::{self as gpu, Joining, Pass};
use crate::memory::Category;
use crate::tensor::Tensor;

pub use cpu::{Over, Reduction};

/// The reduction of this name.
pub fn parse_kind(op: &'static str, name: &str) -> Result<Reduction> {
    named(op, "kind", name, &Reduction::ALL, Reduction::name)
}

/// The elements that this name tells to join.
pub fn parse_over(op: &'static str, name: &str) -> Result<Over> {
    named(op, "over", name, &Over::ALL, Over::name)
}

fn named<T: Copy>(
    op: &'static str,
    option: &'static str,
    name: &str,
    all: &[T],
    name_of: fn(T) -> &'static str,
) -> Result<T> {
    all.iter().copied().find(|&one| name_of(one) == name).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|&one| format!("\"{}\"", name_of(one))).collect();
        Error::option(op, option, format!("\"{name}\""), format!("one of {}", names.join(", ")))
    })
}

/// `x[m, n]` → `[n]`.
pub fn sum_rows(e: &Engine, x: Handle) -> Result<Handle> {
    let mut args = rules::SUM_ROWS.of(e);
    let (op, x) = (args.op, args.take(x)?);
    let [rows, n] = args.dims(["rows", "n"])?;
    if let Some(far) = args.far()? {
        return e.keep(far_down(&far, Joining { kind: Reduction::Sum, count: rows }, &x, [rows, n], &[n])?);
    }
    let mut y = e.output(op, &[n])?;
    let mut partial = e.workspace(op, cpu::sum_rows_blocks(rows) * n)?;
    cpu::sum_rows(&e.cancel(op), &x.read(op, "x")?, partial.f32(), y.f32())?;
    y.keep(e)
}

/// The sum of all elements, in double precision and a fixed order.
pub fn sum(e: &Engine, x: Handle) -> Result<f64> {
    let mut args = rules::SUM.of(e);
    let (op, x) = (args.op, args.take(x)?);
    if let Some(far) = args.far()? {
        return far_sums(&far, Reduction::Sum, &[x]).map(|sums| sums.iter().sum());
    }
    cpu::sum(&e.cancel(op), &x.read(op, "x")?, |x| x)
}

/// `x` to one number for everything (`[1]`), for each column (`[n]`, over rows) or for each row (`[..]`, over columns).
pub fn reduce_forward(e: &Engine, x: Handle, kind: Reduction, over: Over) -> Result<Handle> {
    let rule = match over {
        Over::All => &rules::REDUCE_ALL_FORWARD,
        Over::Rows => &rules::REDUCE_ROWS_FORWARD,
        Over::Columns => &rules::REDUCE_COLUMNS_FORWARD,
    };
    let mut args = rule.of(e);
    let (op, x) = (args.op, args.take(x)?);
    let n = last(&x);
    expect_some(op, kind, over, &x)?;
    if let Some(far) = args.far()? {
        return e.keep(far_reduce(&far, kind, over, &x)?);
    }
    let mut y = e.output(op, &shape_over(&x, over))?;
    let (cancel, x) = (e.cancel(op), x.read::<f32>(op, "x")?);
    match over {
        Over::All => y.f32()[0] = cpu::all(&cancel, kind, &x)?,
        Over::Rows => cpu::rows(&cancel, kind, &x, y.f32())?,
        Over::Columns => cpu::columns(&cancel, kind, &x, n, y.f32())?,
    }
    y.keep(e)
}

/// Gradient of [`reduce_forward`] by `x`, from its result `y`.
pub fn reduce_backward(e: &Engine, x: Handle, dy: Handle, y: Handle, kind: Reduction, over: Over) -> Result<Handle> {
    let rule = match over {
        Over::All => &rules::REDUCE_ALL_BACKWARD,
        Over::Rows => &rules::REDUCE_ROWS_BACKWARD,
        Over::Columns => &rules::REDUCE_COLUMNS_BACKWARD,
    };
    let mut args = rule.of(e);
    let (op, x, dy, y) = (args.op, args.take(x)?, args.take(dy)?, args.take(y)?);
    if let Some(far) = args.far()? {
        let (n, elements) = (last(&x), x.elements());
        let ties = if kind == Reduction::Max {
            let equal = far.workspace(&x.shape)?;
            far.run(&gpu::equal(over, n, elements), &[&x, &y, &equal])?;
            far_reduce(&far, Reduction::Sum, over, &equal)?
        } else {
            y.clone()
        };
        let dx = far.gradient(&x.shape)?;
        let launch = gpu::spread(kind, over, n, elements, elements / y.elements().max(1));
        far.run(&launch, &[&x, &dy, &y, &ties, &dx])?;
        return e.keep(dx);
    }
    let mut dx = e.gradient(op, &x.shape)?;
    let inputs = (&*x.read(op, "x")?, &*dy.read(op, "dy")?, &*y.read(op, "y")?);
    cpu::backward(&e.cancel(op), (kind, over), inputs, last(&x), dx.f32())?;
    dx.keep(e)
}

/// Place of the largest element: i32, of all (`[1]`), of each column (`[n]`) or of each row (`[..]`).
pub fn argmax(e: &Engine, x: Handle, over: Over) -> Result<Handle> {
    let rule = match over {
        Over::All => &rules::ARGMAX_ALL,
        Over::Rows => &rules::ARGMAX_ROWS,
        Over::Columns => &rules::ARGMAX_COLUMNS,
    };
    let mut args = rule.of(e);
    let (op, x) = (args.op, args.take(x)?);
    expect_some(op, Reduction::Max, over, &x)?;
    if let Some(far) = args.far()? {
        let y = far.allocate(&shape_over(&x, over), DType::I32, (Category::Activations, op))?;
        let launch = match over {
            Over::All => gpu::argmax_along_rows(1, x.elements()),
            Over::Rows => gpu::argmax_down_columns(last(&x), x.elements()),
            Over::Columns => gpu::argmax_along_rows(y.elements(), last(&x)),
        };
        far.run(&launch, &[&x, &y])?;
        return e.keep(y);
    }
    let mut y = e.allocate(op, &shape_over(&x, over), DType::I32, (Category::Activations, op), Fill::Any)?;
    cpu::argmax(over, &x.read(op, "x")?, last(&x), y.elements::<i32>());
    y.keep(e)
}

/// The `k` largest of each row of `x[.., n]`, falling, and their places (i32): both `[.., k]`.
pub fn top_k(e: &Engine, x: Handle, k: usize) -> Result<(Handle, Handle)> {
    let mut args = rules::TOP_K.of(e);
    let (op, x) = (args.op, args.take(x)?);
    let [n] = args.dims(["n"])?;
    if k > n {
        return Err(Error::option(op, "k", k, format!("at most the length of a row, {n}")));
    }
    let shape = crate::shape::with_last(&x.shape, k);
    let mut values = e.output(op, &shape)?;
    let mut places = e.allocate(op, &shape, DType::I32, (Category::Activations, op), Fill::Any)?;
    cpu::top_k(&e.cancel(op), &x.read(op, "x")?, n, k, values.f32(), places.elements::<i32>())?;
    Ok((values.keep(e)?, places.keep(e)?))
}

/// One result for everything, for each column or for each row.
fn far_reduce(far: &Far<'_>, kind: Reduction, over: Over, x: &Tensor) -> Result<Tensor> {
    let (n, elements, shape) = (last(x), x.elements(), shape_over(x, over));
    match over {
        Over::All => {
            let (joining, blocks) = (Joining { kind, count: elements }, elements.div_ceil(gpu::BLOCK));
            let (partial, y) = (far.workspace(&[blocks])?, far.output(&shape)?);
            far.run(&gpu::along_rows(joining, [blocks, gpu::BLOCK], elements, 0, Pass::First), &[x, &partial])?;
            far.run(&gpu::along_rows(joining, [1, blocks], blocks, 0, Pass::Last), &[&partial, &y])?;
            Ok(y)
        }
        Over::Rows => {
            let rows = elements.checked_div(n).unwrap_or(0);
            far_down(far, Joining { kind, count: rows }, x, [rows, n], &shape)
        }
        Over::Columns => {
            let rows = shape.iter().product();
            let y = far.output(&shape)?;
            far.run(&gpu::along_rows(Joining { kind, count: n }, [rows, n], elements, 0, Pass::Only), &[x, &y])?;
            Ok(y)
        }
    }
}

/// Down each column: blocks of rows, then their results in order, as on the processor.
fn far_down(far: &Far<'_>, joining: Joining, x: &Tensor, [rows, n]: [usize; 2], shape: &[usize]) -> Result<Tensor> {
    let (y, blocks) = (far.output(shape)?, rows.div_ceil(gpu::ROWS));
    if blocks <= 1 {
        far.run(&gpu::down_columns(joining, [rows, n], gpu::ROWS, Pass::Only), &[x, &y])?;
        return Ok(y);
    }
    let partial = far.workspace(&[blocks, n])?;
    far.run(&gpu::down_columns(joining, [rows, n], gpu::ROWS, Pass::First), &[x, &partial])?;
    far.run(&gpu::down_columns(joining, [blocks, n], blocks, Pass::Last), &[&partial, &y])?;
    Ok(y)
}

/// Partial sums of many tensors, or of their squares: made there in f32, to be added up here in double precision.
pub(super) fn far_sums(far: &Far<'_>, kind: Reduction, xs: &[Tensor]) -> Result<Vec<f64>> {
    let blocks = |x: &Tensor| x.elements().div_ceil(gpu::BLOCK);
    let all = xs.iter().map(blocks).sum();
    let (partial, mut start) = (far.workspace(&[all])?, 0);
    for x in xs {
        let (joining, elements) = (Joining { kind, count: 1 }, x.elements());
        far.run(&gpu::along_rows(joining, [blocks(x), gpu::BLOCK], elements, start, Pass::First), &[x, &partial])?;
        start += blocks(x);
    }
    Ok(bytemuck::pod_collect_to_vec::<u8, f32>(&far.download(&partial)?).into_iter().map(f64::from).collect())
}

fn last(x: &Tensor) -> usize {
    x.shape.last().copied().unwrap_or(1)
}

fn shape_over(x: &Tensor, over: Over) -> Vec<usize> {
    match over {
        Over::All => vec![1],
        Over::Rows => vec![last(x)],
        Over::Columns => x.shape[..x.shape.len() - 1].to_vec(),
    }
}

/// Means and largest elements need elements.
fn expect_some(op: &'static str, kind: Reduction, over: Over, x: &Tensor) -> Result<()> {
    let results: usize = shape_over(x, over).iter().product();
    if matches!(kind, Reduction::Mean | Reduction::Max) && x.elements() == 0 && results > 0 {
        return Err(Error::shape(op, "x", &x.shape, format!("elements to take the {} of", kind.name())));
    }
    Ok(())
}
