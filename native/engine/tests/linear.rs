//! Packed linear layers against the literal grid, and against decoding first.

use nibble_engine::format::Format;
use nibble_engine::ops::data;
use nibble_engine::ops::linear::{self as ops, PackedWeight};
use nibble_engine::ops::matmul::{MatmulOptions, matmul};
use nibble_engine::reference::linear::Grid;
use nibble_engine::{DType, Engine, Handle, Precision::F32};

use crate::helpers::{LABEL, assert_close, assert_gradient, dot, normal, read, tensor};
use crate::random::Random;

/// tokens, rows, columns, group
const SHAPES: [[usize; 4]; 7] =
    [[1, 1, 1, 0], [3, 5, 7, 0], [2, 9, 24, 8], [5, 17, 33, 16], [33, 65, 64, 32], [8, 12, 130, 0], [0, 4, 8, 0]];

fn bytes(e: &Engine, shape: &[usize], values: &[u8]) -> Handle {
    data::tensor_from_bytes(e, values, DType::U8, shape, LABEL).unwrap()
}

#[test]
fn integer_layers_and_their_gradients_agree() {
    let (e, mut random) = (Engine::default(), Random::new(40));
    for (format, [tokens, rows, columns, group]) in
        Format::ALL.into_iter().filter(|f| f.is_integer()).flat_map(|f| SHAPES.map(|s| (f, s)))
    {
        let size = if group == 0 { columns } else { group };
        let groups = columns.div_ceil(size);
        let levels: Vec<u8> = (0..rows * columns).map(|_| (random.next_u64() % (1 << format.bits())) as u8).collect();
        let scales = normal(&e, &mut random, &[rows, groups]);
        let zeros = normal(&e, &mut random, &[rows, groups]);
        let codes = ops::pack_integers(&e, bytes(&e, &[rows, columns], &levels), format.bits()).unwrap();
        let unpacked = ops::unpack_integers(&e, codes, rows, columns, format.bits()).unwrap();
        assert_eq!(data::tensor_read(&e, unpacked).unwrap(), levels);
        let weight = PackedWeight {
            format,
            rows,
            columns,
            group,
            codes,
            scales: scales.handle,
            zero_points: Some(zeros.handle),
            nested_scales: None,
            nested_offset: 0.0,
        };
        let grid = Grid { rows, columns, group: size, levels, zero_points: zeros.values.clone() };
        let x = normal(&e, &mut random, &[tokens, columns]);
        let dy = normal(&e, &mut random, &[tokens, rows]);
        let y = ops::packed_linear_forward(&e, x.handle, &weight, F32).unwrap();
        assert_close("y", &read(&e, y), &grid.forward(&x.values, &scales.values), 5e-6);
        assert_close("w", &read(&e, ops::dequantize(&e, &weight).unwrap()), &grid.weight(&scales.values), 1e-6);
        let dx = ops::packed_linear_backward_input(&e, dy.handle, &weight, F32).unwrap();
        let loss = |x: &[f64], s: &[f64]| dot(&grid.forward(x, s), &dy.values);
        assert_gradient("dx", &read(&e, dx), &x.values, |x| loss(x, &scales.values));
        let ds = ops::packed_linear_backward_scales(&e, dy.handle, x.handle, &weight, F32).unwrap();
        assert_gradient("ds", &read(&e, ds), &scales.values, |s| loss(&x.values, s));
        if group == 0 {
            let cheap = ops::packed_linear_backward_scales_from_output(&e, dy.handle, y, scales.handle).unwrap();
            let expected: Vec<f64> = read(&e, ds).iter().map(|&v| f64::from(v)).collect();
            assert_close("ds from y", &read(&e, cheap), &expected, 2e-5);
        }
    }
}

#[test]
fn nf4_layers_equal_decoding_first() {
    let (e, mut random) = (Engine::default(), Random::new(41));
    for ([tokens, rows, columns], block, nested) in
        [([1, 1, 64], 64, false), ([5, 7, 33], 32, false), ([33, 65, 96], 64, true), ([3, 20, 100], 64, true)]
    {
        let w = normal(&e, &mut random, &[rows, columns]);
        let (codes, scales) = ops::quantize_blocks(&e, w.handle, Format::Nf4, block).unwrap();
        let double = nested.then(|| ops::quantize_scales_nested(&e, scales).unwrap());
        let weight = PackedWeight {
            format: Format::Nf4,
            rows,
            columns,
            group: block,
            codes,
            scales: double.map_or(scales, |(codes, _, _)| codes),
            zero_points: None,
            nested_scales: double.map(|(_, scales, _)| scales),
            nested_offset: double.map_or(0.0, |(_, _, offset)| offset),
        };
        let plain = ops::dequantize(&e, &weight).unwrap();
        let (x, dy) = (normal(&e, &mut random, &[tokens, columns]), normal(&e, &mut random, &[tokens, rows]));
        let options = MatmulOptions { transpose_b: true, ..MatmulOptions::default() };
        let pairs = [
            (ops::packed_linear_forward(&e, x.handle, &weight, F32), matmul(&e, x.handle, plain, options)),
            (
                ops::packed_linear_backward_input(&e, dy.handle, &weight, F32),
                matmul(&e, dy.handle, plain, MatmulOptions::default()),
            ),
        ];
        for (fused, unfused) in pairs {
            let unfused: Vec<f64> = read(&e, unfused.unwrap()).iter().map(|&v| f64::from(v)).collect();
            assert_close("nf4", &read(&e, fused.unwrap()), &unfused, 2e-6);
        }
    }
}

#[test]
fn malformed_weights_are_refused() {
    let e = Engine::default();
    let good = PackedWeight {
        format: Format::Int4,
        rows: 2,
        columns: 4,
        group: 0,
        codes: bytes(&e, &[2, 2], &[0; 4]),
        scales: tensor(&e, &[2, 1], &[1.0; 2]),
        zero_points: Some(tensor(&e, &[2, 1], &[0.0; 2])),
        nested_scales: None,
        nested_offset: 0.0,
    };
    let x = tensor(&e, &[1, 4], &[1.0; 4]);
    ops::packed_linear_forward(&e, x, &good, F32).unwrap();
    let bad = [
        (PackedWeight { rows: 3, ..good }, "ShapeError"),
        (PackedWeight { columns: 5, ..good }, "ShapeError"),
        (PackedWeight { rows: usize::MAX, ..good }, "ShapeError"),
        (PackedWeight { group: 2, ..good }, "ShapeError"),
        (PackedWeight { zero_points: None, ..good }, "ShapeError"),
        (PackedWeight { scales: good.codes, ..good }, "DTypeError"),
        (PackedWeight { format: Format::Nf4, ..good }, "OptionError"),
    ];
    for (weight, code) in bad {
        let error = ops::packed_linear_forward(&e, x, &weight, F32).unwrap_err();
        assert_eq!(error.code(), code, "{weight:?}: {error}");
    }
    let nf4 = PackedWeight { format: Format::Nf4, group: 64, ..good };
    assert_eq!(ops::packed_linear_backward_scales(&e, x, x, &nf4, F32).unwrap_err().code(), "UnsupportedError");
}
