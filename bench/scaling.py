"""`python -m bench.scaling`: the tables of docs/scaling.md, by arithmetic alone. Nothing is run or measured here."""

from __future__ import annotations

from dataclasses import dataclass

RATE = 0.35 * 989e12  #: FLOP/s: a third of what an H100 is sold for in bf16
MICRO = 8192  #: tokens of a piece, `train.micro_tokens`
LENGTH = 512
SCORED = 0.15
WORDS = 30_522
LINKS = {"fast": 300e9, "slow": 10e9}  #: bytes/s between nodes of 8 GPUs in one direction; within a node always fast


@dataclass(frozen=True)
class Shape:
    """A BERT with its masked-LM head. block: numbers in one; rest: in embeddings and head; held: bytes that a token of
    a piece leaves for the backward pass in a layer, without and with train.recompute, counted in docs/scaling.md."""

    name: str
    layers: int
    width: int
    block: int
    rest: int
    held: tuple[int, int]

    @property
    def all(self) -> int:
        return self.layers * self.block + self.rest

    @property
    def flops(self) -> float:
        """Of a token, forward and backward: products with weights, attention, and the vocabulary where scored."""
        attention = 12 * self.layers * self.width * LENGTH
        return 6 * self.layers * self.block + attention + 6 * SCORED * self.width * (WORDS + self.width)


SHAPES = (
    Shape("base", 12, 768, 7_087_872, 24_459_834, (77_600, 3_100)),
    Shape("large", 24, 1024, 12_596_224, 32_865_082, (106_500, 4_100)),
)


def memory(shape: Shape, size: int, engine: str) -> float:
    """Bytes of weights, gradients and AdamW's moments in one process: see docs/scaling.md."""
    if engine == "ddp":
        return 22 * shape.all
    return 16 * shape.all / size + 10 * (shape.rest + 2 * shape.block)


def pieces(tokens: int, size: int) -> int:
    """Of a step, in each process."""
    return -(-tokens // (size * MICRO))


def sent(shape: Shape, tokens: int, size: int, engine: str) -> float:
    """Bytes that one process sends in a step."""
    share = (size - 1) / size
    if engine == "ddp":
        return 2 * share * 4 * shape.all
    return pieces(tokens, size) * share * 4 * (3 * shape.layers * shape.block + 2 * shape.rest)


def efficiency(shape: Shape, tokens: int, size: int, engine: str, link: str) -> str:
    """The share of the time that computes: if no exchange is hidden behind it, and if all that can be is. DDP exchanges
    during the last piece's backward pass, two thirds of that piece; FSDP2 during all of the step."""
    compute = shape.flops * tokens / size / RATE
    exchange = sent(shape, tokens, size, engine) / LINKS["fast" if size <= 8 else link]
    hidden = compute if engine == "fsdp" else compute * 2 / 3 / pieces(tokens, size)
    low, high = compute / (compute + exchange), compute / (compute + max(exchange - hidden, 0))
    return f"{100 * low:.0f} to {100 * high:.0f} %"


def weights_table() -> str:
    lines = ["| shape | processes | DDP | FSDP2 |", "|---|---|---|---|"]
    for shape in SHAPES:
        for size in (8, 16, 32, 64):
            ddp, fsdp = (f"{memory(shape, size, engine) / 1e9:.2f} GB" for engine in ("ddp", "fsdp"))
            lines.append(f"| {shape.name} | {size} | {ddp} | {fsdp} |")
    return "\n".join(lines)


def held_table() -> str:
    lines = ["| shape | as it is | with train.recompute |", "|---|---|---|"]
    for shape in SHAPES:
        plain, again = (shape.layers * MICRO * each for each in shape.held)
        lines.append(f"| {shape.name} | {plain / 1e9:.1f} GB | {(again + MICRO * shape.held[0]) / 1e9:.1f} GB |")
    return "\n".join(lines)


def steps_table() -> str:
    head = "| shape | tokens a step | processes | engine | sent a step | compute | fast links | slow links |"
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for shape in SHAPES:
        for tokens in (131_072, 1_048_576):
            for size in (8, 16, 32, 64):
                compute = shape.flops * tokens / size / RATE
                for engine in ("ddp", "fsdp"):
                    moved = sent(shape, tokens, size, engine)
                    links = " | ".join(efficiency(shape, tokens, size, engine, link) for link in LINKS)
                    label = {"ddp": "DDP", "fsdp": "FSDP2"}[engine]
                    cells = f"{tokens:,} | {size} | {label} | {moved / 1e9:.2f} GB | {1000 * compute:.1f} ms"
                    lines.append(f"| {shape.name} | {cells} | {links} |")
    return "\n".join(lines)


def tables() -> dict[str, str]:
    return {"weights": weights_table(), "held": held_table(), "steps": steps_table()}


if __name__ == "__main__":
    print("\n\n".join(tables().values()))
