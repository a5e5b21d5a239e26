//! Rounding to grids in floating point: values, straight-through gradients, codes.

use nibble_engine::ops::fake_quant::{GridOptions, codes_on_grid, fake_quant_backward, fake_quant_forward};
use nibble_engine::ops::{elementwise, quantize};
use nibble_engine::{Engine, Error, reference};

use crate::helpers::{assert_close, normal, read, tensor};
use crate::random::Random;

/// Rows, columns, columns of a group (0: all), bits.
const SHAPES: [(usize, usize, usize, usize); 5] =
    [(1, 1, 0, 2), (3, 16, 0, 2), (5, 24, 8, 3), (65, 512, 64, 4), (2, 9, 0, 8)];

#[test]
fn rounding_and_its_gradients_agree_inside_and_outside_the_grid() {
    let (e, mut random) = (Engine::default(), Random::new(31));
    for (rows, columns, group, bits) in SHAPES {
        let size = if group == 0 { columns } else { group };
        let groups = columns / size;
        let top = f64::from((1u32 << bits) - 1);
        let w = normal(&e, &mut random, &[rows, columns]);
        let dy = normal(&e, &mut random, &[rows, columns]);
        // A third of the weights lie outside such a grid; zero points are not whole.
        let scales: Vec<f32> = random.normals(rows * groups).iter().map(|v| (1.0 + v.abs()) / top as f32).collect();
        let zeros: Vec<f32> = random.normals(rows * groups).iter().map(|v| top as f32 / 2.0 + v).collect();
        let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        let grid = [w.handle, tensor(&e, &[rows, groups], &scales), tensor(&e, &[rows, groups], &zeros)];
        let options = GridOptions { bits, group };
        let y = fake_quant_forward(&e, grid, options).unwrap();
        let (scales, zeros) = (wide(&scales), wide(&zeros));
        assert_close("y", &read(&e, y), &reference::fake_quant::forward(&w.values, &scales, &zeros, size, top), 1e-6);
        let got = fake_quant_backward(&e, dy.handle, grid, options).unwrap();
        let [dw, ds, dz] = reference::fake_quant::backward(&dy.values, &w.values, &scales, &zeros, size, top);
        assert_close("dw", &read(&e, got.w), &dw, 1e-6);
        assert_close("ds", &read(&e, got.scales), &ds, 1e-5);
        assert_close("dz", &read(&e, got.zero_points), &dz, 1e-5);
    }
}

#[test]
fn its_codes_are_those_of_round_to_nearest_on_the_same_grid() {
    let (e, mut random) = (Engine::default(), Random::new(32));
    for (rows, columns, group, bits) in SHAPES {
        let w = normal(&e, &mut random, &[rows, columns]).handle;
        let rounded = quantize::quantize_integer(&e, w, quantize::GridOptions::covering(bits, group)).unwrap();
        let grid = [w, rounded.scales, rounded.zero_points];
        let codes = codes_on_grid(&e, grid, GridOptions { bits, group }).unwrap();
        let bytes = |handle| nibble_engine::ops::data::tensor_read(&e, handle).unwrap();
        assert_eq!(bytes(codes), bytes(rounded.codes), "{rows} × {columns}, group {group}, {bits} bits");
    }
}

#[test]
fn a_scale_that_is_not_above_zero_is_refused() {
    let (e, mut random) = (Engine::default(), Random::new(33));
    let w = normal(&e, &mut random, &[1, 4]).handle;
    for scale in [0.0, -1.0, f32::NAN] {
        let grid = [w, tensor(&e, &[1, 1], &[scale]), tensor(&e, &[1, 1], &[0.0])];
        let refused = fake_quant_forward(&e, grid, GridOptions { bits: 4, group: 0 });
        assert!(matches!(refused, Err(Error::Numerics { .. })), "{scale}");
    }
}

#[test]
fn clamping_is_exact_and_needs_an_interval() {
    let e = Engine::default();
    let x = tensor(&e, &[4], &[-2.0, -0.5, 0.5, 2.0]);
    elementwise::clamp_in_place(&e, x, -1.0, f64::INFINITY).unwrap();
    assert_eq!(read(&e, x), [-1.0, -0.5, 0.5, 2.0]);
    assert!(matches!(elementwise::clamp_in_place(&e, x, 1.0, 0.0), Err(Error::Option { .. })));
}
