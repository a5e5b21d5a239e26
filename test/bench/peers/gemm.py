"""Matrix products by NumPy's OpenBLAS and by PyTorch in f32 and bf16, in turns with whoever asks.

Reads one JSON object a line: {"m", "size", "layout", "seconds"}, layout one of "x·wᵀ", "dy·w", "dyᵀ·x"; answers each with
the GF/s of every contender's fastest run. Threads: OPENBLAS_NUM_THREADS and OMP_NUM_THREADS. Needs numpy and torch.
"""

import json
import os
import sys
import time

# These hold OpenBLAS back from the kernels of the processor at hand.
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)

import numpy
import torch

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def product(layout, x, dy, w):
    return {"x·wᵀ": lambda: x @ w.T, "dy·w": lambda: dy @ w, "dyᵀ·x": lambda: dy.T @ x}[layout]


def fastest(run, seconds):
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best


operands = {}
for line in sys.stdin:
    case = json.loads(line)
    m, size = case["m"], case["size"]
    if (m, size) not in operands:
        random = numpy.random.default_rng(0)
        arrays = [random.standard_normal(shape, dtype=numpy.float32) for shape in [(m, size), (m, size), (size, size)]]
        f32 = [torch.from_numpy(array) for array in arrays]
        operands = {(m, size): {"OpenBLAS f32": arrays, "PyTorch f32": f32, "PyTorch bf16": [t.bfloat16() for t in f32]}}
    answer = {}
    for name, (x, dy, w) in operands[m, size].items():
        seconds = fastest(product(case["layout"], x, dy, w), case["seconds"])
        answer[name] = 2e-9 * m * size * size / seconds
    print(json.dumps(answer), flush=True)
