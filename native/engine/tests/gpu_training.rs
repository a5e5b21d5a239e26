//! What training needs on a GPU against the processor's results: losses, reductions, gradients of packed scales, dropout,
//! optimizers, tensors written in place.

use nibble_engine::cpu::adamw::AdamW;
use nibble_engine::cpu::lion::Lion;
use nibble_engine::cpu::muon::{Adjust, Muon};
use nibble_engine::cpu::sgd::Sgd;
use nibble_engine::format::Format;
use nibble_engine::ops::cross_entropy::{CrossEntropyOptions, linear_cross_entropy};
use nibble_engine::ops::linear::{self, PackedWeight};
use nibble_engine::ops::optimizer::{
    Moment8Bit, adamw_8bit_step, adamw_step, global_norm, lion_step, muon_step, sgd_step,
};
use nibble_engine::ops::reduce::{self, Over, Reduction};
use nibble_engine::ops::{data, dropout, elementwise, linalg};
use nibble_engine::{Category, DType, Device, Engine, Handle, Precision, Result};

use crate::gpu::{gpus, move_to};
use crate::gpu_ops::{SIZES, agree, packed};
use crate::helpers::{LABEL, ids, read, tensor};
use crate::random::Random;

fn device_of(e: &Engine, h: Handle) -> Device {
    data::tensor_info(e, h).unwrap().device
}

/// A number as a tensor where `h` is.
fn beside(e: &Engine, h: Handle, value: f64) -> Handle {
    let label = (Category::Activations, "number");
    data::tensor_full_on(e, device_of(e, h), &[1], value, label).unwrap()
}

#[test]
fn losses() {
    for (tokens, width, vocabulary, smoothing) in
        [(0, 3, 5, 0.0), (1, 1, 1, 0.3), (7, 5, 11, 0.1), (33, 16, 65, 0.0), (20, 8, 3000, 1.0), (40, 3, 70_000, 0.1)]
    {
        let shapes = [vec![tokens, width], vec![vocabulary, width]];
        agree("linearCrossEntropy", 5e-6, &shapes, &|e, x| {
            let numbers: Vec<_> =
                (0..tokens).map(|i| if i % 5 == 3 { -100 } else { (i * 7919 % vocabulary) as i32 }).collect();
            let options = CrossEntropyOptions {
                want_input: true,
                want_weight: true,
                want_token_losses: true,
                gradient_scale: 0.25,
                label_smoothing: smoothing,
                ..CrossEntropyOptions::default()
            };
            // Targets may lie on the processor.
            let targets = ids(e, &numbers);
            let all = linear_cross_entropy(e, x[0], x[1], targets, options)?;
            let there = move_to(e, targets, device_of(e, x[0]));
            let alone = linear_cross_entropy(e, x[0], x[1], there, CrossEntropyOptions::default())?;
            assert_eq!(all.tokens, numbers.iter().filter(|&&id| id >= 0).count());
            let (loss, again) = (all.loss / tokens.max(1) as f64, alone.loss / tokens.max(1) as f64);
            let made = [all.token_losses, all.input, all.weight].map(Option::unwrap);
            Ok([&made[..], &[beside(e, x[0], loss), beside(e, x[0], again)]].concat())
        });
    }
    for gpu in gpus() {
        let e = Engine::default();
        let x = move_to(&e, tensor(&e, &[1, 2], &[1.0, 2.0]), gpu);
        let error = linear_cross_entropy(&e, x, x, ids(&e, &[1]), CrossEntropyOptions::default()).unwrap_err();
        assert!(error.to_string().contains("targets is 1 at position 0"), "{error}");
    }
}

#[test]
fn reductions() {
    for (m, n) in SIZES.into_iter().chain([(300, 3), (40_000, 1)]) {
        // Columns are added in the processor's order.
        agree("sumRows", 0.0, &[vec![m, n]], &|e, x| Ok(vec![reduce::sum_rows(e, x[0])?]));
        agree("sum, globalNorm", 2e-6, &[vec![m, n], vec![n]], &|e, x| {
            let size = (m * n).max(1) as f64;
            let (sum, norm) = (reduce::sum(e, x[0])?, global_norm(e, &[x[0], x[1], x[0]])?);
            Ok(vec![beside(e, x[0], sum / size), beside(e, x[0], norm / size.sqrt())])
        });
        for (kind, over) in Reduction::ALL.into_iter().flat_map(|kind| Over::ALL.map(|over| (kind, over))) {
            if m * n == 0 && matches!(kind, Reduction::Mean | Reduction::Max) {
                continue;
            }
            let results = match over {
                Over::All => 1,
                Over::Rows => n,
                Over::Columns => m,
            };
            agree(kind.name(), 5e-6, &[vec![m, n], vec![results]], &|e, x| {
                let y = reduce::reduce_forward(e, x[0], kind, over)?;
                Ok(vec![y, reduce::reduce_backward(e, x[0], x[1], y, kind, over)?])
            });
        }
    }
}

#[test]
fn the_largest_of_what_is_not_a_number_is_none_and_ties_share() {
    for gpu in gpus() {
        let e = Engine::default();
        let of = |values: &[f32]| move_to(&e, tensor(&e, &[values.len()], values), gpu);
        let largest =
            |values: &[f32]| read(&e, reduce::reduce_forward(&e, of(values), Reduction::Max, Over::All).unwrap())[0];
        assert!(largest(&[1.0, f32::NAN, 2.0]).is_nan());
        assert_eq!(largest(&[f32::NEG_INFINITY, f32::NEG_INFINITY]), f32::NEG_INFINITY);
        let (x, one) = (of(&[3.0, 1.0, 3.0]), of(&[1.0]));
        let y = reduce::reduce_forward(&e, x, Reduction::Max, Over::All).unwrap();
        let dx = reduce::reduce_backward(&e, x, one, y, Reduction::Max, Over::All).unwrap();
        assert_eq!(read(&e, dx), [0.5, 0.0, 0.5]);
    }
}

#[test]
fn places_of_the_largest() {
    for gpu in gpus() {
        let e = Engine::default();
        let mut random = Random::new(9);
        for (m, n) in [(1, 1), (3, 7), (2, 700), (300, 5)] {
            // Whole numbers, so that many are equal; some are none.
            let mut values: Vec<_> = random.normals(m * n).iter().map(|v| v.round()).collect();
            for pass in 0..2 {
                let near = tensor(&e, &[m, n], &values);
                let far = move_to(&e, near, gpu);
                for over in Over::ALL {
                    let [expected, got] = [near, far].map(|x| reduce::argmax(&e, x, over).unwrap());
                    let numbers = |h| data::tensor_read(&e, h).unwrap();
                    assert_eq!(numbers(got), numbers(expected), "{over:?} of [{m}, {n}], pass {pass}");
                }
                values.iter_mut().step_by(5).for_each(|value| *value = f32::NAN);
            }
        }
    }
}

#[test]
fn casts_have_the_processors_bits() {
    let halves: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    let edges = [0.0, -0.0, 1e-45, 6e-8, 65519.9, 65520.0, -1e30, f32::INFINITY, f32::NAN, 2.5, 3.5, -2.5, 1e-5, 4e-6];
    let mut floats: Vec<f32> = edges.into_iter().chain(Random::new(8).normals(999)).collect();
    floats.extend((0..4000u32).map(|i| f32::from_bits(0x3300_0000 + i * 9973 * 11)));
    let whole: Vec<i32> = (-400..400).map(|i| i * 7919).chain([i32::MAX, i32::MIN, 255, 256, -129]).collect();
    let tensors: [(DType, &[u8]); 5] = [
        (DType::F32, bytemuck::cast_slice(&floats)),
        (DType::F16, &halves),
        (DType::BF16, &halves),
        (DType::I32, bytemuck::cast_slice(&whole)),
        (DType::U8, &halves[..511]),
    ];
    for gpu in gpus() {
        let e = Engine::default();
        for (from, bytes) in tensors {
            let near = data::tensor_from_bytes(&e, bytes, from, &[bytes.len() / from.size()], LABEL).unwrap();
            let far = move_to(&e, near, gpu);
            for to in DType::ALL {
                match data::tensor_cast(&e, near, to, LABEL) {
                    Err(error) => {
                        let refused = data::tensor_cast(&e, far, to, LABEL).unwrap_err();
                        assert_eq!(refused.to_string(), error.to_string());
                    }
                    Ok(expected) => {
                        let got = data::tensor_cast(&e, far, to, LABEL).unwrap();
                        let [expected, got] = [expected, got].map(|h| data::tensor_read(&e, h).unwrap());
                        let at = expected.iter().zip(&got).position(|(a, b)| a != b);
                        assert_eq!(at, None, "{from} to {to}");
                    }
                }
            }
        }
    }
}

#[test]
fn gram_matrices() {
    for (m, n) in SIZES {
        agree("gram", 5e-6, &[vec![m, n], vec![n, n]], &|e, x| {
            Ok(vec![linalg::gram(e, x[0], None)?, linalg::gram(e, x[0], Some(x[1]))?])
        });
    }
}

#[test]
fn dropped_elements_are_the_processors() {
    for (m, n) in SIZES {
        for (p, stream) in [(0.0, (1, 2)), (0.3, (u64::MAX, 1 << 40)), (1.0, (3, 4))] {
            agree("dropout", 0.0, &[vec![m, n]], &|e, x| Ok(vec![dropout::dropout(e, x[0], p, stream)?]));
        }
    }
}

#[test]
fn rows_go_back_where_they_came_from() {
    for (m, n) in SIZES {
        let rows: Vec<_> = (0..m as i32).map(|i| i * i % (m as i32 + 2)).collect();
        agree("scatterRows", 0.0, &[vec![m, n]], &|e, x| Ok(vec![data::scatter_rows(e, x[0], ids(e, &rows), m + 2)?]));
    }
}

#[test]
fn packed_scales_and_numbers() {
    for format in Format::ALL {
        for (tokens, rows, columns) in [(1, 5, 67), (3, 66, 64), (70, 33, 130), (0, 3, 4)] {
            agree(format.name(), 1e-5, &[vec![tokens, columns], vec![tokens, rows]], &|e, x| {
                let w = packed(e, &mut Random::new(3), format, [rows, columns], device_of(e, x[0]));
                let mut made = vec![linear::dequantize(e, &w)?];
                if format.is_integer() {
                    made.push(linear::packed_linear_backward_scales(e, x[1], x[0], &w, Precision::F32)?);
                }
                if format == Format::Int8 {
                    let y = linear::packed_linear_forward(e, x[0], &w, Precision::F32)?;
                    made.push(linear::packed_linear_backward_scales_from_output(e, x[1], y, w.scales)?);
                }
                Ok(made)
            });
        }
    }
}

#[test]
fn scales_in_eight_bits() {
    for (tokens, rows, columns) in [(1, 5, 67), (70, 66, 520)] {
        agree("double quantization", 1e-5, &[vec![tokens, columns], vec![tokens, rows]], &|e, x| {
            let device = device_of(e, x[0]);
            let near = packed(e, &mut Random::new(3), Format::Nf4, [rows, columns], Device::Cpu);
            let (scales, nested, offset) = linear::quantize_scales_nested(e, near.scales)?;
            let [codes, scales, nested] = [near.codes, scales, nested].map(|h| move_to(e, h, device));
            let w = PackedWeight { codes, scales, nested_scales: Some(nested), nested_offset: offset, ..near };
            Ok(vec![
                linear::dequantize(e, &w)?,
                linear::packed_linear_forward(e, x[0], &w, Precision::F32)?,
                linear::packed_linear_backward_input(e, x[1], &w, Precision::F32)?,
            ])
        });
    }
}

#[test]
fn a_scale_of_zero_has_no_gradient() {
    for gpu in gpus() {
        let e = Engine::default();
        let of = |shape: &[usize], values: &[f32]| move_to(&e, tensor(&e, shape, values), gpu);
        let (dy, y, scales) = (of(&[1, 2], &[1.0, 1.0]), of(&[1, 2], &[0.0, 3.0]), of(&[2, 1], &[0.0, 2.0]));
        let ds = read(&e, linear::packed_linear_backward_scales_from_output(&e, dy, y, scales).unwrap());
        assert!(ds[0].is_nan() && ds[1] == 1.5, "{ds:?}");
    }
}

/// One step on a parameter, its gradient and the states after them, and the step's number.
type Step<'a> = dyn Fn(&Engine, &[Handle], f64) -> Result<()> + 'a;

/// Three steps of an optimizer on a parameter with its gradient, states of zeros beside them.
fn steps(name: &str, shape: &[usize], tolerance: f64, states: usize, step: &Step<'_>) {
    agree(name, tolerance, &[shape.to_vec(), shape.to_vec()], &|e, x| {
        let label = (Category::Activations, "state");
        let zeros = |_| data::tensor_zeros_on(e, device_of(e, x[0]), shape, DType::F32, label);
        let states = (0..states).map(zeros).collect::<Result<Vec<_>>>()?;
        let all = [x, &states].concat();
        for number in 1..=3 {
            step(e, &all, f64::from(number))?;
        }
        Ok(states)
    });
}

const ADAMW: AdamW = AdamW {
    learning_rate: 1e-2,
    beta1: 0.9,
    beta2: 0.95,
    epsilon: 1e-8,
    weight_decay: 0.1,
    step: 1.0,
    gradient_scale: 0.5,
};

#[test]
fn optimizers() {
    let lion = Lion { learning_rate: 1e-2, beta1: 0.9, beta2: 0.99, weight_decay: 0.1, gradient_scale: 0.5 };
    let sgd = Sgd { learning_rate: 1e-2, momentum: 0.9, nesterov: true, weight_decay: 0.1, gradient_scale: 0.5 };
    let heavy = Sgd { nesterov: false, ..sgd };
    let plain = Sgd { momentum: 0.0, ..heavy };
    for (m, n) in SIZES {
        let shape = [m, n];
        steps("adamw", &shape, 2e-6, 2, &|e, x, step| {
            adamw_step(e, &x[..1], &x[1..2], &x[2..3], &x[3..], AdamW { step, ..ADAMW })
        });
        steps("lion", &shape, 1e-6, 1, &|e, x, _| lion_step(e, &x[..1], &x[1..2], &x[2..], lion));
        for sgd in [sgd, heavy] {
            steps("sgd", &shape, 1e-6, 1, &|e, x, _| sgd_step(e, &x[..1], &x[1..2], &x[2..], sgd));
        }
        steps("sgd", &shape, 1e-6, 0, &|e, x, _| sgd_step(e, &x[..1], &x[1..2], &[], plain));
        for nesterov in [false, true] {
            let (learning_rate, weight_decay, gradient_scale) = (1e-2, 0.1, 0.5);
            let adjust = Adjust::MatchRmsAdamW;
            let muon = Muon { learning_rate, momentum: 0.95, nesterov, weight_decay, adjust, gradient_scale };
            steps("muon", &shape, 1e-5, 1, &|e, x, _| muon_step(e, &x[..1], &x[1..2], &x[2..], muon));
        }
    }
}

#[test]
fn moments_of_eight_bits() {
    for n in [1, 17, 256, 257, 1030] {
        agree("adamw8bit", 1e-4, &[vec![n], vec![n]], &|e, x| {
            let (device, blocks) = (device_of(e, x[0]), [n.div_ceil(256)]);
            let zeros = |shape: &[usize], dtype| data::tensor_zeros_on(e, device, shape, dtype, LABEL).unwrap();
            let moment = || (zeros(&[n], DType::U8), zeros(&blocks, DType::F32));
            let ((m, m_scales), (v, v_scales)) = (moment(), moment());
            let first = Moment8Bit { codes: &[m], scales: &[m_scales] };
            let second = Moment8Bit { codes: &[v], scales: &[v_scales] };
            for step in 1..=4 {
                adamw_8bit_step(e, &x[..1], &x[1..], first, second, AdamW { step: f64::from(step), ..ADAMW })?;
            }
            let label = (Category::Activations, "scales");
            Ok(vec![data::tensor_copy(e, m_scales, label)?, data::tensor_copy(e, v_scales, label)?])
        });
    }
}

#[test]
fn what_is_written_comes_after_what_was_asked_before() {
    for gpu in gpus() {
        let e = Engine::default();
        let x = move_to(&e, tensor(&e, &[3], &[1.0, 2.0, 3.0]), gpu);
        let before = elementwise::scale(&e, x, 10.0).unwrap();
        data::tensor_write(&e, x, bytemuck::cast_slice(&[4.0f32, 5.0, 6.0])).unwrap();
        let after = elementwise::scale(&e, x, 10.0).unwrap();
        assert_eq!((read(&e, before), read(&e, after)), (vec![10.0, 20.0, 30.0], vec![40.0, 50.0, 60.0]));
        let error = data::tensor_write(&e, x, &[0; 8]).unwrap_err();
        assert!(error.to_string().contains("8 bytes came"), "{error}");
        let odd = data::tensor_zeros_on(&e, gpu, &[5], DType::U8, LABEL).unwrap();
        assert_eq!(data::tensor_read(&e, odd).unwrap(), [0; 5]);
        data::tensor_write(&e, odd, &[1, 2, 3, 4, 5]).unwrap();
        assert_eq!(data::tensor_read(&e, odd).unwrap(), [1, 2, 3, 4, 5]);
    }
}
