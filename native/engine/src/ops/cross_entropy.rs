//! A linear layer and softmax cross-entropy in one, in chunks of tokens: the logits never exist whole.

use super::far::Far;
use super::matmul::expect_f32;
use super::rules;
use crate::Cancel;
use crate::cpu::cross_entropy as cpu;
use crate::cpu::gemm::{self, Gemm, MatRef};
use crate::device::Device;
use crate::dtype::DType;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
use crate::gpu::matmul::{self, Product};
use crate::gpu::{copy, cross_entropy as gpu};
use crate::memory::Category;
use crate::precision::Precision;
use crate::tensor::Tensor;

/// Elements of the logits that exist at once (8 MiB of f32), unless one row is longer.
const CHUNK: usize = 2 << 20;

/// Options of [`linear_cross_entropy`].
#[derive(Debug, Clone, Copy)]
pub struct CrossEntropyOptions {
    /// Targets of this value are not counted.
    pub ignore_index: i32,
    /// Also the gradient of `x`.
    pub want_input: bool,
    /// Also the gradient of `weight`.
    pub want_weight: bool,
    /// Also each token's loss.
    pub want_token_losses: bool,
    /// The gradients are of this times the loss.
    pub gradient_scale: f64,
    /// What the products' operands are rounded to.
    pub precision: Precision,
    /// ε: the target counts 1 − ε, and all words together ε (Szegedy et al. 2016, §7).
    pub label_smoothing: f64,
}

impl Default for CrossEntropyOptions {
    fn default() -> Self {
        CrossEntropyOptions {
            ignore_index: -100,
            want_input: false,
            want_weight: false,
            want_token_losses: false,
            gradient_scale: 1.0,
            precision: Precision::F32,
            label_smoothing: 0.0,
        }
    }
}

/// What [`linear_cross_entropy`] returns.
#[derive(Debug, Clone, Copy)]
pub struct CrossEntropyResult {
    /// `Σ` of the losses of the counted tokens.
    pub loss: f64,
    /// Number of counted tokens.
    pub tokens: usize,
    /// `[tokens]`: 0 where not counted.
    pub token_losses: Option<Handle>,
    /// Gradient of `x`.
    pub input: Option<Handle>,
    /// Gradient of `weight`.
    pub weight: Option<Handle>,
}

/// `x[.., d]` · `weight[vocabulary, d]` · `targets[tokens]` i32 → `Σ −log softmax(x·weightᵀ)[target]` and its gradients
pub fn linear_cross_entropy(
    e: &Engine,
    x: Handle,
    weight: Handle,
    targets: Handle,
    options: CrossEntropyOptions,
) -> Result<CrossEntropyResult> {
    let mut args = rules::LINEAR_CROSS_ENTROPY.of(e);
    let (op, weight, x, targets) = (args.op, args.take(weight)?, args.take(x)?, args.take_anywhere(targets)?);
    let [vocabulary, width, tokens] = args.dims(["vocabulary", "d", "tokens"])?;
    if !(0.0..=1.0).contains(&options.label_smoothing) {
        return Err(Error::option(op, "labelSmoothing", options.label_smoothing, "a number from 0 to 1"));
    }
    let rows = (CHUNK / vocabulary).clamp(1, tokens.max(1));
    if let Some(far) = args.far()? {
        let ids = read_targets(op, &far.numbers(&targets, "targets")?, options.ignore_index, vocabulary)?;
        return far_loss(e, &far, op, (&x, &weight, &ids), [rows, width], options);
    }
    let ids = read_targets(op, &targets.read::<i32>(op, "targets")?, options.ignore_index, vocabulary)?;
    let mut losses = e.output(op, &[tokens])?;
    let mut dx = options.want_input.then(|| e.gradient(op, &x.shape)).transpose()?;
    let mut dweight = options.want_weight.then(|| e.gradient(op, &weight.shape)).transpose()?;
    if let Some(dweight) = &mut dweight {
        dweight.f32().fill(0.0);
    }
    let mut logits = e.workspace(op, rows * vocabulary)?;
    let products =
        [(true, rows, width), (options.want_input, rows, vocabulary), (options.want_weight, vocabulary, rows)];
    let panels = products.into_iter().filter(|product| product.0).map(|(_, m, k)| gemm::workspace_bytes(m, k));
    let panels = panels.max().unwrap_or(0);
    let _panels = e.charge(op, Device::Cpu, Category::Workspace, op, panels)?;
    let (x, weight) = (x.read::<f32>(op, "x")?, weight.read::<f32>(op, "weight")?);
    let gemm = Gemm::new(options.precision)?;
    let chunk = Chunk { gemm, cancel: &e.cancel(op), vocabulary, width, weight: &weight, options };
    for first in (0..tokens).step_by(rows) {
        let range = first..tokens.min(first + rows);
        let features = range.start * width..range.end * width;
        chunk.run(
            &x[features.clone()],
            &ids[range.clone()],
            &mut logits.f32()[..range.len() * vocabulary],
            &mut losses.f32()[range],
            dx.as_mut().map(|dx| &mut dx.f32()[features]),
            dweight.as_mut().map(|dweight| dweight.f32()),
        )?;
    }
    let loss = losses.f32().iter().map(|&loss| f64::from(loss)).sum();
    Ok(CrossEntropyResult {
        loss,
        tokens: ids.iter().flatten().count(),
        token_losses: if options.want_token_losses { Some(losses.keep(e)?) } else { None },
        input: dx.map(|dx| dx.keep(e)).transpose()?,
        weight: dweight.map(|dweight| dweight.keep(e)).transpose()?,
    })
}

/// The same on a GPU, where losses are made in the same chunks; their sum is made here.
fn far_loss(
    e: &Engine,
    far: &Far<'_>,
    op: &'static str,
    (x, weight, ids): (&Tensor, &Tensor, &[Option<usize>]),
    [rows, width]: [usize; 2],
    options: CrossEntropyOptions,
) -> Result<CrossEntropyResult> {
    expect_f32(op, options.precision)?;
    let (tokens, vocabulary) = (ids.len(), weight.shape[0]);
    let words: Vec<_> = ids.iter().map(|id| id.map_or(gpu::IGNORED, |id| id as u32)).collect();
    let targets = far.upload(&[tokens], DType::I32, bytemuck::cast_slice(&words))?;
    let losses = far.output(&[tokens])?;
    let dx = options.want_input.then(|| far.gradient(&x.shape)).transpose()?;
    let dweight = options.want_weight.then(|| far.gradient(&weight.shape)).transpose()?;
    if let Some(dweight) = dweight.as_ref().filter(|_| tokens == 0) {
        far.run(&copy::fill(dweight.elements(), 0), &[dweight])?;
    }
    let logits = far.workspace(&[rows, vocabulary])?;
    let scale = (options.want_input || options.want_weight).then_some(options.gradient_scale as f32);
    for first in (0..tokens).step_by(rows) {
        let (count, start) = (rows.min(tokens - first), first * width);
        let product = Product { transpose_b: true, a_start: start, ..Product::plain([count, vocabulary, width]) };
        far.run_all(&matmul::matmul(product), &[x, weight, x, x, &logits])?;
        let launch = gpu::loss([count, vocabulary], first, scale, options.label_smoothing as f32);
        far.run(&launch, &[&logits, &targets, &losses])?;
        if let Some(dx) = &dx {
            let product = Product { y_start: start, ..Product::plain([count, width, vocabulary]) };
            far.run_all(&matmul::matmul(product), &[&logits, weight, weight, weight, dx])?;
        }
        if let Some(dweight) = &dweight {
            let (transpose_a, accumulate) = (true, first > 0);
            let plain = Product::plain([vocabulary, width, count]);
            let product = Product { transpose_a, accumulate, b_start: start, ..plain };
            far.run_all(&matmul::matmul(product), &[&logits, x, x, x, dweight])?;
        }
    }
    let of_tokens = bytemuck::pod_collect_to_vec::<u8, f32>(&far.download(&losses)?);
    Ok(CrossEntropyResult {
        loss: of_tokens.iter().map(|&loss| f64::from(loss)).sum(),
        tokens: ids.iter().flatten().count(),
        token_losses: if options.want_token_losses { Some(e.keep(losses)?) } else { None },
        input: dx.map(|dx| e.keep(dx)).transpose()?,
        weight: dweight.map(|dweight| e.keep(dweight)).transpose()?,
    })
}

/// Targets as row numbers; `None` where not counted.
fn read_targets(op: &'static str, targets: &[i32], ignore: i32, vocabulary: usize) -> Result<Vec<Option<usize>>> {
    let check = |(at, &target): (usize, &i32)| {
        if target == ignore {
            return Ok(None);
        }
        usize::try_from(target).ok().filter(|&id| id < vocabulary).map(Some).ok_or_else(|| {
            let expected = format!("0 … {vocabulary} − 1, or {ignore} (not counted)");
            Error::option(op, "targets", format!("{target} at position {at}"), expected)
        })
    };
    targets.iter().enumerate().map(check).collect()
}

/// What all chunks share.
struct Chunk<'a> {
    gemm: Gemm,
    cancel: &'a Cancel,
    vocabulary: usize,
    width: usize,
    weight: &'a [f32],
    options: CrossEntropyOptions,
}

impl Chunk<'_> {
    fn run(
        &self,
        x: &[f32],
        ids: &[Option<usize>],
        logits: &mut [f32],
        losses: &mut [f32],
        dx: Option<&mut [f32]>,
        dweight: Option<&mut [f32]>,
    ) -> Result<()> {
        let (tokens, n, d) = (ids.len(), self.vocabulary, self.width);
        let plain = |data, stride| MatRef { data, transposed: false, stride };
        let turned = |data, stride| MatRef { data, transposed: true, stride };
        self.gemm.matmul(tokens, n, d, plain(x, d), turned(self.weight, d), 1.0, logits, false, self.cancel)?;
        let scale = (dx.is_some() || dweight.is_some()).then_some(self.options.gradient_scale as f32);
        cpu::rows(self.cancel, logits, n, (ids, self.options.label_smoothing as f32), scale, losses)?;
        if let Some(dx) = dx {
            self.gemm.matmul(tokens, d, n, plain(logits, n), plain(self.weight, d), 1.0, dx, false, self.cancel)?;
        }
        if let Some(dweight) = dweight {
            self.gemm.matmul(n, d, tokens, turned(logits, n), plain(x, d), 1.0, dweight, true, self.cancel)?;
        }
        Ok(())
    }
}
