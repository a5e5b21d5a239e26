//! Root-mean-square normalization, rotary positions.

use nibble_engine::ops::norm::{rms_norm_backward, rms_norm_forward};
use nibble_engine::ops::rope::{RopeOptions, rope};
use nibble_engine::{Engine, reference};

use crate::helpers::{assert_close, assert_gradient, dot, normal, read};
use crate::random::Random;

#[test]
fn rms_norm_and_its_gradients_agree() {
    let (e, mut random) = (Engine::default(), Random::new(10));
    for (rows, n) in [(0, 4), (1, 1), (3, 15), (64, 16), (65, 17), (130, 33)] {
        let x = normal(&e, &mut random, &[rows, n]);
        let weight = normal(&e, &mut random, &[n]);
        let dy = normal(&e, &mut random, &[rows, n]);
        let (y, rstd) = rms_norm_forward(&e, x.handle, weight.handle, 1e-5).unwrap();
        let twin = |x: &[f64], w: &[f64]| reference::norm::rms_norm(x, w, 1e-5);
        assert_close("y", &read(&e, y), &twin(&x.values, &weight.values), 1e-6);
        let (dx, dweight) = rms_norm_backward(&e, dy.handle, x.handle, weight.handle, rstd, true).unwrap();
        let loss = |x: &[f64], w: &[f64]| dot(&twin(x, w), &dy.values);
        assert_gradient("dx", &read(&e, dx), &x.values, |x| loss(x, &weight.values));
        assert_gradient("dweight", &read(&e, dweight.unwrap()), &weight.values, |w| loss(&x.values, w));
        let (again, none) = rms_norm_backward(&e, dy.handle, x.handle, weight.handle, rstd, false).unwrap();
        assert_eq!(read(&e, again), read(&e, dx));
        assert_eq!(none, None);
    }
}

#[test]
fn rope_agrees_and_its_inverse_is_its_gradient() {
    let (e, mut random) = (Engine::default(), Random::new(11));
    for (batch, length, heads, width, offset) in
        [(1, 1, 1, 2, 0), (2, 5, 3, 6, 0), (1, 3, 2, 16, 1000), (3, 65, 4, 64, 7)]
    {
        let x = normal(&e, &mut random, &[batch * length, heads * width]);
        let dy = normal(&e, &mut random, &[batch * length, heads * width]);
        let options = RopeOptions { length, heads, theta: 10_000.0, offset, inverse: false };
        let twin = |x: &[f64]| reference::rope::rope(x, length, heads, width, 10_000.0, offset);
        assert_close("rope", &read(&e, rope(&e, x.handle, options).unwrap()), &twin(&x.values), 1e-6);
        let back = rope(&e, dy.handle, RopeOptions { inverse: true, ..options }).unwrap();
        assert_gradient("rope inverse", &read(&e, back), &x.values, |x| dot(&twin(x), &dy.values));
    }
}
