"""Quantize throughput of PyTorch peers on the shapes of test/bench/quantize.ts, in million weights a second.

Needs torch and bitsandbytes. GPTQ is its paper's blocked loop in torch operations (Cholesky, blocks of 128 columns, a rank-1 update a column),
as the public implementations run it on a processor; round to nearest and HQQ are their element-wise definitions.
"""

import json
import time

import bitsandbytes.functional as bnb
import torch

HIDDEN, INNER, TOKENS = 768, 2048, 4096
LAYERS = [(HIDDEN, HIDDEN, "attention")] * 3 + [(HIDDEN, HIDDEN, "output"), (INNER, HIDDEN, "mlp"), (INNER, HIDDEN, "mlp"), (HIDDEN, INNER, "down")]
COUNT = sum(rows * columns for rows, columns, _ in LAYERS)
torch.manual_seed(0)
torch.set_grad_enabled(False)


def grams():
    made = {}
    for _, columns, name in LAYERS:
        if name not in made:
            x = torch.randn(TOKENS, columns) + torch.randn(TOKENS, 1)
            made[name] = x.T @ x
    return made


def rtn(w, bits=4, group=None):
    g = w.reshape(-1, group or w.shape[1])
    low, high = g.amin(1, keepdim=True).clamp(max=0), g.amax(1, keepdim=True).clamp(min=0)
    scale = (high - low) / (2**bits - 1)
    zero = (-low / scale).round()
    return ((g / scale).round() + zero).clamp(0, 2**bits - 1).to(torch.uint8)


def hqq(w, bits=4, group=64, p=0.7, beta=10.0, iterations=20):
    g = w.reshape(-1, group)
    low, high = g.amin(1, keepdim=True), g.amax(1, keepdim=True)
    scale = (2**bits - 1) / (high - low)
    zero = -low * scale
    for _ in range(iterations):
        q = (g * scale + zero).round().clamp(0, 2**bits - 1)
        r = (q - zero) / scale
        e = g - r
        e = e.sign() * (e.abs() - e.abs().pow(p - 1) / beta).clamp(min=0)
        zero = (q - (g - e) * scale).mean(1, keepdim=True)
        beta *= 1.01
    return q.to(torch.uint8)


def gptq(w, h, bits=4, group=None, block=128, damp=0.01):
    w, h = w.clone(), h.clone()
    columns = w.shape[1]
    h.diagonal().add_(damp * h.diagonal().mean())
    u = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(h)), upper=True)
    top = 2**bits - 1

    def grid(part):
        low, high = part.amin(1).clamp(max=0), part.amax(1).clamp(min=0)
        scale = (high - low) / top
        return scale, (-low / scale).round()

    scale, zero = grid(w)
    codes = torch.zeros_like(w, dtype=torch.uint8)
    for start in range(0, columns, block):
        end = min(start + block, columns)
        part, inner = w[:, start:end].clone(), u[start:end, start:end]
        errors = torch.zeros_like(part)
        for i in range(end - start):
            if group and (start + i) % group == 0:
                scale, zero = grid(w[:, start + i : start + i + group])
            q = ((part[:, i] / scale).round() + zero).clamp(0, top)
            codes[:, start + i] = q.to(torch.uint8)
            error = (part[:, i] - scale * (q - zero)) / inner[i, i]
            part[:, i:] -= error.unsqueeze(1) * inner[i, i:].unsqueeze(0)
            errors[:, i] = error
        w[:, end:] -= errors @ u[start:end, end:]
    return codes


def measure(work, runs):
    best = float("inf")
    for run in range(runs + 1):
        started = time.perf_counter()
        work()
        if run > 0 or runs == 1:
            best = min(best, time.perf_counter() - started)
        if runs == 1:
            break
    return COUNT / best / 1e6


def main():
    weights = [torch.randn(rows, columns) * 0.02 for rows, columns, _ in LAYERS]
    h = grams()

    def each(f):
        return lambda: [f(w) for w in weights]

    def each_gptq(group):
        return lambda: [gptq(w, h[name], group=group) for w, (_, _, name) in zip(weights, LAYERS)]

    torch_cases = {
        "rtn 4 bits": measure(each(rtn), 5),
        "hqq 4 bits, group 64": measure(each(hqq), 1),
        "gptq 4 bits": measure(each_gptq(None), 1),
        "gptq 4 bits, group 64": measure(each_gptq(64), 1),
    }
    bnb_cases = {
        "nf4": measure(each(lambda w: bnb.quantize_4bit(w, blocksize=64, quant_type="nf4")), 3),
        "nf4, double quantization": measure(
            each(lambda w: bnb.quantize_4bit(w, blocksize=64, quant_type="nf4", compress_statistics=True)), 3
        ),
    }
    print(json.dumps({f"PyTorch {torch.__version__}": torch_cases, "bitsandbytes": bnb_cases}))


if __name__ == "__main__":
    main()
