//! Every operation of the table of rules against its definition in double precision, and its gradient against central
//! differences of that: for sizes 0, 1, odd and around every block, on each instruction set of this machine.

use std::collections::BTreeSet;
use std::process::Command;

use nibble_engine::cpu::simd::Isa;
use nibble_engine::ops::activation::{self, Activation};
use nibble_engine::ops::reduce::{self, Over, Reduction};
use nibble_engine::ops::{data, dropout, elementwise as ops, norm, rules, softmax};
use nibble_engine::{Engine, Handle, Result, random as streams, reference};

use crate::helpers::{assert_close, assert_gradient, dot, normal, read, tensor};
use crate::random::Random;

/// Rows and columns.
pub const SIZES: [(usize, usize); 8] = [(0, 5), (1, 1), (3, 7), (5, 16), (31, 17), (33, 33), (65, 64), (130, 9)];

type Forward<'a> = dyn Fn(&Engine, &[Handle]) -> Result<Vec<Handle>> + 'a;
type Backward<'a> = dyn Fn(&Engine, &[Handle], &[Handle], Handle) -> Result<Vec<Handle>> + 'a;

/// Inputs by shape; the value, the gradients by the inputs given dy (none where there is nothing to learn), and the definition.
pub struct Case<'a> {
    pub name: String,
    pub shapes: Vec<Vec<usize>>,
    /// What random numbers become, where the operation is not defined for all.
    pub domain: fn(f32) -> f32,
    pub forward: &'a Forward<'a>,
    /// Of inputs, results and dy.
    pub backward: &'a Backward<'a>,
    pub twin: &'a dyn Fn(&[&[f64]]) -> Vec<f64>,
}

impl Case<'_> {
    /// The first result and the gradients agree.
    pub fn check(&self, e: &Engine, random: &mut Random) {
        let inputs: Vec<_> = self.shapes.iter().map(|shape| normal(e, random, shape)).collect();
        let values: Vec<Vec<f32>> =
            inputs.iter().map(|input| input.values.iter().map(|&v| (self.domain)(v as f32)).collect()).collect();
        let handles: Vec<_> = self.shapes.iter().zip(&values).map(|(shape, values)| tensor(e, shape, values)).collect();
        let exact: Vec<Vec<f64>> = values.iter().map(|v| v.iter().map(|&v| f64::from(v)).collect()).collect();
        let results = (self.forward)(e, &handles).unwrap();
        let twin = (self.twin)(&exact.iter().map(Vec::as_slice).collect::<Vec<_>>());
        assert_close(&self.name, &read(e, results[0]), &twin, 3e-6);
        let dy = normal(e, random, &crate::helpers::shape(e, results[0]));
        let gradients = (self.backward)(e, &handles, &results, dy.handle).unwrap();
        for (n, gradient) in gradients.into_iter().enumerate() {
            let loss = |moved: &[f64]| {
                let inputs: Vec<_> = exact.iter().enumerate().map(|(i, v)| if i == n { moved } else { v }).collect();
                dot(&(self.twin)(&inputs), &dy.values)
            };
            assert_gradient(&format!("gradient {n} of {}", self.name), &read(e, gradient), &exact[n], loss);
        }
    }
}

fn map(x: &[f64], f: impl Fn(f64) -> f64) -> Vec<f64> {
    x.iter().map(|&x| f(x)).collect()
}

fn join(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.iter().enumerate().map(|(i, &a)| f(a, b[i % b.len().max(1)])).collect()
}

/// Numbers of which no two add up to 0, where relu has no derivative.
fn away_from_the_kink(v: f32) -> f32 {
    (v * 8.0).round() / 8.0 + 1.0 / 32.0
}

/// Sum over rows.
fn total(e: &Engine, x: Handle, n: usize) -> Result<Handle> {
    let rows = data::tensor_info(e, x)?.shape.iter().product::<usize>() / n;
    reduce::sum_rows(e, data::tensor_reshape(e, x, &[rows, n])?)
}

#[test]
fn arithmetic_agrees() {
    let (e, mut random) = (Engine::default(), Random::new(100));
    type Op = fn(&Engine, Handle, Handle) -> Result<Handle>;
    type Twin = fn(f64, f64) -> f64;
    let pairs: [(&str, Op, Twin); 4] = [
        ("add", ops::add, |a, b| a + b),
        ("subtract", ops::subtract, |a, b| a - b),
        ("multiply", ops::multiply, |a, b| a * b),
        ("divide", ops::divide, |a, b| a / b),
    ];
    for (m, n) in SIZES {
        for (name, op, f) in pairs {
            for second in [vec![m, n], vec![n]] {
                Case {
                    name: format!("{name} [{m}, {n}] with {second:?}"),
                    shapes: vec![vec![m, n], second],
                    domain: |v| v.abs() + 0.5,
                    forward: &|e, x| Ok(vec![op(e, x[0], x[1])?]),
                    backward: &|_, _, _, _| Ok(vec![]),
                    twin: &|x| join(x[0], x[1], f),
                }
                .check(&e, &mut random);
            }
        }
        let one = |name: &str, op: fn(&Engine, Handle) -> Result<Handle>, f: fn(f64) -> f64| {
            Case {
                name: format!("{name} [{m}, {n}]"),
                shapes: vec![vec![m, n]],
                domain: |v| v.abs() + 0.5,
                forward: &|e, x| Ok(vec![op(e, x[0])?]),
                backward: &|_, _, _, _| Ok(vec![]),
                twin: &|x| map(x[0], f),
            }
            .check(&e, &mut Random::new(101));
        };
        one("exp", ops::exp, f64::exp);
        one("log", ops::log, f64::ln);
        one("sqrt", ops::sqrt, f64::sqrt);
        one("scale", |e, x| ops::scale(e, x, -1.5), |x| -1.5 * x);
        one("addScalar", |e, x| ops::add_scalar(e, x, 2.25), |x| x + 2.25);
    }
}

#[test]
fn activations_agree() {
    let (e, mut random) = (Engine::default(), Random::new(102));
    for (m, n) in SIZES {
        for kind in Activation::ALL {
            let f = |x: f64| reference::activation::activation(kind, x);
            let case = |name: &str, shapes: Vec<Vec<usize>>| (format!("{name} {} [{m}, {n}]", kind.name()), shapes);
            let (name, shapes) = case("activation", vec![vec![m, n]]);
            Case {
                name,
                shapes,
                domain: away_from_the_kink,
                forward: &|e, x| Ok(vec![activation::activation_forward(e, x[0], None, kind)?]),
                backward: &|e, x, _, dy| Ok(vec![activation::activation_backward(e, dy, x[0], None, kind)?]),
                twin: &|x| map(x[0], f),
            }
            .check(&e, &mut random);
            let (name, shapes) = case("bias and activation", vec![vec![m, n], vec![n]]);
            Case {
                name,
                shapes,
                domain: away_from_the_kink,
                forward: &|e, x| Ok(vec![activation::activation_forward(e, x[0], Some(x[1]), kind)?]),
                backward: &|e, x, _, dy| {
                    let dx = activation::activation_backward(e, dy, x[0], Some(x[1]), kind)?;
                    Ok(vec![dx, total(e, dx, n)?])
                },
                twin: &|x| join(x[0], x[1], |x, bias| f(x + bias)),
            }
            .check(&e, &mut random);
            let (name, shapes) = case("gated", vec![vec![m, n], vec![m, n]]);
            Case {
                name,
                shapes,
                domain: away_from_the_kink,
                forward: &|e, x| Ok(vec![activation::gated_forward(e, x[0], x[1], kind)?]),
                backward: &|e, x, _, dy| {
                    let (gate, up) = activation::gated_backward(e, dy, x[0], x[1], kind)?;
                    Ok(vec![gate, up])
                },
                twin: &|x| join(x[0], x[1], |gate, up| f(gate) * up),
            }
            .check(&e, &mut random);
        }
    }
}

#[test]
fn norms_agree() {
    let (e, mut random) = (Engine::default(), Random::new(103));
    for (m, n) in SIZES {
        Case {
            name: format!("rmsNorm [{m}, {n}]"),
            shapes: vec![vec![m, n], vec![n]],
            domain: |v| v,
            forward: &|e, x| norm::rms_norm_forward(e, x[0], x[1], 1e-2).map(|(y, rstd)| vec![y, rstd]),
            backward: &|e, x, y, dy| {
                let (dx, dweight) = norm::rms_norm_backward(e, dy, x[0], x[1], y[1], true)?;
                let (again, none) = norm::rms_norm_backward(e, dy, x[0], x[1], y[1], false)?;
                assert_eq!((read(e, again), none), (read(e, dx), None));
                Ok(vec![dx, dweight.unwrap()])
            },
            twin: &|x| reference::norm::rms_norm(x[0], x[1], 1e-2),
        }
        .check(&e, &mut random);
        Case {
            name: format!("layerNorm [{m}, {n}]"),
            shapes: vec![vec![m, n], vec![n], vec![n]],
            domain: |v| v,
            forward: &|e, x| {
                let all = norm::layer_norm_forward(e, x[0], x[1], Some(x[2]), 1e-2)?;
                Ok(vec![all.y, all.mean, all.rstd])
            },
            backward: &|e, x, y, dy| {
                let (dx, rest) = norm::layer_norm_backward(e, dy, x[0], x[1], (y[1], y[2]), true)?;
                let (dweight, dbias) = rest.unwrap();
                let (again, none) = norm::layer_norm_backward(e, dy, x[0], x[1], (y[1], y[2]), false)?;
                assert_eq!((read(e, again), none), (read(e, dx), None));
                Ok(vec![dx, dweight, dbias])
            },
            twin: &|x| reference::norm::layer_norm(x[0], x[1], x[2], 1e-2),
        }
        .check(&e, &mut random);
        let x = [normal(&e, &mut random, &[m, n]), normal(&e, &mut random, &[m, n])];
        let weight = normal(&e, &mut random, &[n]).handle;
        let fused = norm::add_rms_norm_forward(&e, x[0].handle, x[1].handle, weight, 1e-5).unwrap();
        let sum = ops::add(&e, x[0].handle, x[1].handle).unwrap();
        let (y, rstd) = norm::rms_norm_forward(&e, sum, weight, 1e-5).unwrap();
        assert_eq!([fused.sum, fused.y, fused.rstd].map(|h| read(&e, h)), [sum, y, rstd].map(|h| read(&e, h)));
    }
}

#[test]
fn softmax_agrees() {
    let (e, mut random) = (Engine::default(), Random::new(104));
    for (m, n) in SIZES {
        Case {
            name: format!("softmax [{m}, {n}]"),
            shapes: vec![vec![m, n]],
            domain: |v| v,
            forward: &|e, x| Ok(vec![softmax::softmax_forward(e, x[0])?]),
            backward: &|e, _, y, dy| Ok(vec![softmax::softmax_backward(e, dy, y[0])?]),
            twin: &|x| reference::elementwise::softmax(x[0], n),
        }
        .check(&e, &mut random);
        Case {
            name: format!("logSoftmax [{m}, {n}]"),
            shapes: vec![vec![m, n]],
            domain: |v| v,
            forward: &|e, x| Ok(vec![softmax::log_softmax_forward(e, x[0])?]),
            backward: &|e, _, y, dy| Ok(vec![softmax::log_softmax_backward(e, dy, y[0])?]),
            twin: &|x| map(&reference::elementwise::softmax(x[0], n), f64::ln),
        }
        .check(&e, &mut random);
    }
}

#[test]
fn dropout_is_its_own_gradient() {
    let (e, mut random) = (Engine::default(), Random::new(105));
    for (m, n) in SIZES {
        let kept = move |i: usize| {
            let word = streams::philox(9, 4, (i / 4) as u64)[i % 4];
            if f64::from(word) < 0.3 * 4_294_967_296.0 { 0.0 } else { 1.0 / 0.7 }
        };
        Case {
            name: format!("dropout [{m}, {n}]"),
            shapes: vec![vec![m, n]],
            domain: |v| v,
            forward: &|e, x| Ok(vec![dropout::dropout(e, x[0], 0.3, (9, 4))?]),
            backward: &|e, _, _, dy| Ok(vec![dropout::dropout(e, dy, 0.3, (9, 4))?]),
            twin: &|x| x[0].iter().enumerate().map(|(i, x)| x * kept(i)).collect(),
        }
        .check(&e, &mut random);
    }
    let ones = tensor(&e, &[100_000], &vec![1.0; 100_000]);
    let left = read(&e, dropout::dropout(&e, ones, 0.3, (1, 0)).unwrap()).iter().filter(|&&v| v != 0.0).count();
    assert!((69_000..71_000).contains(&left), "{left} of 100,000 are left at p = 0.3");
    let none = read(&e, dropout::dropout(&e, ones, 1.0, (1, 0)).unwrap());
    assert!(none.iter().all(|&v| v == 0.0));
    assert_eq!(read(&e, dropout::dropout(&e, ones, 0.0, (1, 0)).unwrap()), read(&e, ones));
}

#[test]
fn reductions_agree() {
    let (e, mut random) = (Engine::default(), Random::new(106));
    for (m, n) in SIZES.into_iter().filter(|size| size.0 > 0) {
        for (kind, over) in Reduction::ALL.into_iter().flat_map(|kind| Over::ALL.map(|over| (kind, over))) {
            Case {
                name: format!("{} over {} [{m}, {n}]", kind.name(), over.name()),
                shapes: vec![vec![m, n]],
                domain: |v| v,
                forward: &|e, x| Ok(vec![reduce::reduce_forward(e, x[0], kind, over)?]),
                backward: &|e, x, y, dy| Ok(vec![reduce::reduce_backward(e, x[0], dy, y[0], kind, over)?]),
                twin: &|x| reference::reduce::reduce(kind, over, x[0], n),
            }
            .check(&e, &mut random);
        }
        let x = normal(&e, &mut random, &[m, n]);
        let largest = reduce::reduce_forward(&e, x.handle, Reduction::Max, Over::Columns).unwrap();
        let places = reduce::argmax(&e, x.handle, Over::Columns).unwrap();
        let (values, indices) = reduce::top_k(&e, x.handle, n.min(3)).unwrap();
        let (values, places) = (read(&e, values), integers(&e, places));
        for (row, (&at, &max)) in places.iter().zip(&read(&e, largest)).enumerate() {
            assert_eq!(x.values[row * n + at as usize] as f32, max);
            assert_eq!(values[row * n.min(3)], max);
        }
        for (k, (&value, &at)) in values.iter().zip(&integers(&e, indices)).enumerate() {
            assert_eq!(x.values[k / n.min(3) * n + at as usize] as f32, value);
            assert!(k % n.min(3) == 0 || values[k - 1] >= value);
        }
    }
    let empty = tensor(&e, &[0, 4], &[]);
    assert_eq!(read(&e, reduce::reduce_forward(&e, empty, Reduction::Sum, Over::Rows).unwrap()), [0.0; 4]);
    assert_eq!(reduce::reduce_forward(&e, empty, Reduction::Mean, Over::All).unwrap_err().code(), "ShapeError");
    let tied = tensor(&e, &[1, 4], &[1.0, 5.0, 5.0, 2.0]);
    assert_eq!(integers(&e, reduce::argmax(&e, tied, Over::All).unwrap()), [1]);
    assert_eq!(reduce::top_k(&e, tied, 5).unwrap_err().code(), "OptionError");
}

fn integers(e: &Engine, h: Handle) -> Vec<i32> {
    bytemuck::pod_collect_to_vec(&data::tensor_read(e, h).unwrap())
}

/// Operations whose cases are in other files of this folder.
const ELSEWHERE: [&str; 13] = [
    "addInPlace",
    "scaleInPlace",
    "clampInPlace",
    "sum",
    "sumRows",
    "embeddingForward",
    "embeddingBackward",
    "attentionForward",
    "attentionBackward",
    "cacheWrite",
    "cacheRead",
    "linearCrossEntropy",
    "transpose",
];
const HERE: [&str; 29] = [
    "add",
    "subtract",
    "multiply",
    "divide",
    "scale",
    "addScalar",
    "exp",
    "log",
    "sqrt",
    "activationForward",
    "activationBackward",
    "gatedActivationForward",
    "gatedActivationBackward",
    "rmsNormForward",
    "rmsNormBackward",
    "addRmsNormForward",
    "layerNormForward",
    "layerNormBackward",
    "softmax",
    "softmaxBackward",
    "logSoftmax",
    "logSoftmaxBackward",
    "dropout",
    "reduceForward",
    "reduceBackward",
    "argmax",
    "topK",
    "permute",
    "rope",
];

#[test]
fn every_operation_of_the_table_has_a_case() {
    let cased: BTreeSet<_> = HERE.into_iter().chain(ELSEWHERE).chain(["gatherRows", "scatterRows"]).collect();
    assert_eq!(rules::ALL.iter().map(|rule| rule.op).collect::<BTreeSet<_>>(), cased);
}

#[test]
fn every_instruction_set_of_this_machine_agrees() {
    if std::env::var_os("NIBBLE_LAB_ISA").is_some_and(|isa| !isa.is_empty()) {
        return; // this is one of the processes below
    }
    let this = std::env::current_exe().unwrap();
    for isa in Isa::available() {
        let tests = ["conformance::", "moves::", "attention::", "losses::", "bits::"];
        let run = Command::new(&this).args(tests).env("NIBBLE_LAB_ISA", isa.name()).output().unwrap();
        assert!(run.status.success(), "{}: {}", isa.name(), String::from_utf8_lossy(&run.stdout));
    }
}
