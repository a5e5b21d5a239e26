//! Every operation with a GPU kernel against the processor's result, on every GPU of this machine: ragged shapes and
//! size 1, in memory full of NaN, twice with the same bits.

use nibble_engine::format::Format;
use nibble_engine::ops::activation::{self, Activation};
use nibble_engine::ops::attention::{AttentionOptions, AttentionSaved, attention_backward, attention_forward};
use nibble_engine::ops::linear::{self, PackedWeight};
use nibble_engine::ops::matmul::{BatchedOptions, MatmulOptions, batched_matmul, matmul};
use nibble_engine::ops::rope::{Pairs, RopeOptions, rope};
use nibble_engine::ops::{cache, data, elementwise, embedding, norm, quantize, softmax};
use nibble_engine::{DType, Device, Engine, Handle, Precision, Result};

use crate::gpu::{gpus, move_to};
use crate::helpers::{LABEL, assert_close, ids, read, tensor};
use crate::random::Random;

/// Rows and columns.
pub const SIZES: [(usize, usize); 7] = [(1, 1), (3, 7), (5, 16), (31, 17), (33, 65), (2, 257), (0, 4)];

type Op<'a> = dyn Fn(&Engine, &[Handle]) -> Result<Vec<Handle>> + 'a;

/// Fills what the pool will give for tensors of this size with NaN.
fn poison(e: &Engine, gpu: Device, count: usize) {
    let near = tensor(e, &[count], &vec![f32::NAN; count]);
    let far: Vec<_> = (0..4).map(|_| move_to(e, near, gpu)).collect();
    far.into_iter().for_each(|far| e.dispose(far).unwrap());
}

/// The results of `op`, and its inputs after it, are the same on the processor and, twice, on each GPU.
#[track_caller]
pub fn agree(name: &str, tolerance: f64, shapes: &[Vec<usize>], op: &Op) {
    for gpu in gpus() {
        let (e, mut random) = (Engine::default(), Random::new(7));
        let values: Vec<_> = shapes.iter().map(|shape| random.normals(shape.iter().product())).collect();
        let run = |device: Device| {
            let near: Vec<_> = shapes.iter().zip(&values).map(|(shape, values)| tensor(&e, shape, values)).collect();
            let inputs: Vec<_> = near.iter().map(|&h| move_to(&e, h, device)).collect();
            let results = op(&e, &inputs).unwrap();
            let all: Vec<_> = results.into_iter().chain(inputs).collect();
            all.into_iter().map(|h| (data::tensor_info(&e, h).unwrap(), read(&e, h))).collect::<Vec<_>>()
        };
        let expected = run(Device::Cpu);
        expected.iter().for_each(|(_, values)| poison(&e, gpu, values.len()));
        let (got, again) = (run(gpu), run(gpu));
        for (n, ((info, got), (known, expected))) in got.iter().zip(&expected).enumerate() {
            assert_eq!((info.device, &info.shape, info.category), (gpu, &known.shape, known.category), "{name}");
            let expected: Vec<_> = expected.iter().map(|&v| f64::from(v)).collect();
            assert_close(&format!("{name} {shapes:?}, tensor {n}"), got, &expected, tolerance);
            assert!(
                got.iter().map(|v| v.to_bits()).eq(again[n].1.iter().map(|v| v.to_bits())),
                "{name}: two runs differ"
            );
        }
    }
}

#[test]
fn arithmetic() {
    type Binary = fn(&Engine, Handle, Handle) -> Result<Handle>;
    // Sums and products are rounded correctly on every device, quotients are not.
    let binary: [(&str, f64, Binary); 4] = [
        ("add", 0.0, elementwise::add),
        ("subtract", 0.0, elementwise::subtract),
        ("multiply", 0.0, elementwise::multiply),
        ("divide", 1e-6, elementwise::divide),
    ];
    for (m, n) in SIZES {
        for (name, tolerance, op) in binary {
            for second in [vec![m, n], vec![n]] {
                agree(name, tolerance, &[vec![m, n], second], &|e, x| Ok(vec![op(e, x[0], x[1])?]));
            }
        }
        let one = |name, tolerance, op: &dyn Fn(&Engine, Handle) -> Result<Handle>| {
            agree(name, tolerance, &[vec![m, n]], &|e, x| Ok(vec![op(e, x[0])?]));
        };
        one("scale", 0.0, &|e, x| elementwise::scale(e, x, -1.5));
        one("addScalar", 0.0, &|e, x| elementwise::add_scalar(e, x, 2.25));
        one("exp", 2e-6, &elementwise::exp);
        one("log", 2e-6, &|e, x| elementwise::log(e, elementwise::exp(e, x)?));
        one("sqrt", 2e-6, &|e, x| elementwise::sqrt(e, elementwise::multiply(e, x, x)?));
        let in_place = |name, op: &dyn Fn(&Engine, &[Handle]) -> Result<()>| {
            agree(name, 0.0, &[vec![m, n], vec![m, n]], &|e, x| op(e, x).map(|()| vec![]));
        };
        in_place("addInPlace", &|e, x| elementwise::add_in_place(e, x[0], x[1], 0.5));
        in_place("addInPlace to itself", &|e, x| elementwise::add_in_place(e, x[0], x[0], 0.5));
        in_place("scaleInPlace", &|e, x| elementwise::scale_in_place(e, x[0], 3.0));
        in_place("clampInPlace", &|e, x| elementwise::clamp_in_place(e, x[0], -0.5, 0.25));
    }
}

#[test]
fn many_operations_keep_their_order() {
    for gpu in gpus() {
        let e = Engine::default();
        let start = tensor(&e, &[5], &[1.0, 2.0, 3.0, 4.0, 5.0]);
        let mut x = move_to(&e, start, gpu);
        for _ in 0..100 {
            let next = elementwise::add_scalar(&e, x, 1.0).unwrap();
            e.dispose(x).unwrap();
            x = next;
        }
        assert_eq!(read(&e, x), [101.0, 102.0, 103.0, 104.0, 105.0]);
    }
}

#[test]
fn activations() {
    for (m, n) in SIZES {
        for kind in Activation::ALL {
            let shape = vec![m, n];
            agree(kind.name(), 2e-6, &[shape.clone(), shape.clone(), shape.clone(), vec![n]], &|e, x| {
                let (dgate, dup) = activation::gated_backward(e, x[0], x[1], x[2], kind)?;
                Ok(vec![
                    activation::activation_forward(e, x[0], None, kind)?,
                    activation::activation_forward(e, x[0], Some(x[3]), kind)?,
                    activation::activation_backward(e, x[0], x[1], None, kind)?,
                    activation::activation_backward(e, x[0], x[1], Some(x[3]), kind)?,
                    activation::gated_forward(e, x[0], x[1], kind)?,
                    dgate,
                    dup,
                ])
            });
        }
    }
}

#[test]
fn norms() {
    for (m, n) in SIZES {
        let shapes = [vec![m, n], vec![m, n], vec![n], vec![n]];
        agree("rmsNorm", 5e-6, &shapes, &|e, x| {
            let (y, rstd) = norm::rms_norm_forward(e, x[0], x[2], 1e-5)?;
            let (dx, dweight) = norm::rms_norm_backward(e, x[1], x[0], x[2], rstd, true)?;
            let both = norm::add_rms_norm_forward(e, x[0], x[1], x[2], 1e-5)?;
            Ok(vec![y, rstd, dx, dweight.unwrap(), both.sum, both.y, both.rstd])
        });
        agree("layerNorm", 1e-5, &shapes, &|e, x| {
            let plain = norm::layer_norm_forward(e, x[0], x[2], None, 1e-2)?;
            let all = norm::layer_norm_forward(e, x[0], x[2], Some(x[3]), 1e-2)?;
            let (dx, rest) = norm::layer_norm_backward(e, x[1], x[0], x[2], (all.mean, all.rstd), true)?;
            let (dweight, dbias) = rest.unwrap();
            Ok(vec![plain.y, all.y, all.mean, all.rstd, dx, dweight, dbias])
        });
    }
}

#[test]
fn softmaxes() {
    for (m, n) in SIZES {
        agree("softmax", 3e-6, &[vec![m, n], vec![m, n]], &|e, x| {
            let (y, log) = (softmax::softmax_forward(e, x[0])?, softmax::log_softmax_forward(e, x[0])?);
            let dx = softmax::softmax_backward(e, x[1], y)?;
            Ok(vec![y, log, dx, softmax::log_softmax_backward(e, x[1], log)?])
        });
    }
}

#[test]
fn copies() {
    for (m, n) in SIZES.into_iter().filter(|(m, _)| *m > 0) {
        agree("copies", 0.0, &[vec![m, n], vec![2 * m, n]], &|e, x| {
            let folded = data::tensor_reshape(e, x[1], &[2, m, n])?;
            Ok(vec![
                data::tensor_copy(e, x[0], (nibble_engine::Category::Activations, "tensorCopy"))?,
                data::slice_rows(e, x[0], m / 2, m)?,
                data::concat_rows(e, &[x[1], x[0], x[1]])?,
                data::transpose(e, x[0])?,
                data::permute(e, folded, &[2, 0, 1])?,
                data::permute(e, folded, &[1, 0, 2])?,
            ])
        });
        let numbers: Vec<_> = (0..m as i32).rev().chain([0, m as i32 / 2]).collect();
        agree("rows by number", 0.0, &[vec![m, n], vec![m + 2, n]], &|e, x| {
            let numbers = ids(e, &numbers);
            embedding::embedding_backward(e, numbers, x[1], x[0])?;
            Ok(vec![embedding::embedding_forward(e, numbers, x[0])?, data::gather_rows(e, x[0], numbers)?])
        });
        agree("cache", 0.0, &[vec![2, m + 3, n], vec![2 * m, n]], &|e, x| {
            cache::cache_write(e, x[0], x[1], 2)?;
            Ok(vec![cache::cache_read(e, x[0], m + 2)?])
        });
    }
}

#[test]
fn numbers_of_rows_are_checked_wherever_they_are() {
    for gpu in gpus() {
        let e = Engine::default();
        let (table, wrong) = (move_to(&e, tensor(&e, &[2, 3], &[1.0; 6]), gpu), ids(&e, &[0, 2]));
        for numbers in [wrong, move_to(&e, wrong, gpu)] {
            let error = embedding::embedding_forward(&e, numbers, table).unwrap_err().to_string();
            assert!(error.contains("ids is 2 at position 1"), "{error}");
        }
    }
}

#[test]
fn rotary_positions() {
    for (pairs, rotary, inverse) in [
        (Pairs::HalfSplit, None, false),
        (Pairs::Interleaved, None, true),
        (Pairs::HalfSplit, Some(4), true),
        (Pairs::Interleaved, Some(2), false),
    ] {
        let options = RopeOptions { pairs, rotary, inverse, offset: 11, ..RopeOptions::new(5, 3, 1e4) };
        agree("rope", 1e-6, &[vec![10, 3 * 6]], &|e, x| Ok(vec![rope(e, x[0], options)?]));
    }
}

#[test]
fn products() {
    for (m, n, k) in
        [(1, 1, 1), (1, 70, 300), (4, 65, 33), (5, 3, 17), (64, 64, 16), (65, 130, 47), (3, 4, 0), (7, 9, 0)]
    {
        for (transpose_a, transpose_b) in [(false, false), (false, true), (true, false), (true, true)] {
            let a = if transpose_a { vec![k, m] } else { vec![m, k] };
            let b = if transpose_b { vec![n, k] } else { vec![k, n] };
            let options = MatmulOptions { transpose_a, transpose_b, alpha: 0.5, ..MatmulOptions::default() };
            agree("matmul", 5e-6, &[a.clone(), b.clone(), vec![n], vec![m, n], vec![m, n]], &|e, x| {
                let all = MatmulOptions { bias: Some(x[2]), residual: Some(x[3]), ..options };
                let into = MatmulOptions { into: Some(x[4]), ..options };
                matmul(e, x[0], x[1], into)?;
                Ok(vec![matmul(e, x[0], x[1], options)?, matmul(e, x[0], x[1], all)?])
            });
            let batched = |shape: &[usize]| [&[3], shape].concat();
            agree("batchedMatmul", 5e-6, &[batched(&a), batched(&b)], &|e, x| {
                let precision = Precision::F32;
                let options = BatchedOptions { transpose_a, transpose_b, alpha: 2.0, precision };
                Ok(vec![batched_matmul(e, x[0], x[1], options)?])
            });
        }
    }
}

#[test]
fn long_sums_are_made_in_parts() {
    for transposed in [false, true] {
        let turned = |rows: usize, columns: usize| if transposed { vec![columns, rows] } else { vec![rows, columns] };
        let options =
            MatmulOptions { transpose_a: transposed, transpose_b: transposed, alpha: 0.5, ..MatmulOptions::default() };
        agree("matmul", 2e-5, &[turned(5, 33_000), turned(33_000, 2), vec![2]], &|e, x| {
            Ok(vec![matmul(e, x[0], x[1], MatmulOptions { bias: Some(x[2]), ..options })?])
        });
    }
}

/// A weight of random numbers in a format, quantized on the processor, on a device.
pub fn packed(
    e: &Engine,
    random: &mut Random,
    format: Format,
    [rows, columns]: [usize; 2],
    device: Device,
) -> PackedWeight {
    let w = tensor(e, &[rows, columns], &random.normals(rows * columns));
    let place = |h| move_to(e, h, device);
    let (codes, scales, zero_points, group) = if format.is_integer() {
        let group = if format == Format::Int8 { 0 } else { 32 };
        let options = quantize::GridOptions::covering(format.bits(), group);
        let grid = quantize::quantize_integer(e, w, options).unwrap();
        (grid.codes, grid.scales, Some(place(grid.zero_points)), group)
    } else {
        let (codes, scales) = linear::quantize_blocks(e, w, format, 64).unwrap();
        (codes, scales, None, 64)
    };
    let (codes, scales) = (place(codes), place(scales));
    PackedWeight { format, rows, columns, group, codes, scales, zero_points, nested_scales: None, nested_offset: 0.0 }
}

#[test]
fn packed_layers() {
    for format in Format::ALL {
        for (tokens, rows, columns) in [(1, 5, 67), (3, 66, 64), (70, 33, 130)] {
            agree(format.name(), 5e-6, &[vec![tokens, columns], vec![tokens, rows]], &|e, x| {
                let device = data::tensor_info(e, x[0])?.device;
                let w = packed(e, &mut Random::new(3), format, [rows, columns], device);
                Ok(vec![
                    linear::packed_linear_forward(e, x[0], &w, Precision::F32)?,
                    linear::packed_linear_backward_input(e, x[1], &w, Precision::F32)?,
                ])
            });
        }
    }
}

#[test]
fn attention() {
    let plain = |heads, kv_heads| AttentionOptions::new(2, heads, kv_heads);
    for (queries, keys, width) in [(1, 1, 1), (5, 5, 8), (1, 70, 16), (9, 300, 4), (33, 40, 20), (290, 290, 3)] {
        for options in [
            plain(4, 2),
            plain(3, 3),
            AttentionOptions { window: Some(3), scale: Some(0.3), ..plain(2, 1) },
            AttentionOptions { causal: false, soft_cap: Some(2.0), ..plain(2, 2) },
            AttentionOptions { causal: false, window: Some(2), ..plain(2, 2) },
        ] {
            let shapes = [(queries, options.heads), (keys, options.kv_heads), (keys, options.kv_heads)];
            let mut shapes: Vec<_> = shapes.iter().map(|(rows, heads)| vec![2 * rows, heads * width]).collect();
            shapes.extend([vec![options.heads], shapes[0].clone()]);
            agree("attention", 1e-5, &shapes, &|e, x| {
                let device = data::tensor_info(e, x[0])?.device;
                let hide: Vec<u8> = (0..2 * keys).map(|i| u8::from(i % 3 != 1)).collect();
                let mask = data::tensor_from_bytes(e, &hide, DType::U8, &[2, keys], LABEL)?;
                let lengths = ids(e, &[keys as i32, keys as i32 / 2]);
                let (y, lse) = attention_forward(e, x[0], x[1], x[2], options)?;
                let all = AttentionOptions {
                    key_mask: Some(move_to(e, mask, device)),
                    lengths: Some(move_to(e, lengths, device)),
                    slopes: Some(x[3]),
                    ..options
                };
                let (all_y, all_lse) = attention_forward(e, x[0], x[1], x[2], all)?;
                let back = |y, log_sum_exp, options| {
                    let saved = AttentionSaved { q: x[0], k: x[1], v: x[2], y, log_sum_exp };
                    attention_backward(e, x[4], saved, options)
                };
                let gradients = [back(y, lse, options)?, back(all_y, all_lse, all)?].concat();
                Ok([vec![y, lse, all_y], gradients].concat())
            });
        }
    }
}
