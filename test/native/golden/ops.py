"""Makes ops.json and ops.bin: operations and their gradients as PyTorch and transformers compute them, in float64.

    python -m venv venv && venv/bin/pip install torch transformers numpy
    venv/bin/python test/native/golden/ops.py

ops.json lists the cases by operation: options, inputs, the output y, its gradient dy and the gradients of the inputs; arrays
are [shape, offset] of float32 in ops.bin. Rope cases hold the frequencies of transformers' ROPE_INIT_FUNCTIONS.
"""
import json
import math
import pathlib

import numpy
import torch
import torch.nn.functional as F
import transformers
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

here = pathlib.Path(__file__).parent
blob = bytearray()
torch.manual_seed(0)


def store(tensor):
    """float32 numbers, appended."""
    array = numpy.ascontiguousarray(tensor.detach().numpy().astype("float32"))
    offset = len(blob)
    blob.extend(array.tobytes())
    return [list(array.shape), offset]


def normal(*shape):
    """Numbers that float32 holds."""
    return torch.randn(*shape).double().requires_grad_()


def case(name, function, inputs, **options):
    y = function(**inputs)
    dy = torch.randn(y.shape).double()
    gradients = torch.autograd.grad(y, list(inputs.values()), dy)
    return {
        "name": name,
        "options": options,
        "inputs": {key: store(value) for key, value in inputs.items()},
        "y": store(y),
        "dy": store(dy),
        "gradients": {key: store(value) for key, value in zip(inputs, gradients)},
    }


def norms():
    x, weight, bias = normal(5, 12), normal(12), normal(12)
    yield "rmsNorm", case("rms", lambda x, weight: F.rms_norm(x, (12,), weight, 1e-5), {"x": x, "weight": weight})
    inputs = {"x": x, "weight": weight, "bias": bias}
    yield "layerNorm", case("layer", lambda x, weight, bias: F.layer_norm(x, (12,), weight, bias, 1e-5), inputs)


def activations():
    kinds = {"relu": F.relu, "silu": F.silu, "gelu": F.gelu, "geluTanh": lambda x: F.gelu(x, approximate="tanh")}
    for kind, function in kinds.items():
        yield "activation", case(kind, lambda x: function(x), {"x": (3 * torch.randn(4, 9)).double().requires_grad_()}, kind=kind)


def attention(q, k, v, batch, heads, kv_heads, causal=True, window=None, soft_cap=None, slopes=None, lengths=None):
    """Literal: the scores whole."""
    split = lambda x, n: x.view(batch, -1, n, x.shape[1] // n).transpose(1, 2)
    q, k, v = split(q, heads), split(k, kv_heads), split(v, kv_heads)
    k, v = (x.repeat_interleave(heads // kv_heads, 1) for x in (k, v))
    scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3])
    if soft_cap is not None:
        scores = soft_cap * torch.tanh(scores / soft_cap)
    positions, keys = torch.arange(q.shape[2]) + k.shape[2] - q.shape[2], torch.arange(k.shape[2])
    distance = positions[:, None] - keys
    if slopes is not None:
        scores = scores - torch.tensor(slopes).double()[:, None, None] * distance
    seen = torch.ones(batch, 1, *distance.shape, dtype=torch.bool)
    if causal:
        seen = seen & (distance >= 0)
    if window is not None:
        seen = seen & (distance.abs() < window)
    if lengths is not None:
        seen = seen & (keys < torch.tensor(lengths)[:, None])[:, None, None]
    y = scores.masked_fill(~seen, -math.inf).softmax(-1) @ v
    return y.transpose(1, 2).reshape(-1, heads * y.shape[3])


def attentions():
    batch, heads, kv_heads, width = 2, 4, 2, 8
    variants = {
        "causal": {},
        "both directions": {"causal": False},
        "window": {"window": 5},
        "soft cap": {"soft_cap": 1.5},
        "slopes": {"slopes": [0.5, 0.25, 0.125, 0.0625]},
        "lengths": {"causal": False, "lengths": [13, 7]},
    }
    for name, options in variants.items():
        inputs = {"q": normal(26, heads * width), "k": normal(26, kv_heads * width), "v": normal(26, kv_heads * width)}
        function = lambda q, k, v: attention(q, k, v, batch, heads, kv_heads, **options)
        if not options:  # PyTorch's own kernel agrees
            split = lambda x, n: x.view(batch, 13, n, width).transpose(1, 2)
            ours = function(**inputs)
            theirs = F.scaled_dot_product_attention(
                split(inputs["q"], heads), split(inputs["k"], kv_heads), split(inputs["v"], kv_heads), is_causal=True, enable_gqa=True
            )
            assert torch.allclose(ours, theirs.transpose(1, 2).reshape(26, -1))
        yield "attention", case(name, function, inputs, batch=batch, heads=heads, kvHeads=kv_heads, **options)


def losses():
    targets = [3, 0, -100, 6, 2, -100, 6]
    for smoothing in [0.0, 0.1]:
        function = lambda x, weight: F.cross_entropy(x @ weight.T, torch.tensor(targets), label_smoothing=smoothing)[None]
        inputs = {"x": normal(7, 6), "weight": normal(9, 6)}
        yield "linearCrossEntropy", case(f"smoothing {smoothing}", function, inputs, targets=targets, labelSmoothing=smoothing)


def ropes():
    original = {"original_max_position_embeddings": 64}
    kinds = {
        "linear": {"factor": 4.0},
        "dynamic": {"factor": 2.0},
        "llama3": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, **original},
        "yarn": {"factor": 4.0, **original},
    }
    for kind, options in kinds.items():
        parameters = {"rope_type": kind, "rope_theta": 10000.0, **options}
        config = transformers.LlamaConfig(
            hidden_size=64, num_attention_heads=4, max_position_embeddings=64, rope_parameters=parameters
        )
        for length in [40, 100]:
            frequencies, factor = ROPE_INIT_FUNCTIONS[kind](config, "cpu", seq_len=length)
            yield "rope", {
                "name": f"{kind}, {length} positions",
                "length": length,
                "parameters": parameters,
                "factor": factor,
                "frequencies": store(frequencies),
            }


cases = {}
for family in [norms, activations, attentions, losses, ropes]:
    for op, made in family():
        cases.setdefault(op, []).append(made)
(here / "ops.bin").write_bytes(bytes(blob))
versions = {"torch": torch.__version__, "transformers": transformers.__version__}
(here / "ops.json").write_text(json.dumps({"versions": versions, "cases": cases}, indent=1) + "\n")
print(f"{sum(map(len, cases.values()))} cases, {len(blob)} bytes")
