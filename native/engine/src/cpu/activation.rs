//! Activation functions with their derivatives, alone, after a bias, or as the gate of a product. Written without
//! branches, so that the compiler makes vectors of them.

use crate::cancel::Cancel;
use crate::cpu::exp::{exp, sigmoid};
use crate::cpu::pool;
use crate::error::Result;

/// An activation function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `max(0, x)`.
    Relu,
    /// `x / (1 + e^−x)` (Elfwing et al. 2017).
    Silu,
    /// `x·Φ(x)` with the normal distribution's Φ (Hendrycks and Gimpel 2016).
    Gelu,
    /// Its approximation `x / 2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))`.
    GeluTanh,
}

impl Activation {
    /// All of them, in the order that messages print.
    pub const ALL: [Activation; 4] = [Activation::Relu, Activation::Silu, Activation::Gelu, Activation::GeluTanh];

    /// The name in JavaScript.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Relu => "relu",
            Activation::Silu => "silu",
            Activation::Gelu => "gelu",
            Activation::GeluTanh => "geluTanh",
        }
    }

    /// Runs `task` with the function that gives value and derivative.
    fn with(self, task: impl Task) -> Result<()> {
        match self {
            Activation::Relu => task.run(relu),
            Activation::Silu => task.run(silu),
            Activation::Gelu => task.run(gelu),
            Activation::GeluTanh => task.run(gelu_tanh),
        }
    }
}

/// A loop that is compiled for each function.
trait Task {
    fn run(self, f: impl Fn(f32) -> (f32, f32) + Sync) -> Result<()>;
}

#[inline(always)]
fn relu(x: f32) -> (f32, f32) {
    if x > 0.0 { (x, 1.0) } else { (0.0 * x, 0.0) }
}

#[inline(always)]
fn silu(x: f32) -> (f32, f32) {
    let s = sigmoid(x);
    (x * s, s * (1.0 + x * (1.0 - s)))
}

#[inline(always)]
fn gelu(x: f32) -> (f32, f32) {
    const HALF_ROOT: f32 = std::f32::consts::FRAC_1_SQRT_2;
    // 1/√(2π)
    const DENSITY: f32 = 0.398_942_3;
    let z = x.abs() * HALF_ROOT;
    // erfc(z) ≈ t·e^(−z² + polynomial in t), within 1.2·10^−7 of itself (Press et al., Numerical Recipes, §6.2).
    let t = 1.0 / (1.0 + 0.5 * z);
    let p = ((((0.170_872_77 * t - 0.822_152_23) * t + 1.488_515_9) * t - 1.135_204) * t + 0.278_868_07) * t;
    let p = ((((p - 0.186_288_06) * t + 0.096_784_18) * t + 0.374_091_96) * t + 1.000_023_7) * t - 1.265_512_2;
    let tail = 0.5 * t * exp(p - z * z);
    let phi = if x > 0.0 { 1.0 - tail } else { tail };
    (x * phi, phi + x * DENSITY * exp(-z * z))
}

#[inline(always)]
fn gelu_tanh(x: f32) -> (f32, f32) {
    // 2·√(2/π)
    const TWICE: f32 = 1.595_769;
    const CUBE: f32 = 0.044_715;
    let s = sigmoid(TWICE * (x + CUBE * x * x * x));
    (x * s, s + x * s * (1.0 - s) * TWICE * (1.0 + 3.0 * CUBE * x * x))
}

/// `y[m, n] = f(x + bias[n])`; without a bias, of any shape.
pub fn forward(cancel: &Cancel, kind: Activation, x: &[f32], bias: Option<&[f32]>, y: &mut [f32]) -> Result<()> {
    struct Forward<'a>(&'a Cancel, &'a [f32], Option<&'a [f32]>, &'a mut [f32]);
    impl Task for Forward<'_> {
        fn run(self, f: impl Fn(f32) -> (f32, f32) + Sync) -> Result<()> {
            let Forward(cancel, x, bias, y) = self;
            match bias {
                Some(bias) => super::elementwise::zip_rows(
                    cancel,
                    x,
                    bias,
                    y,
                    #[inline(always)]
                    |x, bias| f(x + bias).0,
                ),
                None => super::elementwise::map(
                    cancel,
                    x,
                    y,
                    #[inline(always)]
                    |x| f(x).0,
                ),
            }
        }
    }
    kind.with(Forward(cancel, x, bias, y))
}

/// `dx = dy·f′(x + bias)`.
pub fn backward(
    cancel: &Cancel,
    kind: Activation,
    inputs: (&[f32], &[f32]),
    bias: Option<&[f32]>,
    dx: &mut [f32],
) -> Result<()> {
    struct Backward<'a>(&'a Cancel, (&'a [f32], &'a [f32]), Option<&'a [f32]>, &'a mut [f32]);
    impl Task for Backward<'_> {
        fn run(self, f: impl Fn(f32) -> (f32, f32) + Sync) -> Result<()> {
            let Backward(cancel, (dy, x), bias, dx) = self;
            let n = bias.map_or(1, <[f32]>::len).max(1);
            pool::rows(
                cancel,
                dx,
                n,
                #[inline(always)]
                |first, dx| match bias {
                    None => {
                        for ((dx, &dy), &x) in dx.iter_mut().zip(&dy[first..]).zip(&x[first..]) {
                            *dx = dy * f(x).1;
                        }
                    }
                    Some(bias) => {
                        let rows = dy[first * n..].chunks_exact(n).zip(x[first * n..].chunks_exact(n));
                        for (dx, (dy, x)) in dx.chunks_exact_mut(n).zip(rows) {
                            for (((dx, &dy), &x), &bias) in dx.iter_mut().zip(dy).zip(x).zip(bias) {
                                *dx = dy * f(x + bias).1;
                            }
                        }
                    }
                },
            )
        }
    }
    kind.with(Backward(cancel, inputs, bias, dx))
}

/// `y = f(gate)·up`.
pub fn gated_forward(cancel: &Cancel, kind: Activation, gate: &[f32], up: &[f32], y: &mut [f32]) -> Result<()> {
    struct Gated<'a>(&'a Cancel, &'a [f32], &'a [f32], &'a mut [f32]);
    impl Task for Gated<'_> {
        fn run(self, f: impl Fn(f32) -> (f32, f32) + Sync) -> Result<()> {
            let Gated(cancel, gate, up, y) = self;
            super::elementwise::zip(
                cancel,
                gate,
                up,
                y,
                #[inline(always)]
                |gate, up| f(gate).0 * up,
            )
        }
    }
    kind.with(Gated(cancel, gate, up, y))
}

/// `dgate = dy·up·f′(gate)` and `dup = dy·f(gate)`.
pub fn gated_backward(
    cancel: &Cancel,
    kind: Activation,
    inputs: (&[f32], &[f32], &[f32]),
    dgate: &mut [f32],
    dup: &mut [f32],
) -> Result<()> {
    struct Gated<'a>(&'a Cancel, (&'a [f32], &'a [f32], &'a [f32]), &'a mut [f32], &'a mut [f32]);
    impl Task for Gated<'_> {
        fn run(self, f: impl Fn(f32) -> (f32, f32) + Sync) -> Result<()> {
            let Gated(cancel, (dy, gate, up), dgate, dup) = self;
            pool::blocks2(
                cancel,
                (dgate, 1),
                (dup, 1),
                pool::rows_per_task(1),
                #[inline(always)]
                |first, dgate, dup| {
                    let inputs = dy[first..].iter().zip(&gate[first..]).zip(&up[first..]);
                    for ((dgate, dup), ((&dy, &gate), &up)) in dgate.iter_mut().zip(dup).zip(inputs) {
                        let (value, slope) = f(gate);
                        *dgate = dy * up * slope;
                        *dup = dy * value;
                    }
                },
            )
        }
    }
    kind.with(Gated(cancel, inputs, dgate, dup))
}
