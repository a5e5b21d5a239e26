"""Makes optimizers.json and optimizers.bin: trajectories of PyTorch's and bitsandbytes' optimizers (CPU).

    python -m venv venv && venv/bin/pip install torch bitsandbytes==0.50.2 numpy
    venv/bin/python test/native/golden/optimizers.py

optimizers.json lists the cases; each names arrays by [type, offset, count] in optimizers.bin: the parameter before and
after, and the gradient of each step. "adamw8bit" is bitsandbytes' own step. Its CPU path looks codes up after rounding to
65536 levels, so that all below 1.5e-5 of a block's largest second moment becomes that (here gradients of even size);
"adamw8bit-nearest" is the same step, from the same
package's maps and its dequantization, with the nearest code, as the paper defines it and the CUDA kernels compute it.
"""
import json
import pathlib

import bitsandbytes
import bitsandbytes.functional as functional
import numpy
import torch

here = pathlib.Path(__file__).parent
blob = bytearray()
stored = {}
STEPS = 8
BLOCK = 256


def store(array):
    array = numpy.ascontiguousarray(array.detach().numpy().reshape(-1))
    name = {"float32": "f32", "uint8": "u8"}[str(array.dtype)]
    data = array.tobytes()
    if data not in stored:
        blob.extend(b"\0" * (-len(blob) % 4))
        stored[data] = [name, len(blob), int(array.size)]
        blob.extend(data)
    return stored[data]


def trajectory(make, parameter, gradients):
    p = torch.nn.Parameter(parameter.clone())
    optimizer = make([p])
    for gradient in gradients:
        p.grad = gradient.clone()
        optimizer.step()
    return p, optimizer.state[p]


def encode(values, table):
    blocks = torch.nn.functional.pad(values, (0, -len(values) % BLOCK)).view(-1, BLOCK)
    scales = blocks.abs().amax(1)
    x = (blocks / torch.where(scales > 0, scales, 1)[:, None]).view(-1)[: len(values)].contiguous()
    middles = ((table[1:].double() + table[:-1].double()) / 2).float()
    return torch.searchsorted(middles, x).to(torch.uint8), scales


def nearest_trajectory(parameter, gradients, lr, weight_decay, beta1=0.9, beta2=0.999, eps=1e-8):
    maps = [functional.create_dynamic_map(signed=True), functional.create_dynamic_map(signed=False)]
    p = parameter.clone()
    zeros = torch.zeros_like(p)
    states = [encode(zeros, table) for table in maps]
    for step, g in enumerate(gradients, 1):
        decode = lambda state, table: torch.ops.bitsandbytes.dequantize_blockwise(*state, table, BLOCK, torch.float32)
        m, v = (decode(state, table) for state, table in zip(states, maps))
        m.mul_(beta1).add_(g, alpha=1 - beta1)
        v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
        p.mul_(1 - lr * weight_decay)
        p.addcdiv_(m, (v.sqrt() / (1 - beta2**step) ** 0.5).add_(eps), value=-lr / (1 - beta1**step))
        states = [encode(values, table) for values, table in zip((m, v), maps)]
    return p, states


def case(name, options, parameter, gradients, after, **more):
    return {
        "name": name,
        "options": options,
        "shape": list(parameter.shape),
        "before": store(parameter),
        "gradients": [store(g) for g in gradients],
        "after": store(after),
        **more,
    }


torch.manual_seed(20261125)
n = 600
parameter = torch.randn(n) * 0.5
gradients = [torch.randn(n) * torch.logspace(-4, 1, n)[torch.randperm(n)] for _ in range(STEPS)]
for g in gradients:
    g[7::50] = 0
cases = []


def add(name, make, options, parameter=parameter, gradients=gradients):
    after, _ = trajectory(make, parameter, gradients)
    cases.append(case(name, options, parameter, gradients, after))


add("adamw", lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=0.1), {"learningRate": 1e-2, "weightDecay": 0.1})
for momentum, nesterov, decay in [(0.0, False, 0.1), (0.9, False, 0.0), (0.9, True, 0.01)]:
    add(
        "sgd",
        lambda p: torch.optim.SGD(p, lr=1e-2, momentum=momentum, nesterov=nesterov, weight_decay=decay),
        {"learningRate": 1e-2, "momentum": momentum, "nesterov": nesterov, "weightDecay": decay},
    )
add(
    "lion",
    lambda p: bitsandbytes.optim.Lion32bit(p, lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1),
    {"learningRate": 1e-3, "weightDecay": 0.1},
)
for shape in [(24, 40), (40, 24)]:
    matrix = torch.randn(shape)
    matrix_gradients = [torch.randn(shape) for _ in range(STEPS)]
    for adjust in ["original", "match_rms_adamw"]:
        add(
            "muon",
            lambda p: torch.optim.Muon(p, lr=1e-2, weight_decay=0.1, adjust_lr_fn=adjust),
            {"learningRate": 1e-2, "weightDecay": 0.1, "adjust": adjust},
            matrix,
            matrix_gradients,
        )

options = {"learningRate": 1e-2, "weightDecay": 0.1}
even = [torch.randn(n) for _ in range(STEPS)]
add("adamw8bit", lambda p: bitsandbytes.optim.AdamW8bit(p, lr=1e-2, weight_decay=0.1, min_8bit_size=1), options, gradients=even)
after, states = nearest_trajectory(parameter, gradients, 1e-2, 0.1)
codes = {name: store(values) for (name, values) in [("first", states[0][0]), ("second", states[1][0])]}
scales = {name: store(values) for (name, values) in [("firstScales", states[0][1]), ("secondScales", states[1][1])]}
cases.append(case("adamw8bit-nearest", options, parameter, gradients, after, **codes, **scales))

about = {
    "torch": torch.__version__,
    "bitsandbytes": bitsandbytes.__version__,
    "unsignedMap": store(functional.create_dynamic_map(signed=False)),
    "cases": cases,
}
(here / "optimizers.json").write_text(json.dumps(about, indent=1) + "\n")
(here / "optimizers.bin").write_bytes(bytes(blob))
