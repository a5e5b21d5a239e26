//! Optimizers: one step for every parameter in one call, in place; the norm of the gradients.

use napi_derive::napi;
use nibble_engine::cpu::{adamw, lion, muon, sgd};
use nibble_engine::ops::optimizer as ops;
use nibble_engine::{Engine, Error};

use crate::error::{OrThrow, Result};
use crate::tensor::Handle;

/// Numbers of one step of AdamW.
#[napi(object)]
pub struct AdamWOptions {
    /// η.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// ε, added after the square root.
    pub epsilon: f64,
    /// λ: a parameter shrinks by η·λ of itself.
    pub weight_decay: f64,
    /// Number of the step, from 1.
    pub step: f64,
    /// Multiplies every gradient. Default: 1.
    pub gradient_scale: Option<f64>,
}

impl AdamWOptions {
    fn convert(self) -> adamw::AdamW {
        adamw::AdamW {
            learning_rate: self.learning_rate,
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
            weight_decay: self.weight_decay,
            step: self.step,
            gradient_scale: self.gradient_scale.unwrap_or(1.0),
        }
    }
}

/// One step of AdamW (Loshchilov and Hutter 2019) for every parameter, in place.
#[napi(catch_unwind)]
pub fn adamw_step(
    parameters: Vec<Handle>,
    gradients: Vec<Handle>,
    first: Vec<Handle>,
    second: Vec<Handle>,
    options: AdamWOptions,
) -> Result<()> {
    ops::adamw_step(Engine::process(), &parameters, &gradients, &first, &second, options.convert()).or_throw()
}

/// One moment of every parameter in eight bits; zeros before the first step.
#[napi(object)]
pub struct Moment8Bit {
    /// u8, shaped like the parameters.
    pub codes: Vec<Handle>,
    /// f32 `[⌈elements / 256⌉]`: the largest magnitude of each block.
    pub scales: Vec<Handle>,
}

/// One step of AdamW with moments of eight bits in blocks of 256 (Dettmers et al. 2022) for every parameter, in place:
/// the first on the signed dynamic map, the second on the unsigned one.
#[napi(catch_unwind)]
pub fn adamw8bit_step(
    parameters: Vec<Handle>,
    gradients: Vec<Handle>,
    first: Moment8Bit,
    second: Moment8Bit,
    options: AdamWOptions,
) -> Result<()> {
    let [first, second] = [&first, &second].map(|m| ops::Moment8Bit { codes: &m.codes, scales: &m.scales });
    ops::adamw_8bit_step(Engine::process(), &parameters, &gradients, first, second, options.convert()).or_throw()
}

/// Numbers of one step of Lion.
#[napi(object)]
pub struct LionOptions {
    /// η.
    pub learning_rate: f64,
    /// Share of the momentum in the direction.
    pub beta1: f64,
    /// Decay of the momentum.
    pub beta2: f64,
    /// λ: a parameter shrinks by η·λ of itself.
    pub weight_decay: f64,
    /// Multiplies every gradient. Default: 1.
    pub gradient_scale: Option<f64>,
}

/// One step of Lion (Chen et al. 2023) for every parameter, in place.
#[napi(catch_unwind)]
pub fn lion_step(
    parameters: Vec<Handle>,
    gradients: Vec<Handle>,
    momentum: Vec<Handle>,
    options: LionOptions,
) -> Result<()> {
    let options = lion::Lion {
        learning_rate: options.learning_rate,
        beta1: options.beta1,
        beta2: options.beta2,
        weight_decay: options.weight_decay,
        gradient_scale: options.gradient_scale.unwrap_or(1.0),
    };
    ops::lion_step(Engine::process(), &parameters, &gradients, &momentum, options).or_throw()
}

/// Numbers of one step of gradient descent.
#[napi(object)]
pub struct SgdOptions {
    /// η.
    pub learning_rate: f64,
    /// μ; 0 is plain descent, without states.
    pub momentum: f64,
    /// Look ahead by one more momentum.
    pub nesterov: bool,
    /// λ, added to the gradient as λ·p.
    pub weight_decay: f64,
    /// Multiplies every gradient. Default: 1.
    pub gradient_scale: Option<f64>,
}

/// One step of gradient descent, with momentum, for every parameter, in place.
#[napi(catch_unwind)]
pub fn sgd_step(
    parameters: Vec<Handle>,
    gradients: Vec<Handle>,
    momentum: Vec<Handle>,
    options: SgdOptions,
) -> Result<()> {
    let options = sgd::Sgd {
        learning_rate: options.learning_rate,
        momentum: options.momentum,
        nesterov: options.nesterov,
        weight_decay: options.weight_decay,
        gradient_scale: options.gradient_scale.unwrap_or(1.0),
    };
    ops::sgd_step(Engine::process(), &parameters, &gradients, &momentum, options).or_throw()
}

/// Numbers of one step of Muon.
#[napi(object)]
pub struct MuonOptions {
    /// η.
    pub learning_rate: f64,
    /// μ: decay of the momentum.
    pub momentum: f64,
    /// Look ahead by one more momentum.
    pub nesterov: bool,
    /// λ: a parameter shrinks by η·λ of itself.
    pub weight_decay: f64,
    /// How a step's size follows the matrix's: 0.2·√max(rows, columns), a step as large as AdamW's (Liu et al. 2025), or
    /// √max(1, rows / columns) (Jordan et al. 2024).
    #[napi(ts_type = "\"match_rms_adamw\" | \"original\"")]
    pub adjust: String,
    /// Multiplies every gradient. Default: 1.
    pub gradient_scale: Option<f64>,
}

/// One step of Muon (Jordan et al. 2024) for every matrix, in place: its momentum, orthogonalized by five Newton–Schulz
/// iterations.
#[napi(catch_unwind)]
pub fn muon_step(
    parameters: Vec<Handle>,
    gradients: Vec<Handle>,
    momentum: Vec<Handle>,
    options: MuonOptions,
) -> Result<()> {
    let adjust = match options.adjust.as_str() {
        "match_rms_adamw" => muon::Adjust::MatchRmsAdamW,
        "original" => muon::Adjust::Original,
        other => {
            let expected = "\"match_rms_adamw\" or \"original\"";
            return Err(Error::option("muonStep", "adjust", format!("\"{other}\""), expected)).or_throw();
        }
    };
    let options = muon::Muon {
        learning_rate: options.learning_rate,
        momentum: options.momentum,
        nesterov: options.nesterov,
        weight_decay: options.weight_decay,
        adjust,
        gradient_scale: options.gradient_scale.unwrap_or(1.0),
    };
    ops::muon_step(Engine::process(), &parameters, &gradients, &momentum, options).or_throw()
}

/// `√ Σ g²` over all gradients, in double precision and a fixed order.
#[napi(catch_unwind)]
pub fn global_norm(gradients: Vec<Handle>) -> Result<f64> {
    ops::global_norm(Engine::process(), &gradients).or_throw()
}
