//! Sums, means, largest elements, norms; their places; the largest few.

use super::rules;
use crate::cpu::buffer::Fill;
use crate::cpu::reduce as cpu;
use crate::dtype::DType;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
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
    let mut y = e.output(op, &[n])?;
    let mut partial = e.workspace(op, cpu::sum_rows_blocks(rows) * n)?;
    cpu::sum_rows(&e.cancel(op), &x.read(op, "x")?, partial.f32(), y.f32())?;
    y.keep(e)
}

/// The sum of all elements, in double precision and a fixed order.
pub fn sum(e: &Engine, x: Handle) -> Result<f64> {
    let x = rules::SUM.of(e).take(x)?;
    let op = rules::SUM.op;
    cpu::sum(&e.cancel(op), &x.read(op, "x")?, |x| x)
}

/// `x` to one number for everything (`[1]`), for each column (`[n]`, over rows) or for each row (`[..]`, over columns).
pub fn reduce_forward(e: &Engine, x: Handle, kind: Reduction, over: Over) -> Result<Handle> {
    let rule = match over {
        Over::All => &rules::REDUCE_ALL_FORWARD,
        Over::Rows => &rules::REDUCE_ROWS_FORWARD,
        Over::Columns => &rules::REDUCE_COLUMNS_FORWARD,
    };
    let (op, x) = (rule.op, rule.of(e).take(x)?);
    let n = last(&x);
    expect_some(op, kind, over, &x)?;
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
    let (op, x) = (rule.op, rule.of(e).take(x)?);
    expect_some(op, Reduction::Max, over, &x)?;
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
