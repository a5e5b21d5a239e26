//! Factorizations: literal small cases, reconstruction, orthogonality; what is refused; the Gram matrix.

use nibble_engine::ops::linalg::{self, Arithmetic, RandomizedOptions, TriangularOptions};
use nibble_engine::{Engine, Handle};

use crate::helpers::{assert_close, normal, read, shape, tensor};
use crate::random::Random;

const BOTH: [(Arithmetic, f64); 2] = [(Arithmetic::F32, 2e-5), (Arithmetic::F64, 1e-6)];

/// `a[m, k]·b[k, n]` in double precision.
fn product(a: &[f64], b: &[f64], [m, n, k]: [usize; 3]) -> Vec<f64> {
    nibble_engine::reference::matmul::matmul([m, n, k], (a, false), (b, false))
}

fn transpose(a: &[f64], m: usize, n: usize) -> Vec<f64> {
    (0..n).flat_map(|j| (0..m).map(move |i| a[i * n + j])).collect()
}

fn wide(e: &Engine, handle: Handle) -> Vec<f64> {
    read(e, handle).into_iter().map(f64::from).collect()
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&x| x as f32).collect()
}

fn identity(n: usize) -> Vec<f64> {
    (0..n * n).map(|i| if i / n == i % n { 1.0 } else { 0.0 }).collect()
}

#[track_caller]
fn assert_orthonormal_columns(q: &[f64], m: usize, n: usize, tolerance: f64) {
    assert_close("qᵀq", &single(&product(&transpose(q, m, n), q, [n, n, m])), &identity(n), tolerance);
}

/// `x·xᵀ + n·1`: symmetric, positive definite, well conditioned.
fn definite(random: &mut Random, n: usize) -> Vec<f64> {
    let x: Vec<f64> = random.normals(n * n).into_iter().map(f64::from).collect();
    let mut a = product(&x, &transpose(&x, n, n), [n, n, n]);
    (0..n).for_each(|i| a[i * n + i] += n as f64);
    a.iter().map(|&x| f64::from(x as f32)).collect()
}

#[test]
fn cholesky_by_hand_and_by_reconstruction() {
    let (e, mut random) = (Engine::default(), Random::new(90));
    for (arithmetic, tolerance) in BOTH {
        let a = tensor(&e, &[2, 2], &[4.0, 99.0, 2.0, 5.0]);
        assert_eq!(read(&e, linalg::cholesky(&e, a, arithmetic).unwrap()), [2.0, 0.0, 1.0, 2.0]);
        for n in [0, 1, 7, 65, 150] {
            let a = definite(&mut random, n);
            let l = wide(&e, linalg::cholesky(&e, tensor(&e, &[n, n], &single(&a)), arithmetic).unwrap());
            assert_close("l·lᵀ", &single(&product(&l, &transpose(&l, n, n), [n, n, n])), &a, tolerance);
            for i in 0..n {
                assert!(l[i * n + i] > 0.0 && l[i * n + i + 1..(i + 1) * n].iter().all(|&x| x == 0.0));
            }
        }
    }
}

#[test]
fn the_pivot_that_is_not_positive_is_named() {
    let e = Engine::default();
    for n in [3, 40, 200] {
        for at in [0, 1, n - 1] {
            let mut a = identity(n);
            a[at * n + at] = -1.0;
            for (arithmetic, _) in BOTH {
                let error = linalg::cholesky(&e, tensor(&e, &[n, n], &single(&a)), arithmetic).unwrap_err();
                assert_eq!(error.code(), "NumericsError");
                assert!(error.to_string().contains(&format!("pivot {at} of {n}")), "{error}");
            }
        }
    }
}

#[test]
fn triangles_are_solved_and_inverted() {
    let (e, mut random) = (Engine::default(), Random::new(91));
    for (arithmetic, tolerance) in BOTH {
        for n in [0, 1, 2, 33, 130] {
            let mut lower: Vec<f64> = random.normals(n * n).into_iter().map(|x| f64::from(x) * 0.1).collect();
            for i in 0..n {
                lower[i * n + i + 1..(i + 1) * n].fill(0.0);
                lower[i * n + i] = 1.0 + i as f64 / n as f64;
            }
            for upper in [false, true] {
                let t = if upper { transpose(&lower, n, n) } else { lower.clone() };
                let handle = tensor(&e, &[n, n], &single(&t));
                let b = normal(&e, &mut random, &[n, 5]);
                for transposed in [false, true] {
                    let options = TriangularOptions { upper, transpose: transposed, arithmetic };
                    let x = linalg::solve_triangular(&e, handle, b.handle, options).unwrap();
                    assert_eq!(shape(&e, x), [n, 5]);
                    let op = if transposed { transpose(&t, n, n) } else { t.clone() };
                    let again = product(&op, &wide(&e, x), [n, 5, n]);
                    assert_close("t·x", &single(&again), &b.values, tolerance);
                }
                let options = TriangularOptions { upper, transpose: false, arithmetic };
                let inverse = wide(&e, linalg::triangular_inverse(&e, handle, options).unwrap());
                assert_close("t·t⁻¹", &single(&product(&t, &inverse, [n, n, n])), &identity(n), tolerance);
                let outside = |i: usize, j: usize| if upper { j < i } else { j > i };
                assert!((0..n * n).all(|at| !outside(at / n, at % n) || inverse[at] == 0.0));
            }
        }
    }
    let singular = tensor(&e, &[2, 2], &[1.0, 0.0, 3.0, 0.0]);
    let options = TriangularOptions { upper: false, transpose: false, arithmetic: Arithmetic::F32 };
    let error = linalg::triangular_inverse(&e, singular, options).unwrap_err();
    assert!(error.to_string().contains("its diagonal is 0 at 1"), "{error}");
}

#[test]
fn eigenvalues_by_hand_and_by_reconstruction() {
    let (e, mut random) = (Engine::default(), Random::new(92));
    for (arithmetic, tolerance) in BOTH {
        let a = tensor(&e, &[2, 2], &[2.0, 99.0, 1.0, 2.0]);
        let eigen = linalg::symmetric_eigen(&e, a, arithmetic).unwrap();
        assert_close("values", &read(&e, eigen.values), &[1.0, 3.0], tolerance);
        let half = 0.5f64.sqrt();
        let vectors = read(&e, eigen.vectors);
        assert_close("size", &vectors.iter().map(|x| x.abs()).collect::<Vec<_>>(), &[half; 4], tolerance);
        assert!(vectors[0] * vectors[1] < 0.0 && vectors[2] > 0.0 && vectors[3] > 0.0);
        for n in [0, 1, 5, 64, 101] {
            let a = definite(&mut random, n);
            let eigen = linalg::symmetric_eigen(&e, tensor(&e, &[n, n], &single(&a)), arithmetic).unwrap();
            let (values, rows) = (wide(&e, eigen.values), wide(&e, eigen.vectors));
            assert!(values.is_sorted());
            let scaled: Vec<f64> = (0..n * n).map(|at| rows[at] * values[at / n.max(1)]).collect();
            let columns = transpose(&rows, n, n);
            assert_close("v·λ·vᵀ", &single(&product(&columns, &scaled, [n, n, n])), &a, tolerance);
            assert_orthonormal_columns(&columns, n, n, tolerance);
            for row in rows.chunks_exact(n.max(1)) {
                assert!(row.iter().copied().fold(0.0f64, |best, x| if x.abs() > best.abs() { x } else { best }) > 0.0);
            }
        }
    }
}

#[test]
fn singular_values_by_hand_and_by_reconstruction() {
    let (e, mut random) = (Engine::default(), Random::new(93));
    for (arithmetic, tolerance) in BOTH {
        let svd = linalg::svd(&e, tensor(&e, &[2, 3], &[0.0, -3.0, 0.0, 2.0, 0.0, 0.0]), false, arithmetic).unwrap();
        assert_close("s", &read(&e, svd.s), &[3.0, 2.0], tolerance);
        assert_close("u", &read(&e, svd.u), &[1.0, 0.0, 0.0, 1.0], tolerance);
        assert_close("vt", &read(&e, svd.vt), &[0.0, -1.0, 0.0, 1.0, 0.0, 0.0], tolerance);
        for [m, n] in [[0, 3], [1, 1], [1, 6], [6, 1], [17, 40], [70, 33]] {
            for full in [false, true] {
                let a = normal(&e, &mut random, &[m, n]);
                let svd = linalg::svd(&e, a.handle, full, arithmetic).unwrap();
                let small = m.min(n);
                let (columns, rows) = if full { (m, n) } else { (small, small) };
                assert_eq!((shape(&e, svd.u), shape(&e, svd.vt)), (vec![m, columns], vec![rows, n]));
                let (u, s, vt) = (wide(&e, svd.u), wide(&e, svd.s), wide(&e, svd.vt));
                assert!(s.is_sorted_by(|a, b| a >= b) && s.iter().all(|&s| s >= 0.0));
                let mut again = vec![0.0; m * n];
                for i in 0..m {
                    for j in 0..n {
                        again[i * n + j] = (0..small).map(|k| u[i * columns + k] * s[k] * vt[k * n + j]).sum();
                    }
                }
                assert_close("u·s·vt", &single(&again), &a.values, tolerance);
                assert_orthonormal_columns(&u, m, columns, tolerance);
                assert_orthonormal_columns(&transpose(&vt, rows, n), n, rows, tolerance);
            }
        }
    }
}

#[test]
fn qr_by_hand_and_by_reconstruction() {
    let (e, mut random) = (Engine::default(), Random::new(94));
    for (arithmetic, tolerance) in BOTH {
        let qr = linalg::qr(&e, tensor(&e, &[2, 2], &[-3.0, 1.0, 4.0, 2.0]), arithmetic).unwrap();
        assert_close("q", &read(&e, qr.q), &[-0.6, 0.8, 0.8, 0.6], tolerance);
        assert_close("r", &read(&e, qr.r), &[5.0, 1.0, 0.0, 2.0], tolerance);
        for [m, n] in [[0, 2], [1, 1], [5, 9], [80, 31]] {
            let a = normal(&e, &mut random, &[m, n]);
            let qr = linalg::qr(&e, a.handle, arithmetic).unwrap();
            let (q, r, k) = (wide(&e, qr.q), wide(&e, qr.r), m.min(n));
            assert_close("q·r", &single(&product(&q, &r, [m, n, k])), &a.values, tolerance);
            assert_orthonormal_columns(&q, m, k, tolerance);
            assert!((0..k).all(|i| r[i * n + i] >= 0.0 && (0..i).all(|j| r[i * n + j] == 0.0)));
        }
    }
}

#[test]
fn the_randomized_range_holds_the_first_directions() {
    let (e, mut random) = (Engine::default(), Random::new(95));
    let (m, n, rank) = (60, 90, 6);
    let [left, right]: [Vec<f64>; 2] =
        [m * rank, rank * n].map(|count| random.normals(count).into_iter().map(f64::from).collect());
    let a: Vec<f64> = product(&left, &right, [m, n, rank]);
    let noise = random.normals(m * n);
    let noisy: Vec<f32> = a.iter().zip(noise).map(|(a, x)| (*a + 1e-3 * f64::from(x)) as f32).collect();
    let handle = tensor(&e, &[m, n], &noisy);
    for (arithmetic, tolerance) in BOTH {
        let o = RandomizedOptions { rank, oversample: 4, power_iterations: 2, seed: 7, arithmetic };
        let q = linalg::randomized_range(&e, handle, o).unwrap();
        assert_eq!(shape(&e, q), [m, rank + 4]);
        let basis = wide(&e, q);
        assert_orthonormal_columns(&basis, m, rank + 4, tolerance);
        let inside = product(&transpose(&basis, m, rank + 4), &a, [rank + 4, n, m]);
        assert_close("q·qᵀ·a", &single(&product(&basis, &inside, [m, n, rank + 4])), &a, 1e-3);
        let (near, exact) =
            (linalg::randomized_svd(&e, handle, o).unwrap(), linalg::svd(&e, handle, false, arithmetic).unwrap());
        assert_eq!(
            (shape(&e, near.u), shape(&e, near.s), shape(&e, near.vt)),
            (vec![m, rank], vec![rank], vec![rank, n])
        );
        assert_close("s", &read(&e, near.s), &wide(&e, exact.s)[..rank], 1e-5);
        assert_orthonormal_columns(&wide(&e, near.u), m, rank, 2e-5);
        assert_eq!(read(&e, q), read(&e, linalg::randomized_range(&e, handle, o).unwrap()), "the seed decides");
        assert_ne!(
            read(&e, q),
            read(&e, linalg::randomized_range(&e, handle, RandomizedOptions { seed: 8, ..o }).unwrap())
        );
    }
    let all = RandomizedOptions { rank: 60, oversample: 9, power_iterations: 0, seed: 1, arithmetic: Arithmetic::F32 };
    assert_eq!(shape(&e, linalg::randomized_range(&e, handle, all).unwrap()), [m, m]);
    for rank in [0, 61] {
        assert_eq!(
            linalg::randomized_svd(&e, handle, RandomizedOptions { rank, ..all }).unwrap_err().code(),
            "OptionError"
        );
    }
}

#[test]
fn the_gram_matrix_adds_up_over_chunks() {
    let (e, mut random) = (Engine::default(), Random::new(96));
    for [m, n] in [[0, 4], [1, 1], [3, 7], [1023, 33], [1024, 20], [2500, 65]] {
        let x = normal(&e, &mut random, &[m, n]);
        let expected = product(&transpose(&x.values, m, n), &x.values, [n, n, m]);
        let gram = linalg::gram(&e, x.handle, None).unwrap();
        assert_close("gram", &read(&e, gram), &expected, 2e-6);
        let values = read(&e, gram);
        assert!((0..n * n).all(|at| values[at].to_bits() == values[at % n * n + at / n].to_bits()), "symmetric");
        assert_eq!(linalg::gram(&e, x.handle, Some(gram)).unwrap(), gram);
        let twice: Vec<f64> = expected.iter().map(|x| 2.0 * x).collect();
        assert_close("twice", &read(&e, gram), &twice, 2e-6);
    }
    let x = tensor(&e, &[2, 2], &[1.0; 4]);
    assert_eq!(linalg::gram(&e, x, Some(x)).unwrap_err().code(), "OptionError");
    assert_eq!(linalg::gram(&e, x, Some(tensor(&e, &[1, 2], &[0.0; 2]))).unwrap_err().code(), "ShapeError");
}

#[test]
fn what_is_not_finite_or_not_square_is_refused() {
    let e = Engine::default();
    let a = tensor(&e, &[2, 2], &[1.0, f32::NAN, 0.0, 1.0]);
    let flat = tensor(&e, &[2, 3], &[1.0; 6]);
    let options = TriangularOptions { upper: false, transpose: false, arithmetic: Arithmetic::F64 };
    let before = (e.ledger().stats()[0].1.live, e.live_tensors());
    let refused = [
        linalg::cholesky(&e, a, Arithmetic::F32).unwrap_err(),
        linalg::svd(&e, a, true, Arithmetic::F32).unwrap_err(),
        linalg::qr(&e, a, Arithmetic::F64).unwrap_err(),
        linalg::symmetric_eigen(&e, a, Arithmetic::F64).unwrap_err(),
        linalg::triangular_inverse(&e, a, options).unwrap_err(),
    ];
    for error in refused {
        assert!(error.to_string().contains("holds NaN at row 0, column 1"), "{error}");
    }
    assert_eq!(linalg::cholesky(&e, flat, Arithmetic::F32).unwrap_err().code(), "ShapeError");
    assert_eq!(linalg::symmetric_eigen(&e, flat, Arithmetic::F32).unwrap_err().code(), "ShapeError");
    let t = tensor(&e, &[2, 2], &[1.0, 0.0, 0.0, 1.0]);
    let error = linalg::solve_triangular(&e, t, tensor(&e, &[3, 1], &[1.0; 3]), options).unwrap_err();
    assert!(error.to_string().contains("[2, columns]"), "{error}");
    assert_eq!(before.0 + 16 + 12, e.ledger().stats()[0].1.live);
}

#[test]
fn a_job_is_watched_and_stopped() {
    let (e, mut random) = (Engine::default(), Random::new(97));
    let x = normal(&e, &mut random, &[3000, 8]).handle;
    let job = std::sync::Arc::<nibble_engine::Job>::default();
    job.run(|| linalg::gram(&e, x, None)).unwrap();
    let (done, total) = job.progress();
    assert!(done >= 3 && done == total, "{done} of {total}");
    let (live, tensors) = (e.ledger().stats()[0].1.live, e.live_tensors());
    job.stop();
    for result in [job.run(|| linalg::gram(&e, x, None)), job.run(|| linalg::qr(&e, x, Arithmetic::F32).map(|qr| qr.q))]
    {
        assert_eq!(result.unwrap_err().code(), "InterruptedError");
    }
    assert_eq!((e.ledger().stats()[0].1.live, e.live_tensors()), (live, tensors));
    linalg::gram(&e, x, None).unwrap();
}
