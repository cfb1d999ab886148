"""Attention, dropout and linear layers on CPU, forward and backward: how `nn` chose its kernels.

    python -m bench.attention

One layer of MiniLM (12 heads of 32), packed queries, keys and values from one product, split once. Every way gets
the same numbers and gives gradients for all three. Repeats take turns; medians are compared.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from bench import _measure as measure
from bench import _texts as texts
from bench._trainer import read

NAME = "attention"
HEADS, WIDTH, BATCH, REPEATS, BATCHES = 12, 384, 32, 7, 4


def lengths() -> dict[str, list[list[int]]]:
    """Real lengths in arrival order, as batches of 32, each batch sorted as a training step sorts it."""
    from maskwright.text.tokenizer import Tokenizer

    tokenizer = Tokenizer.from_folder(measure.minilm_folder())
    sentences = tokenizer.encode(read("train", BATCH * BATCHES)[0], max_length=128).lengths.tolist()
    novels = tokenizer.encode(json.loads(texts.prepare().read_text())["long"][: BATCH * 2]).lengths.tolist()
    cut = {"SST-2 sentences": sentences, "novels, 50 to 400 pieces": novels}
    return {k: [sorted(v[i : i + BATCH]) for i in range(0, len(v), BATCH)] for k, v in cut.items()}


def ways(rate: float) -> dict[str, Callable[[Any, Any], Any]]:
    """name -> (qkv (N, 3H), batch) -> (N, H)."""
    import torch
    import torch.nn.functional as F

    from maskwright.nn import attend

    def ours(qkv: Any, batch: Any) -> Any:
        q, kv = qkv.split([WIDTH, 2 * WIDTH], dim=-1)
        return attend(q.unflatten(-1, (HEADS, -1)), kv.unflatten(-1, (2, HEADS, -1)), batch, dropout=rate).flatten(-2)

    def each(qkv: Any, batch: Any) -> Any:
        out = []
        for one in qkv.split(list(batch.lengths)):
            q, k, v = one.view(1, len(one), 3, HEADS, -1).permute(2, 0, 3, 1, 4)
            out.append(F.scaled_dot_product_attention(q, k, v, dropout_p=rate).transpose(1, 2).reshape(len(one), WIDTH))
        return torch.cat(out)

    def padded(qkv: Any, batch: Any) -> Any:
        shape = (len(batch), max(batch.lengths))
        cells = qkv.new_zeros(*shape, 3 * WIDTH).index_put((batch.sequence, batch.positions), qkv)
        real = torch.zeros(shape, dtype=torch.bool).index_put((batch.sequence, batch.positions), torch.tensor(True))
        q, k, v = cells.view(*shape, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, real[:, None, None, :], dropout_p=rate)
        return mixed.transpose(1, 2).reshape(*shape, WIDTH)[batch.sequence, batch.positions]

    return {
        "ours: rectangles, two products": ours,
        "torch sdpa, one call a sequence": each,
        "torch sdpa, padded": padded,
    }


def attention_rows(quiet: measure.Quiet) -> list[dict[str, Any]]:
    import torch

    from maskwright.nn import Batch

    rows = []
    for text, batches in lengths().items():
        packed = [Batch.packed(torch.zeros(sum(b), dtype=torch.long), b) for b in batches]
        for dtype in (torch.bfloat16, torch.float32):
            for rate in (0.1, 0.0):
                quiet.check(f"attention, {text}")
                data = [torch.randn(len(b.ids), 3 * WIDTH, dtype=dtype) for b in packed]
                times: dict[str, dict[str, list[float]]] = {w: {"forward": [], "both": []} for w in ways(rate)}
                for _ in range(REPEATS):
                    for name, way in ways(rate).items():
                        for what, seconds in clock(way, data, packed).items():
                            times[name][what].append(1e3 * seconds / len(packed))
                for name, found in times.items():
                    shown = {what: measure.median(values) for what, values in found.items()}
                    kind = str(dtype).removeprefix("torch.")
                    rows.append({"text": text, "format": kind, "dropout": rate, "way": name, **shown})
    return rows


def clock(way: Callable[[Any, Any], Any], data: list[Any], packed: list[Any]) -> dict[str, float]:
    import torch

    start = time.perf_counter()
    with torch.no_grad():
        for qkv, batch in zip(data, packed, strict=True):
            way(qkv, batch)
    forward = time.perf_counter() - start
    start = time.perf_counter()
    for qkv, batch in zip(data, packed, strict=True):
        leaf = qkv.detach().requires_grad_()
        way(leaf, batch).sum().backward()
    return {"forward": forward, "both": time.perf_counter() - start}


def dropout_rows() -> list[dict[str, Any]]:
    """One hidden dropout of a training step, (800, 384), forward and backward."""
    import torch
    import torch.nn.functional as F

    from maskwright.nn.dropout import Dropout

    mine, rows = Dropout(0.1).train(), []
    ways: dict[str, Callable[[Any], Any]] = {"ours: 16 bits of SFC64": mine, "torch": lambda x: F.dropout(x, 0.1)}
    for dtype in (torch.bfloat16, torch.float32):
        x = torch.randn(800, WIDTH, dtype=dtype)
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(30):
            for name, way in ways.items():
                leaf = x.detach().requires_grad_()
                start = time.perf_counter()
                way(leaf).sum().backward()
                times[name].append(1e3 * (time.perf_counter() - start))
        rows += [
            {"way": n, "format": str(dtype).removeprefix("torch."), "ms": measure.median(t)} for n, t in times.items()
        ]
    return rows


def linear_rows() -> list[dict[str, Any]]:
    """The two products of a feed-forward layer, 900 tokens: ours beside `nn.Linear` and the activation after it."""
    import torch
    from torch import nn

    from maskwright.nn import precision
    from maskwright.nn.activations import ACTIVATIONS
    from maskwright.nn.linear import Linear

    gelu, rows = ACTIVATIONS["gelu"], []
    shapes: list[tuple[int, int, Any]] = [(WIDTH, 4 * WIDTH, gelu), (4 * WIDTH, WIDTH, None)]
    for format_ in ("bf16", "fp32"):
        for width, out, activation in shapes:
            mine, plain = Linear(width, out, activation), nn.Linear(width, out)
            plain.load_state_dict(mine.state_dict())
            then = activation or (lambda y: y)
            sides: dict[str, Callable[[Any], Any]] = {"ours": mine, "torch": lambda x, p=plain, t=then: t(p(x))}  # type: ignore[misc]
            x = torch.randn(900, width)
            exact = then(nn.functional.linear(x.double(), mine.weight.double(), mine.bias.double()))
            times: dict[str, dict[str, list[float]]] = {name: {"forward": [], "both": []} for name in sides}
            wrong = {}
            for _ in range(20):
                for name, side in sides.items():
                    with precision(format_), torch.no_grad():
                        y = side(x)  # casts the weight, as the first batch of many does
                        start = time.perf_counter()
                        for _ in range(3):
                            y = side(x)
                    times[name]["forward"].append(1e3 * (time.perf_counter() - start) / 3)
                    wrong[name] = float((y.double() - exact).detach().square().mean().sqrt())
                    leaf, dy = x.detach().requires_grad_(), torch.ones_like(y)
                    start = time.perf_counter()
                    with precision(format_):
                        y = side(leaf)
                    y.backward(dy)
                    times[name]["both"].append(1e3 * (time.perf_counter() - start))
            what = f"{width} to {out}" + (", GELU" if activation else "")
            rows += [
                {"format": format_, "what": what, "way": name, "error": wrong[name]}
                | {k: measure.median(v) for k, v in found.items()}
                for name, found in times.items()
            ]
    return rows


def shape_rows() -> list[dict[str, Any]]:
    """What a shape costs that oneDNN has not seen: ms of a product's first call, and of its later ones."""
    import torch

    from maskwright.nn.linear import Linear
    from maskwright.nn.precision import precision

    into, back = Linear(WIDTH, 4 * WIDTH), Linear(4 * WIDTH, WIDTH)
    tokens, lengths = range(513, 1024, 17), range(25, 56)
    products: dict[str, tuple[Callable[[Any], Any], list[Any]]] = {
        f"{WIDTH} to {4 * WIDTH}": (into, [torch.randn(n, WIDTH) for n in tokens]),
        f"{4 * WIDTH} to {WIDTH}": (back, [torch.randn(n, 4 * WIDTH) for n in tokens]),
        "scores of attention": (
            lambda q: torch.bmm(q, q.transpose(1, 2)),
            [torch.randn(16 * HEADS, length, 32, dtype=torch.bfloat16) for length in lengths],
        ),
    }
    rows = []
    for what, (product, inputs) in products.items():
        first, later = [], []
        with torch.no_grad(), precision("bf16"):
            for x in inputs:
                times = []
                for _ in range(6):
                    start = time.perf_counter()
                    product(x)
                    times.append(1e3 * (time.perf_counter() - start))
                first.append(times[0])
                later.append(measure.median(times[2:]))
        rows.append({"what": what, "first": measure.median(first), "later": measure.median(later)})
    return rows


def memory_row() -> dict[str, float]:
    """Casting 10.6 million weights to fp32, a fresh block of memory each time: ms before and after keeping it."""
    import torch

    from maskwright.base import runtime

    weights = torch.randn(10_600_000).bfloat16()

    def cast() -> float:
        times = []
        for _ in range(15):
            start = time.perf_counter()
            weights.float()
            times.append(1e3 * (time.perf_counter() - start))
        return measure.median(times[3:])

    before = cast()
    runtime.settle_memory()
    return {"given back": before, "kept": cast()}


def main() -> dict[str, Any]:
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(measure.cores())
    quiet = measure.Quiet()
    memory = memory_row()
    result = {
        "machine": measure.machine(),
        "command": "python -m bench.attention",
        "memory": memory,
        "attention": attention_rows(quiet),
        "dropout": dropout_rows(),
        "linear": linear_rows(),
        "shapes": shape_rows(),
        "busy": quiet.worst,
    }
    measure.save(NAME, result)
    return result


def section(result: dict[str, Any]) -> str:
    n = measure.number
    best = {}
    for r in result["attention"]:
        key = (r["text"], r["format"], r["dropout"])
        if not r["way"].startswith("ours"):
            best[key] = min(best.get(key, 1e9), r["both"])
    rows = []
    for r in result["attention"]:
        ratio = n(best[(r["text"], r["format"], r["dropout"])] / r["both"]) if r["way"].startswith("ours") else ""
        cells = [r["text"], r["format"], str(r["dropout"]), r["way"], n(r["forward"]), n(r["both"]), ratio]
        rows.append(cells)
    head = ["text", "format", "dropout", "way", "forward, ms", "forward + backward, ms", "times the best of torch"]
    drops = [[r["format"], r["way"], n(r["ms"])] for r in result["dropout"]]
    products = [
        [r["format"], r["what"], r["way"], n(r["forward"]), n(r["both"]), f"{r['error']:.1e}"] for r in result["linear"]
    ]
    shapes = [[r["what"], n(r["first"]), n(r["later"])] for r in result["shapes"]]
    return "\n\n".join(
        [
            "## Attention, dropout and linear layers",
            f"`{result['command']}`. {measure.describe(result['machine'])}",
            *([note] if (note := measure.disturbance(result["busy"])) else []),
            "One layer of 12 heads, width 384, batches of 32 texts; median ms a batch.",
            measure.table(head, rows),
            "Dropout of (800, 384) at rate 0.1, forward and backward:",
            measure.table(["format", "way", "ms"], drops),
            "One product of 900 tokens; the error is the root mean square of its distance from float64. In bf16"
            " the weight was cast before in the first column, and is cast in the second, where ours is torch's own:",
            measure.table(["format", "product", "way", "forward, ms", "forward + backward, ms", "error"], products),
            "A product in bf16 without a gradient, of 513 to 1,023 tokens, or of 16 texts of 25 to 55: first calls of"
            " a shape, for which oneDNN compiles a kernel, and later ones:",
            measure.table(["product", "first call, ms", "later calls, ms"], shapes),
            f"Casting 10.6 million weights from bf16 to fp32: {n(result['memory']['given back'])} ms when freed memory "
            f"goes back to the kernel, {n(result['memory']['kept'])} ms when it is kept.",
        ]
    )


if __name__ == "__main__":
    from bench.__main__ import run

    argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None).parse_args(sys.argv[1:])
    run(main, section)
