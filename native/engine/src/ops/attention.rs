//! Attention with grouped heads, masks and biases.

use super::far::Far;
use super::rules::{self, Call};
use crate::cpu::attention::{self as cpu, Bias, Kernel, Saved, Sizes};
use crate::cpu::pool;
use crate::device::Device;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
use crate::gpu::attention as gpu;
use crate::gpu::copy::{self, Blocks};
use crate::memory::{Category, Charge};
use crate::precision::Precision;
use crate::tensor::{Read, Tensor};

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
    /// Whether a query sees no key behind its own position.
    pub causal: bool,
    /// A query sees keys nearer than this.
    pub window: Option<usize>,
    /// Scores become `cap·tanh(score / cap)`.
    pub soft_cap: Option<f64>,
    /// u8 `[batch, keys]`: 0 for keys that nobody sees.
    pub key_mask: Option<Handle>,
    /// i32 `[batch]`: keys of each sequence.
    pub lengths: Option<Handle>,
    /// f32 `[heads]`: scores get `slope·(key − position)`.
    pub slopes: Option<Handle>,
    /// What the operands of its products are rounded to; softmax and sums are f32.
    pub precision: Precision,
}

impl AttentionOptions {
    /// Causal, and nothing else.
    pub fn new(batch: usize, heads: usize, kv_heads: usize) -> Self {
        AttentionOptions {
            batch,
            heads,
            kv_heads,
            scale: None,
            causal: true,
            window: None,
            soft_cap: None,
            key_mask: None,
            lengths: None,
            slopes: None,
            precision: Precision::F32,
        }
    }
}

/// `q[batch·queries, heads·width]` · `k, v[batch·keys, kv_heads·width]` → `y` like `q`, `log_sum_exp[batch, heads, queries]`;
/// query `i` stands at position `keys − queries + i`. A query that sees no key gets 0.
pub fn attention_forward(
    e: &Engine,
    q: Handle,
    k: Handle,
    v: Handle,
    options: AttentionOptions,
) -> Result<(Handle, Handle)> {
    let mut args = start(e, &rules::ATTENTION_FORWARD, &options)?;
    let (op, inputs) = (args.op, Inputs::take(&mut args, (q, k, v), &options)?);
    let s = inputs.sizes(&args, &options)?;
    if let Some(far) = args.far()? {
        let (bias, places) = inputs.far_bias(&far, op, &s, options.precision)?;
        let (y, lse) = (far.output(&inputs.q.shape)?, far.output(&[s.batch, s.heads, s.queries])?);
        far.run(&gpu::forward(&s, places), &[&inputs.q, &inputs.k, &inputs.v, &bias, &y, &lse])?;
        return Ok((e.keep(y)?, e.keep(lse)?));
    }
    let cancel = e.cancel(op);
    let mut y = e.output(op, &inputs.q.shape)?;
    let mut lse = e.output(op, &[s.batch, s.heads, s.queries])?;
    let _scratch = charge_tasks(e, op, &s, s.forward_elements())?;
    let read = inputs.read(op, &s)?;
    let (q, k, v) = (&*inputs.q.read(op, "q")?, &*inputs.k.read(op, "k")?, &*inputs.v.read(op, "v")?);
    let kernel = Kernel::new(options.precision)?;
    cpu::forward(&cancel, kernel, &s, (q, k, v), &read.bias(), y.f32(), lse.f32())?;
    Ok((y.keep(e)?, lse.keep(e)?))
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
    let mut args = start(e, &rules::ATTENTION_BACKWARD, &options)?;
    let (op, inputs) = (args.op, Inputs::take(&mut args, (saved.q, saved.k, saved.v), &options)?);
    let (dy, y, lse) = (args.take(dy)?, args.take(saved.y)?, args.take(saved.log_sum_exp)?);
    let s = inputs.sizes(&args, &options)?;
    if let Some(far) = args.far()? {
        let (bias, places) = inputs.far_bias(&far, op, &s, options.precision)?;
        let Inputs { q, k, v, .. } = &inputs;
        let moments = far.workspace(&[s.batch, s.heads, s.queries, 2])?;
        far.run(&gpu::backward_moments(&s), &[&dy, &y, &lse, &moments])?;
        let (dq, dk, dv) = (far.gradient(&q.shape)?, far.gradient(&k.shape)?, far.gradient(&v.shape)?);
        far.run(&gpu::backward_queries(&s, places), &[q, k, v, &bias, &dy, &moments, &dq])?;
        far.run(&gpu::backward_keys(&s, places), &[q, k, v, &bias, &dy, &moments, &dk, &dv])?;
        return Ok([e.keep(dq)?, e.keep(dk)?, e.keep(dv)?]);
    }
    let cancel = e.cancel(op);
    let mut dq = e.gradient(op, &inputs.q.shape)?;
    let (mut dk, mut dv) = (e.gradient(op, &inputs.k.shape)?, e.gradient(op, &inputs.v.shape)?);
    let _scratch = charge_tasks(e, op, &s, s.backward_elements())?;
    let mut delta = e.workspace(op, s.batch * s.heads * s.queries)?;
    let read = inputs.read(op, &s)?;
    let dy = dy.read::<f32>(op, "dy")?;
    cpu::fill_delta(&cancel, &s, &dy, &y.read(op, "y")?, delta.f32())?;
    let (q, k, v) = (&*inputs.q.read(op, "q")?, &*inputs.k.read(op, "k")?, &*inputs.v.read(op, "v")?);
    let lse = lse.read::<f32>(op, "logSumExp")?;
    let saved = Saved { dy: &dy, q, k, v, log_sum_exp: &lse, delta: delta.f32() };
    let kernel = Kernel::new(options.precision)?;
    cpu::backward(&cancel, kernel, &s, saved, &read.bias(), dq.f32(), (dk.f32(), dv.f32()))?;
    Ok([dq.keep(e)?, dk.keep(e)?, dv.keep(e)?])
}

fn start<'a>(e: &'a Engine, rule: &'static rules::Rule, options: &AttentionOptions) -> Result<Call<'a>> {
    let AttentionOptions { batch, heads, kv_heads, .. } = *options;
    if kv_heads > 0 && !heads.is_multiple_of(kv_heads) {
        let got = format!("{heads}, {kv_heads}");
        return Err(Error::option(rule.op, "heads, kvHeads", got, "heads a multiple of kvHeads"));
    }
    rule.of(e).know([("batch", batch), ("heads", heads), ("kvHeads", kv_heads)])
}

/// Charges what the tasks that run at once hold.
fn charge_tasks(e: &Engine, op: &'static str, s: &Sizes, elements: usize) -> Result<Charge> {
    let tasks = pool::threads().min(s.batch * s.kv_heads);
    e.charge(op, Device::Cpu, Category::Workspace, op, tasks * elements * size_of::<f32>())
}

/// Errs unless every sequence has as many keys.
fn expect_lengths(op: &'static str, lengths: &[i32], keys: usize) -> Result<()> {
    match lengths.iter().find(|&&length| usize::try_from(length).map_or(true, |length| length > keys)) {
        None => Ok(()),
        Some(length) => Err(Error::option(op, "lengths", length, format!("0 … {keys}, the number of keys"))),
    }
}

/// The tensors that both passes take.
struct Inputs {
    q: Tensor,
    k: Tensor,
    v: Tensor,
    key_mask: Option<Tensor>,
    lengths: Option<Tensor>,
    slopes: Option<Tensor>,
}

/// The optional ones while they are read.
struct ReadBias<'a> {
    key_mask: Option<Read<'a, u8>>,
    lengths: Option<Read<'a, i32>>,
    slopes: Option<Read<'a, f32>>,
}

impl ReadBias<'_> {
    fn bias(&self) -> Bias<'_> {
        Bias { key_mask: self.key_mask.as_deref(), lengths: self.lengths.as_deref(), slopes: self.slopes.as_deref() }
    }
}

impl Inputs {
    fn take(args: &mut Call<'_>, (q, k, v): (Handle, Handle, Handle), options: &AttentionOptions) -> Result<Inputs> {
        Ok(Inputs {
            q: args.take(q)?,
            k: args.take(k)?,
            v: args.take(v)?,
            key_mask: args.take_some(options.key_mask)?,
            lengths: args.take_some(options.lengths)?,
            slopes: args.take_some(options.slopes)?,
        })
    }

    fn read(&self, op: &'static str, s: &Sizes) -> Result<ReadBias<'_>> {
        let lengths = self.lengths.as_ref().map(|t| t.read::<i32>(op, "lengths")).transpose()?;
        expect_lengths(op, lengths.as_deref().unwrap_or(&[]), s.keys)?;
        Ok(ReadBias {
            key_mask: self.key_mask.as_ref().map(|t| t.read(op, "keyMask")).transpose()?,
            lengths,
            slopes: self.slopes.as_ref().map(|t| t.read(op, "slopes")).transpose()?,
        })
    }

    /// What hides keys and leans scores as one tensor on a GPU, and where each lies in it; `q` where there is none of it. Errs
    /// for what the kernels do not take.
    fn far_bias(
        &self,
        far: &Far<'_>,
        op: &'static str,
        s: &Sizes,
        precision: Precision,
    ) -> Result<(Tensor, gpu::Bias)> {
        super::matmul::expect_f32(op, precision)?;
        if s.width > gpu::MOST_WIDTH {
            let expected = format!("heads of at most {} elements on a GPU", gpu::MOST_WIDTH);
            return Err(Error::shape(op, "q", &self.q.shape, expected));
        }
        if let Some(lengths) = &self.lengths {
            expect_lengths(op, &bytemuck::pod_collect_to_vec::<u8, i32>(&far.download(lengths)?), s.keys)?;
        }
        let mut end = 0;
        let parts = [&self.key_mask, &self.lengths, &self.slopes].map(|part| {
            let start = end;
            end += part.as_ref().map_or(0, |part| part.bytes().div_ceil(size_of::<u32>()));
            part.as_ref().map(|part| (part, start, end - start))
        });
        let [mask, lengths, slopes] = parts.map(|part| part.map(|(_, start, _)| start));
        let places = gpu::Bias { mask, lengths, slopes };
        if end == 0 {
            return Ok((self.q.clone(), places));
        }
        let bias = far.workspace(&[end])?;
        for &(part, start, words) in parts.iter().flatten() {
            let (from, to) = (Blocks { start: 0, stride: 0 }, Blocks { start, stride: 0 });
            far.run(&copy::blocks(1, words, from, to), &[part, &bias])?;
        }
        Ok((bias, places))
    }

    fn sizes(&self, args: &Call<'_>, options: &AttentionOptions) -> Result<Sizes> {
        let [batch, heads, kv_heads] = args.dims(["batch", "heads", "kvHeads"])?;
        let [queries, keys, width] = args.dims(["queries", "keys", "width"])?;
        let AttentionOptions { causal, window, soft_cap, .. } = *options;
        let op = args.op;
        if causal && keys < queries {
            let expected = format!("at least as many rows as q has, {}", batch * queries);
            return Err(Error::shape(op, "k", &self.k.shape, expected));
        }
        let scale = options.scale.unwrap_or(1.0 / (width as f64).sqrt());
        if !scale.is_finite() {
            return Err(Error::option(op, "scale", scale, "a finite number"));
        }
        if window == Some(0) {
            return Err(Error::option(op, "window", 0, "at least 1"));
        }
        if let Some(cap) = soft_cap.filter(|cap| !(cap.is_finite() && *cap > 0.0)) {
            return Err(Error::option(op, "softCap", cap, "a finite number above 0"));
        }
        let (scale, soft_cap) = (scale as f32, soft_cap.map(|cap| cap as f32));
        Ok(Sizes { batch, heads, kv_heads, queries, keys, width, scale, causal, window, soft_cap })
    }
}
