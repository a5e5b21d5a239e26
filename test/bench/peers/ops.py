"""Attention and cross-entropy of PyTorch, forward and backward, the best of several rounds.

ops.py KIND with KIND one of f32, bf16. Prints one JSON object: milliseconds by case. Needs torch.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F

dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[sys.argv[1]]
HEADS, WIDTH, HIDDEN, TOKENS, VOCABULARY = 12, 64, 768, 512, 8192


def best(call):
    call()
    times = []
    for _ in range(7):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def parameter(*shape):
    return torch.randn(*shape, dtype=dtype, requires_grad=True)


result = {}
for batch, length in [(4, 128), (2, 1024)]:
    inputs = [parameter(batch, HEADS, length, WIDTH) for _ in range(3)]
    dy = torch.randn(batch, HEADS, length, WIDTH, dtype=dtype)

    def forward():
        with torch.no_grad():
            F.scaled_dot_product_attention(*inputs, is_causal=True)

    def both():
        torch.autograd.grad(F.scaled_dot_product_attention(*inputs, is_causal=True), inputs, dy)

    result[f"attention {batch} x {length}, forward"] = best(forward)
    result[f"attention {batch} x {length}, forward and backward"] = best(both)

x, weight, targets = parameter(TOKENS, HIDDEN), parameter(VOCABULARY, HIDDEN), torch.randint(0, VOCABULARY, (TOKENS,))
result["linear and cross-entropy, forward and backward"] = best(
    lambda: torch.autograd.grad(F.cross_entropy(F.linear(x, weight).float(), targets), [x, weight])
)
print(json.dumps(result))
