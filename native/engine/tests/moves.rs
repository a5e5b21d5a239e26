//! Rows and dimensions in another order, and rotary positions: cases as in `conformance`.

use nibble_engine::cpu::rope::{Pairs, Scaling, Turns};
use nibble_engine::ops::data;
use nibble_engine::ops::rope::{RopeOptions, rope};
use nibble_engine::{Engine, reference};

use crate::conformance::{Case, SIZES};
use crate::helpers::{ids, normal, read, tensor};
use crate::random::Random;

#[test]
fn rows_and_dimensions_move_and_come_back() {
    let (e, mut random) = (Engine::default(), Random::new(107));
    for (m, n) in SIZES.into_iter().filter(|size| size.0 > 0) {
        let numbers: Vec<i32> = (0..2 * m).map(|i| ((i * 7) % m) as i32).collect();
        let rows = |e: &Engine| ids(e, &numbers);
        let picked = |x: &[f64]| reference::embedding::embedding(&numbers, x, n);
        Case {
            name: format!("gatherRows [{m}, {n}]"),
            shapes: vec![vec![m, n]],
            domain: |v| v,
            forward: &|e, x| Ok(vec![data::gather_rows(e, x[0], rows(e))?]),
            backward: &|e, _, _, dy| Ok(vec![data::scatter_rows(e, dy, rows(e), m)?]),
            twin: &|x| picked(x[0]),
        }
        .check(&e, &mut random);
        Case {
            name: format!("scatterRows [{m}, {n}]"),
            shapes: vec![vec![2 * m, n]],
            domain: |v| v,
            forward: &|e, x| Ok(vec![data::scatter_rows(e, x[0], rows(e), m)?]),
            backward: &|e, _, _, dy| Ok(vec![data::gather_rows(e, dy, rows(e))?]),
            twin: &|x| {
                let mut y = vec![0.0; m * n];
                for (row, &at) in x[0].chunks(n).zip(&numbers) {
                    y[at as usize * n..][..n].iter_mut().zip(row).for_each(|(y, x)| *y += x);
                }
                y
            },
        }
        .check(&e, &mut random);
        let cube = normal(&e, &mut random, &[m, 3, n]);
        let there = data::permute(&e, cube.handle, &[2, 0, 1]).unwrap();
        let value = |i: usize| cube.values[(i / 3 % m) * 3 * n + i % 3 * n + i / (3 * m)] as f32;
        assert_eq!(read(&e, there), (0..3 * m * n).map(value).collect::<Vec<_>>());
        assert_eq!(read(&e, data::permute(&e, there, &[1, 2, 0]).unwrap()), read(&e, cube.handle));
        let flat = data::tensor_reshape(&e, cube.handle, &[3 * m, n]).unwrap();
        let turned = data::transpose(&e, flat).unwrap();
        assert_eq!(read(&e, turned), read(&e, data::permute(&e, flat, &[1, 0]).unwrap()));
    }
    let x = tensor(&e, &[2, 2], &[0.0; 4]);
    assert_eq!(data::permute(&e, x, &[0, 0]).unwrap_err().code(), "OptionError");
}

#[test]
fn rope_agrees_and_its_inverse_is_its_gradient() {
    let (e, mut random) = (Engine::default(), Random::new(108));
    let scalings = [
        None,
        Some(Scaling::Linear { factor: 4.0 }),
        Some(Scaling::DynamicNtk { factor: 2.0, original: 16.0 }),
        Some(Scaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 32.0 }),
        Some(Scaling::Yarn {
            factor: 4.0,
            original: 64.0,
            beta_fast: 32.0,
            beta_slow: 1.0,
            truncate: true,
            attention: 1.1,
        }),
    ];
    let shapes = [(1, 1, 1, 4, 0), (2, 5, 3, 6, 0), (1, 3, 2, 16, 1000), (3, 65, 4, 64, 7)];
    for ((batch, length, heads, width, offset), scaling) in
        shapes.into_iter().flat_map(|shape| scalings.map(|scaling| (shape, scaling)))
    {
        for (pairs, rotary) in [(Pairs::HalfSplit, width), (Pairs::Interleaved, width), (Pairs::HalfSplit, width - 2)] {
            let theta = 10_000.0;
            if rotary <= 2 && scaling.is_some() {
                continue;
            }
            let turns = Turns { rotary, theta, offset, scaling };
            let options =
                RopeOptions { offset, pairs, rotary: Some(rotary), scaling, ..RopeOptions::new(length, heads, theta) };
            Case {
                name: format!("rope {batch} × {length}, {heads} × {width}, {pairs:?}, {turns:?}"),
                shapes: vec![vec![batch * length, heads * width]],
                domain: |v| v,
                forward: &|e, x| Ok(vec![rope(e, x[0], options)?]),
                backward: &|e, _, _, dy| Ok(vec![rope(e, dy, RopeOptions { inverse: true, ..options })?]),
                twin: &|x| reference::rope::rope(x[0], length, heads, width, pairs, &turns),
            }
            .check(&e, &mut random);
        }
    }
    let x = tensor(&e, &[2, 4], &[0.0; 8]);
    let bad = RopeOptions { scaling: Some(Scaling::Linear { factor: 0.0 }), ..RopeOptions::new(2, 1, 1e4) };
    assert_eq!(rope(&e, x, bad).unwrap_err().code(), "OptionError");
}
