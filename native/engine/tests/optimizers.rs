//! Every optimizer against its float64 twin and against trajectories of PyTorch and bitsandbytes
//! (`test/native/golden/optimizers.py` made the file); what is refused; norms of gradients.

use nibble_engine::cpu::adamw::AdamW;
use nibble_engine::cpu::adamw8bit::Codebook;
use nibble_engine::cpu::lion::Lion;
use nibble_engine::cpu::muon::{Adjust, Muon};
use nibble_engine::cpu::sgd::Sgd;
use nibble_engine::format::double_quant::{dynamic_map, unsigned_dynamic_map};
use nibble_engine::ops::data;
use nibble_engine::ops::optimizer::{
    Moment8Bit, adamw_8bit_step, adamw_step, global_norm, lion_step, muon_step, sgd_step,
};
use nibble_engine::reference::adamw8bit::Moment;
use nibble_engine::{DType, Engine, Handle, reference};
use serde_json::Value;

use crate::golden::Golden;
use crate::helpers::{LABEL, assert_close, normal, read, tensor};
use crate::random::Random;

const ADAMW: AdamW = AdamW {
    learning_rate: 1e-2,
    beta1: 0.9,
    beta2: 0.95,
    epsilon: 1e-8,
    weight_decay: 0.1,
    step: 1.0,
    gradient_scale: 0.5,
};
const LION: Lion = Lion { learning_rate: 1e-2, beta1: 0.9, beta2: 0.99, weight_decay: 0.1, gradient_scale: 0.5 };
const SGD: Sgd = Sgd { learning_rate: 1e-2, momentum: 0.9, nesterov: true, weight_decay: 0.1, gradient_scale: 0.5 };
const MUON: Muon = Muon {
    learning_rate: 1e-2,
    momentum: 0.95,
    nesterov: true,
    weight_decay: 0.1,
    adjust: Adjust::MatchRmsAdamW,
    gradient_scale: 0.5,
};
/// No elements, one, fewer and more than a block, several blocks and a rest.
const SIZES: [usize; 6] = [0, 1, 17, 4096, 4097, 10_000];

fn zeros(e: &Engine, shape: &[usize], dtype: DType) -> Handle {
    data::tensor_zeros(e, shape, dtype, LABEL).unwrap()
}

/// A parameter with its twin, states of zeros, and the gradients of five steps.
fn check(n: usize, mut step: impl FnMut(&Engine, u32, Handle, Handle, &mut [f64], &[f64]), tolerance: f64) {
    let (e, mut random) = (Engine::default(), Random::new(32 + n as u64));
    let p = normal(&e, &mut random, &[n]);
    let mut twin = p.values.clone();
    for t in 1..=5 {
        let g = normal(&e, &mut random, &[n]);
        step(&e, t, p.handle, g.handle, &mut twin, &g.values);
    }
    assert_close("p", &read(&e, p.handle), &twin, tolerance);
}

#[test]
fn adamw_agrees_over_many_steps() {
    for n in SIZES {
        let (mut first, mut second) = (vec![0.0; n], vec![0.0; n]);
        let mut states = None;
        check(
            n,
            |e, t, p, g, twin, g_values| {
                let options = AdamW { step: f64::from(t), ..ADAMW };
                let [m, v] = *states.get_or_insert_with(|| [(); 2].map(|()| zeros(e, &[n], DType::F32)));
                adamw_step(e, &[p], &[g], &[m], &[v], options).unwrap();
                reference::adamw::adamw(twin, g_values, &mut first, &mut second, &options);
                assert_close("m", &read(e, m), &first, 1e-6);
                assert_close("v", &read(e, v), &second, 1e-6);
            },
            1e-6,
        );
    }
}

#[test]
fn lion_agrees_over_many_steps() {
    for n in SIZES {
        let (mut momentum, mut state) = (vec![0.0; n], None);
        check(
            n,
            |e, _, p, g, twin, g_values| {
                let m = *state.get_or_insert_with(|| zeros(e, &[n], DType::F32));
                lion_step(e, &[p], &[g], &[m], LION).unwrap();
                reference::lion::lion(twin, g_values, &mut momentum, &LION);
                assert_close("m", &read(e, m), &momentum, 1e-6);
            },
            1e-6,
        );
    }
}

#[test]
fn sgd_agrees_over_many_steps() {
    for (momentum, nesterov) in [(0.0, false), (0.9, false), (0.9, true)] {
        let options = Sgd { momentum, nesterov, ..SGD };
        for n in SIZES {
            let (mut buffer, mut state) = (vec![0.0; n], None);
            check(
                n,
                |e, _, p, g, twin, g_values| {
                    let m = *state.get_or_insert_with(|| zeros(e, &[n], DType::F32));
                    sgd_step(e, &[p], &[g], if momentum > 0.0 { std::slice::from_ref(&m) } else { &[] }, options)
                        .unwrap();
                    reference::sgd::sgd(twin, g_values, &mut buffer, &options);
                },
                1e-6,
            );
        }
    }
}

#[test]
fn muon_agrees_over_many_steps() {
    for [rows, columns] in [[0, 3], [1, 1], [1, 9], [9, 1], [24, 40], [65, 17]] {
        for (nesterov, adjust) in [(true, Adjust::MatchRmsAdamW), (false, Adjust::Original)] {
            let (e, mut random) = (Engine::default(), Random::new(33));
            let options = Muon { nesterov, adjust, ..MUON };
            let p = normal(&e, &mut random, &[rows, columns]);
            let m = zeros(&e, &[rows, columns], DType::F32);
            let (mut twin, mut momentum) = (p.values.clone(), vec![0.0; rows * columns]);
            for _ in 0..4 {
                let g = normal(&e, &mut random, &[rows, columns]);
                muon_step(&e, &[p.handle], &[g.handle], &[m], options).unwrap();
                reference::muon::muon(&mut twin, &g.values, &mut momentum, [rows, columns], &options);
            }
            assert_close("p", &read(&e, p.handle), &twin, 2e-5);
            assert_close("m", &read(&e, m), &momentum, 1e-6);
        }
    }
}

#[test]
fn muon_draws_singular_values_to_one() {
    // Of a diagonal matrix they are on the diagonal: 0.02 … 1 of the largest.
    let n = 12;
    let mut x = vec![0.0; n * n];
    (0..n).for_each(|i| x[i * n + i] = 0.1 + i as f64 / 4.0);
    let y = reference::muon::newton_schulz(&x, n, n);
    for i in 0..n {
        for j in 0..n {
            let expected = if i == j { 0.65..1.25 } else { -1e-12..1e-12 };
            assert!(expected.contains(&y[i * n + j]), "[{i}, {j}] is {}", y[i * n + j]);
        }
    }
}

/// Both moments of one parameter.
struct State8Bit {
    codes: [Handle; 2],
    scales: [Handle; 2],
}

impl State8Bit {
    fn new(e: &Engine, n: usize) -> Self {
        let codes = [(); 2].map(|()| zeros(e, &[n], DType::U8));
        State8Bit { codes, scales: [(); 2].map(|()| zeros(e, &[n.div_ceil(256)], DType::F32)) }
    }

    fn step(&self, e: &Engine, p: Handle, g: Handle, options: AdamW) {
        let [first, second] = [0, 1].map(|i| Moment8Bit { codes: &self.codes[i..=i], scales: &self.scales[i..=i] });
        adamw_8bit_step(e, &[p], &[g], first, second, options).unwrap();
    }
}

#[test]
fn adamw_8bit_agrees_over_many_steps() {
    let maps = [dynamic_map(), unsigned_dynamic_map()];
    for n in [0, 1, 255, 256, 257, 4100, 10_000] {
        let mut moments = [(); 2].map(|()| Moment::encode(&vec![0.0; n], maps[0]));
        let mut state = None;
        // A number on the border of two codes may fall to either side in f32: rare, and worth one code.
        check(
            n,
            |e, t, p, g, twin, g_values| {
                let options = AdamW { step: f64::from(t), ..ADAMW };
                let state = state.get_or_insert_with(|| State8Bit::new(e, n));
                state.step(e, p, g, options);
                let [first, second] = &mut moments;
                reference::adamw8bit::adamw_8bit(twin, g_values, [first, second], maps, &options);
                for (i, moment) in moments.iter().enumerate() {
                    let codes = data::tensor_read(e, state.codes[i]).unwrap();
                    let apart = codes.iter().zip(&moment.codes).filter(|(a, b)| a != b);
                    assert!(apart.clone().count() * 500 <= n, "{} of {n} codes differ", apart.clone().count());
                    assert!(apart.clone().all(|(a, b)| a.abs_diff(*b) == 1));
                }
            },
            1e-4,
        );
    }
}

#[test]
fn the_nearest_code_is_found_at_once() {
    for (codebook, map) in [(Codebook::signed(), dynamic_map()), (Codebook::unsigned(), unsigned_dynamic_map())] {
        let middles: Vec<f32> = map.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0).collect();
        let slow = |x: f32| middles.partition_point(|&middle| middle < x) as u8;
        let mut random = Random::new(34);
        let anywhere = (0..200_000).map(|i| (random.uniform() * 2.0 - 1.0) * 10f32.powi(-(i % 9)));
        let near = middles.iter().chain(map).flat_map(|&x| [x.next_down(), x, x.next_up(), -x]);
        for x in anywhere.chain(near).chain([0.0, -0.0, 1.0, -1.0, 2.0, -2.0]) {
            assert_eq!(codebook.nearest(x), slow(x), "{x}");
        }
        (0..=255).for_each(|code| assert_eq!(codebook.nearest(codebook.value(code)), code));
    }
}

fn number(case: &Value, name: &str, or: f64) -> f64 {
    case["options"][name].as_f64().unwrap_or(or)
}

#[test]
fn trajectories_equal_pytorchs_and_bitsandbytes() {
    let golden = Golden::load("optimizers");
    assert_eq!(&unsigned_dynamic_map()[..], &golden.f32(&golden.about["unsignedMap"])[..]);
    for case in golden.cases() {
        let e = Engine::default();
        let shape: Vec<_> = case["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
        let before = golden.f32(&case["before"]);
        let p = tensor(&e, &shape, &before);
        let (m, v) = (zeros(&e, &shape, DType::F32), zeros(&e, &shape, DType::F32));
        let state = State8Bit::new(&e, before.len());
        let (learning_rate, weight_decay) = (number(case, "learningRate", 0.0), number(case, "weightDecay", 0.0));
        let adamw = AdamW { learning_rate, weight_decay, beta2: 0.999, gradient_scale: 1.0, ..ADAMW };
        for (t, gradient) in case["gradients"].as_array().unwrap().iter().enumerate() {
            let g = tensor(&e, &shape, &golden.f32(gradient));
            let adamw = AdamW { step: t as f64 + 1.0, ..adamw };
            let momentum = number(case, "momentum", 0.0);
            let nesterov = case["options"]["nesterov"].as_bool().unwrap_or(false);
            let sgd = Sgd { learning_rate, weight_decay, momentum, nesterov, gradient_scale: 1.0 };
            let buffer = if momentum > 0.0 { &[m][..] } else { &[] };
            let original = case["options"]["adjust"] == "original";
            let adjust = if original { Adjust::Original } else { Adjust::MatchRmsAdamW };
            match case["name"].as_str().unwrap() {
                "adamw" => adamw_step(&e, &[p], &[g], &[m], &[v], adamw).unwrap(),
                "sgd" => sgd_step(&e, &[p], &[g], buffer, sgd).unwrap(),
                "lion" => {
                    let lion = Lion { learning_rate, weight_decay, gradient_scale: 1.0, ..LION };
                    lion_step(&e, &[p], &[g], &[m], lion).unwrap();
                }
                "muon" => {
                    let muon = Muon { learning_rate, weight_decay, adjust, gradient_scale: 1.0, ..MUON };
                    muon_step(&e, &[p], &[g], &[m], muon).unwrap();
                }
                "adamw8bit" | "adamw8bit-nearest" => state.step(&e, p, g, adamw),
                other => panic!("no such optimizer: {other}"),
            }
        }
        let after = golden.f32(&case["after"]);
        // Moved by up to 8 × 1e-2. PyTorch orthogonalizes in bf16; bitsandbytes' own 8-bit step rounds to other codes.
        let tolerance = match case["name"].as_str().unwrap() {
            "muon" => 4e-3,
            "adamw8bit" => 2e-3,
            "adamw8bit-nearest" => 1e-5,
            _ => 1e-6,
        };
        let twin: Vec<_> = after.iter().map(|&x| f64::from(x)).collect();
        assert_close(&case.to_string()[..200], &read(&e, p), &twin, tolerance);
        if case["name"] == "adamw8bit-nearest" {
            for (i, name) in ["first", "second"].into_iter().enumerate() {
                assert_eq!(data::tensor_read(&e, state.codes[i]).unwrap(), golden.u8(&case[name]), "{name}");
            }
        }
    }
}

#[test]
fn the_signed_zero_gradient_moves_nothing() {
    let e = Engine::default();
    let make = || [tensor(&e, &[300], &[1.0; 300]), zeros(&e, &[300], DType::F32), zeros(&e, &[300], DType::F32)];
    let (still, [p, g, m]) = (Lion { weight_decay: 0.0, ..LION }, make());
    lion_step(&e, &[p], &[g], &[m], still).unwrap();
    assert_eq!(read(&e, p), [1.0; 300]);
    let ([p, g, _], state) = (make(), State8Bit::new(&e, 300));
    for t in 1..4 {
        state.step(&e, p, g, AdamW { weight_decay: 0.0, step: f64::from(t), ..ADAMW });
    }
    assert_eq!(read(&e, p), [1.0; 300]);
}

#[test]
fn bad_numbers_are_refused_and_change_nothing() {
    let e = Engine::default();
    let make = || tensor(&e, &[2, 2], &[1.0; 4]);
    let (p, g, m, v) = ([make()], [make()], [make()], [make()]);
    let state = State8Bit::new(&e, 4);
    let moment = Moment8Bit { codes: &state.codes[..1], scales: &state.scales[..1] };
    for bad in [f64::NAN, f64::INFINITY, -1.0] {
        let refused = [
            adamw_step(&e, &p, &g, &m, &v, AdamW { learning_rate: bad, ..ADAMW }),
            adamw_step(&e, &p, &g, &m, &v, AdamW { weight_decay: bad, ..ADAMW }),
            adamw_step(&e, &p, &g, &m, &v, AdamW { beta1: bad, ..ADAMW }),
            adamw_step(&e, &p, &g, &m, &v, AdamW { step: bad, ..ADAMW }),
            adamw_8bit_step(&e, &p, &g, moment, moment, AdamW { learning_rate: bad, ..ADAMW }),
            lion_step(&e, &p, &g, &m, Lion { learning_rate: bad, ..LION }),
            lion_step(&e, &p, &g, &m, Lion { beta2: bad, ..LION }),
            sgd_step(&e, &p, &g, &m, Sgd { learning_rate: bad, ..SGD }),
            sgd_step(&e, &p, &g, &m, Sgd { momentum: bad, ..SGD }),
            muon_step(&e, &p, &g, &m, Muon { learning_rate: bad, ..MUON }),
        ];
        for result in refused {
            assert_eq!(result.unwrap_err().code(), "OptionError");
        }
    }
    let plain = Sgd { momentum: 0.0, ..SGD };
    assert!(sgd_step(&e, &p, &g, &[], plain).unwrap_err().to_string().contains("nesterov is true"));
    assert_eq!(sgd_step(&e, &p, &g, &m, Sgd { nesterov: false, ..plain }).unwrap_err().code(), "OptionError");
    let (flat, codes) = (tensor(&e, &[4], &[1.0; 4]), Moment8Bit { codes: &m, scales: &v });
    assert_eq!(muon_step(&e, &[flat], &[flat], &[flat], MUON).unwrap_err().code(), "OptionError");
    let (a, b) = (tensor(&e, &[4], &[1.0; 4]), tensor(&e, &[4], &[1.0; 4]));
    assert!(muon_step(&e, &[flat], &[a], &[b], MUON).unwrap_err().to_string().contains("[rows, columns]"));
    assert_eq!(adamw_8bit_step(&e, &p, &g, codes, codes, ADAMW).unwrap_err().code(), "DTypeError");
    assert_eq!(read(&e, p[0]), [1.0; 4]);
    assert_eq!(read(&e, m[0]), [1.0; 4]);
}

#[test]
fn a_bad_list_changes_nothing() {
    let e = Engine::default();
    let make = |n: usize| tensor(&e, &[n], &vec![1.0; n]);
    let (p, g, m, v) = ([make(2), make(3)], [make(2), make(4)], [make(2), make(3)], [make(2), make(3)]);
    assert_eq!(adamw_step(&e, &p, &g, &m, &v, ADAMW).unwrap_err().code(), "ShapeError");
    assert_eq!(read(&e, p[0]), [1.0, 1.0]);
    assert_eq!(adamw_step(&e, &p[..1], &p[..1], &m[..1], &v[..1], ADAMW).unwrap_err().code(), "OptionError");
    assert_eq!(adamw_step(&e, &p, &p, &m[..1], &v, ADAMW).unwrap_err().code(), "OptionError");
}

#[test]
fn a_parameter_given_twice_is_refused() {
    let e = Engine::default();
    let make = || tensor(&e, &[2], &[1.0; 2]);
    let (p, g, m, v) = (make(), make(), make(), make());
    let view = data::tensor_reshape(&e, p, &[2]).unwrap();
    for (parameters, gradients, first) in [([p, view], [g, g], [m, make()]), ([p, make()], [p, g], [m, make()])] {
        let error = adamw_step(&e, &parameters, &gradients, &first, &[v, make()], ADAMW).unwrap_err();
        assert_eq!(error.code(), "OptionError", "{error}");
    }
    adamw_step(&e, &[p, make()], &[g, g], &[m, make()], &[v, make()], ADAMW).unwrap();
}

#[test]
fn the_norm_spans_all_tensors() {
    let e = Engine::default();
    let norm = global_norm(&e, &[tensor(&e, &[1], &[3.0]), tensor(&e, &[2], &[0.0, 4.0])]).unwrap();
    assert_eq!(norm, 5.0);
    assert_eq!(global_norm(&e, &[]).unwrap(), 0.0);
}
