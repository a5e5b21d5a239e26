"""Matrix products by NumPy's OpenBLAS and by PyTorch in f32 and bf16, and by weights of four bits in groups of 64 by bitsandbytes
and ONNX Runtime where they are installed; in turns with whoever asks.

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

try:
    import bitsandbytes
except ImportError:
    bitsandbytes = None
try:
    import onnx
    import onnxruntime
except ImportError:
    onnxruntime = None

GROUP = 64
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


def bits4(x, w):
    """x·wᵀ for a weight of four bits, by contender; x and w are f32 tensors."""
    runs = {}
    if bitsandbytes is not None:
        weight, state = bitsandbytes.functional.quantize_4bit(w, blocksize=GROUP, quant_type="nf4")
        runs["bitsandbytes nf4"] = lambda: bitsandbytes.matmul_4bit(x, weight.t(), state)
    if onnxruntime is not None:
        (rows, columns), groups = w.shape, w.shape[1] // GROUP
        codes = numpy.random.default_rng(1).integers(0, 256, rows * columns // 2, dtype=numpy.uint8)
        scales = numpy.full(rows * groups, 0.01, dtype=numpy.float32)
        blocks = codes.reshape(rows, groups, GROUP // 2)
        runs["ONNX Runtime nf4"] = session(x, w, "MatMulBnb4", [codes, scales], quant_type=1)
        # How sums are made: 1, in f32; 4, from activations rounded to int8.
        for name, level in [("ONNX Runtime int4", 1), ("ONNX Runtime int4, int8 sums", 4)]:
            runs[name] = session(x, w, "MatMulNBits", [blocks, scales], bits=4, accuracy_level=level)
    return runs


def session(x, w, operator, constants, **attributes):
    """A run of one operator of ONNX Runtime's own."""
    rows, columns = w.shape
    names = ["codes", "scales"]
    node = onnx.helper.make_node(
        operator, ["x", *names], ["y"], domain="com.microsoft", N=rows, K=columns, block_size=GROUP, **attributes
    )
    floats = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [node],
        "product",
        [onnx.helper.make_tensor_value_info("x", floats, x.shape)],
        [onnx.helper.make_tensor_value_info("y", floats, [len(x), rows])],
        [onnx.numpy_helper.from_array(constant, name) for constant, name in zip(constants, names)],
    )
    domains = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("com.microsoft", 1)]
    model = onnx.helper.make_model(graph, opset_imports=domains, ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    made = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    inputs = {"x": x.numpy()}
    return lambda: made.run(None, inputs)


operands = {}
packed = {}
for line in sys.stdin:
    case = json.loads(line)
    m, size = case["m"], case["size"]
    if (m, size) not in operands:
        random = numpy.random.default_rng(0)
        arrays = [random.standard_normal(shape, dtype=numpy.float32) for shape in [(m, size), (m, size), (size, size)]]
        f32 = [torch.from_numpy(array) for array in arrays]
        operands = {(m, size): {"OpenBLAS f32": arrays, "PyTorch f32": f32, "PyTorch bf16": [t.bfloat16() for t in f32]}}
        packed = bits4(f32[0], f32[2])
    runs = {name: product(case["layout"], *three) for name, three in operands[m, size].items()}
    if case["layout"] == "x·wᵀ":
        runs |= packed
    answer = {name: 2e-9 * m * size * size / fastest(run, case["seconds"]) for name, run in runs.items()}
    print(json.dumps(answer), flush=True)
