//! Causal attention with grouped heads.

use crate::cpu::attention::{self as cpu, Saved, Sizes};
use crate::cpu::pool;
use crate::device::Device;
use crate::dtype::DType;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
use crate::memory::{Category, Charge};
use crate::tensor::Tensor;

/// Options of attention.
#[derive(Debug, Clone, Copy)]
pub struct AttentionOptions {
    /// Sequences.
    pub batch: usize,
    /// Heads of the queries.
    pub heads: usize,
    /// Heads of keys and values.
    pub kv_heads: usize,
    /// Factor of the scores; `1 / √width` when not given.
    pub scale: Option<f64>,
}

/// `q[batch·queries, heads·width]` · `k, v[batch·keys, kv_heads·width]` → `y` like `q`,
/// `log_sum_exp[batch, heads, queries]`; query `i` sees keys up to position `keys − queries + i`.
pub fn attention_forward(
    e: &Engine,
    q: Handle,
    k: Handle,
    v: Handle,
    options: AttentionOptions,
) -> Result<(Handle, Handle)> {
    const OP: &str = "attentionForward";
    let (q, k, v) = (e.tensor(OP, "q", q)?, e.tensor(OP, "k", k)?, e.tensor(OP, "v", v)?);
    let s = sizes(OP, &q, &k, &v, options)?;
    let cancel = e.cancel(OP);
    let mut y = e.output(OP, &q.shape)?;
    let mut lse = e.output(OP, &[s.batch, s.heads, s.queries])?;
    let _scores = charge_scores(e, OP, &s, 1)?;
    let mut by_head = e.workspace(OP, q.elements())?;
    let inputs = (&*q.read(OP, "q")?, &*k.read(OP, "k")?, &*v.read(OP, "v")?);
    cpu::forward(&cancel, &s, inputs, by_head.f32(), lse.f32())?;
    cpu::merge_heads(&cancel, by_head.f32(), s.queries, s.heads, s.width, y.f32())?;
    Ok((y.keep(e)?, lse.keep(e)?))
}

/// Charges the blocks of scores that the tasks hold.
fn charge_scores(e: &Engine, op: &'static str, s: &Sizes, blocks: usize) -> Result<Charge> {
    let tasks = pool::threads().min(s.batch * s.heads);
    e.charge(op, Device::Cpu, Category::Workspace, op, tasks * blocks * s.block_elements() * size_of::<f32>())
}

/// What [`attention_backward`] needs of the forward pass.
#[derive(Debug, Clone, Copy)]
pub struct AttentionSaved {
    /// Queries.
    pub q: Handle,
    /// Keys.
    pub k: Handle,
    /// Values.
    pub v: Handle,
    /// The result.
    pub y: Handle,
    /// The logarithms of the denominators.
    pub log_sum_exp: Handle,
}

/// Gradients of [`attention_forward`]: of `q`, `k` and `v`.
pub fn attention_backward(
    e: &Engine,
    dy: Handle,
    saved: AttentionSaved,
    options: AttentionOptions,
) -> Result<[Handle; 3]> {
    const OP: &str = "attentionBackward";
    let (q, k, v) = (e.tensor(OP, "q", saved.q)?, e.tensor(OP, "k", saved.k)?, e.tensor(OP, "v", saved.v)?);
    let (dy, y) = (e.tensor(OP, "dy", dy)?, e.tensor(OP, "y", saved.y)?);
    let lse = e.tensor(OP, "logSumExp", saved.log_sum_exp)?;
    let s = sizes(OP, &q, &k, &v, options)?;
    for (name, t) in [("dy", &dy), ("y", &y)] {
        t.expect(OP, name, DType::F32)?;
        t.expect_shape(OP, name, &q.shape)?;
    }
    lse.expect(OP, "logSumExp", DType::F32)?;
    lse.expect_shape(OP, "logSumExp", &[s.batch, s.heads, s.queries])?;
    let cancel = e.cancel(OP);
    let (mut q_gradient, mut k_gradient) = (e.gradient(OP, &q.shape)?, e.gradient(OP, &k.shape)?);
    let mut v_gradient = e.gradient(OP, &v.shape)?;

    let _scores = charge_scores(e, OP, &s, 2)?;
    let mut delta = e.workspace(OP, s.batch * s.heads * s.queries)?;
    let mut dq = e.workspace(OP, q.elements())?;
    let (mut dk, mut dv) = (e.workspace(OP, k.elements())?, e.workspace(OP, v.elements())?);
    let dy = dy.read::<f32>(OP, "dy")?;
    cpu::fill_delta(&cancel, &s, &dy, &y.read(OP, "y")?, delta.f32())?;
    let (q, k, v) = (q.read::<f32>(OP, "q")?, k.read::<f32>(OP, "k")?, v.read::<f32>(OP, "v")?);
    let lse = lse.read::<f32>(OP, "logSumExp")?;
    let saved = Saved { dy: &dy, q: &q, k: &k, v: &v, log_sum_exp: &lse, delta: delta.f32() };
    cpu::backward(&cancel, &s, saved, dq.f32(), (dk.f32(), dv.f32()))?;
    cpu::merge_heads(&cancel, dq.f32(), s.queries, s.heads, s.width, q_gradient.f32())?;
    cpu::merge_heads(&cancel, dk.f32(), s.keys, s.kv_heads, s.width, k_gradient.f32())?;
    cpu::merge_heads(&cancel, dv.f32(), s.keys, s.kv_heads, s.width, v_gradient.f32())?;
    Ok([q_gradient.keep(e)?, k_gradient.keep(e)?, v_gradient.keep(e)?])
}

fn sizes(op: &'static str, q: &Tensor, k: &Tensor, v: &Tensor, options: AttentionOptions) -> Result<Sizes> {
    let AttentionOptions { batch, heads, kv_heads, scale } = options;
    if batch == 0 || heads == 0 || kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
        let got = format!("{batch}, {heads}, {kv_heads}");
        return Err(Error::option(op, "batch, heads, kvHeads", got, "positive numbers, heads a multiple of kvHeads"));
    }
    for (name, t) in [("q", q), ("k", k), ("v", v)] {
        t.expect(op, name, DType::F32)?;
    }
    let ((q_rows, q_row), (k_rows, k_row)) = (q.rows(), k.rows());
    if q_row == 0 || !q_row.is_multiple_of(heads) || !q_rows.is_multiple_of(batch) {
        return Err(Error::shape(op, "q", &q.shape, format!("[{batch}·queries, {heads}·width]")));
    }
    let width = q_row / heads;
    let (queries, keys) = (q_rows / batch, k_rows / batch);
    if k_row != kv_heads * width || !k_rows.is_multiple_of(batch) || keys < queries {
        let expected = format!("[{batch}·keys, {kv_heads}·{width}] with keys ≥ {queries}");
        return Err(Error::shape(op, "k", &k.shape, expected));
    }
    if v.rows() != k.rows() {
        return Err(Error::shape(op, "v", &v.shape, format!("{:?}, as k", k.shape)));
    }
    let scale = scale.unwrap_or(1.0 / (width as f64).sqrt());
    if !scale.is_finite() {
        return Err(Error::option(op, "scale", scale, "a finite number"));
    }
    Ok(Sizes { batch, heads, kv_heads, queries, keys, width, scale: scale as f32 })
}
