"""DeBERTa's attention (He et al. 2021, equations 2 to 4): content to content, content to position, position to content.

A score of query i and key j is (q_i k_j + q_i K_d + k_j Q_d) / sqrt(D * terms), d = i - j being how far they stand
apart and K_d, Q_d projections of a vector for each distance. Terms by distance come out of one product with the vectors
of all distances and are read by query and key through a stride (`skew`): nothing is gathered.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from maskwright.nn.attention import shares
from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.block import PostNormBlock
from maskwright.nn.dropout import Dropout, noise
from maskwright.nn.linear import Linear
from maskwright.nn.pattern import FULL
from maskwright.nn.skew import by_distance, by_key, distances

Terms = tuple[Tensor | None, Tensor | None]  #: keys and queries of positions


@dataclass(frozen=True)
class Relative:
    """Of one batch, for every layer: the vectors in use, and which of them each distance has."""

    vectors: Tensor  #: (R, H)
    places: Tensor  #: (2T - 1,): of the distances i - j from -(T - 1) to T - 1


class RelativeVectors(nn.Module):
    """A vector for each distance up to `span` to either side, or for each of as many buckets of distances."""

    def __init__(self, span: int, width: int, furthest: int | None = None, norm: nn.Module | None = None) -> None:
        """furthest: distances up to it share `span` buckets a side, the wider the further; None: each has its own."""
        super().__init__()
        self.span, self.furthest, self.norm = span, furthest, norm
        self.weight = nn.Parameter(torch.empty(2 * span, width))

    def forward(self, batch: Batch, rows: int) -> Relative:
        places = self.places(distances(max(batch.lengths, default=1), batch.ids.device))
        first, last = int(places.min()), int(places.max())
        vectors = self.weight[first : last + 1]
        return Relative(vectors if self.norm is None else self.norm(vectors), places - first)

    def places(self, distance: Tensor) -> Tensor:
        """Rows of the table."""
        return ((distance if self.furthest is None else self.bucket(distance)) + self.span).clamp(0, 2 * self.span - 1)

    def used(self, length: int) -> int:
        """How many vectors are in use for a text of so many tokens: what a layer projects."""
        places = self.places(distances(length, torch.device("cpu")))
        return int(places.max() - places.min()) + 1

    def bucket(self, distance: Tensor) -> Tensor:
        """Distances below half of `span` are their own buckets; further ones grow with their logarithm."""
        assert self.furthest is not None
        middle = self.span // 2
        far = distance.abs().clamp(min=middle).float()
        growth = torch.log(torch.tensor((self.furthest - 1) / middle))
        wide = torch.ceil(torch.log(far / middle) / growth * (middle - 1)) + middle
        return torch.where(distance.abs() <= middle, distance, (wide * distance.sign()).long())


class OfDistances(Linear):
    """A projection of vectors of distances: of as many rows as are in use (`RelativeVectors.used`)."""


class DisentangledAttention(nn.Module):
    """terms: "c2p", "p2c" or both, beside content. shared: positions are projected as content is."""

    def __init__(
        self,
        width: int,
        heads: int,
        dropout: float,
        terms: Sequence[str],
        shared: bool,
        relative: bool = True,
        position_dropout: float = 0.0,
    ) -> None:
        """relative: whether there are vectors for distances at all; without them the terms only scale."""
        super().__init__()
        self.heads, self.dropout, self.terms, self.shared = heads, dropout, tuple(terms), shared
        self.qkv = Linear(width, 3 * width)
        self.out = Linear(width, width)
        own = relative and not shared
        self.position_key = self.position_projection(width) if own and "c2p" in terms else None
        self.position_query = OfDistances(width, width) if own and "p2c" in terms else None
        self.position_drop = Dropout(position_dropout)

    def position_projection(self, width: int) -> nn.Module:
        return OfDistances(width, width)

    def forward(
        self, x: Tensor, batch: Batch, chosen: Chosen | None, relative: Relative | None, asks: Tensor | None = None
    ) -> Tensor:
        """x: (N, H) -> (N, H), or (M, H) when only the chosen tokens ask. asks (N, H): what queries are made of; x."""
        q, kv = self.project(x, x if asks is None else asks)
        keys, queries = self.positions(relative, max(batch.lengths, default=1))
        rate = self.dropout if self.training else 0.0
        mixed = attend(q, kv, keys, queries, batch, self.scale(q), rate).flatten(-2)
        y: Tensor = self.out(mixed if chosen is None else mixed.index_select(0, chosen.tokens))
        return y

    def scale(self, q: Tensor) -> float:
        return 1 / math.sqrt(q.shape[-1] * (1 + len(self.terms)))

    def project(self, x: Tensor, asks: Tensor) -> tuple[Tensor, Tensor]:
        """Queries (N, A, D) of `asks`, keys and values (N, 2, A, D) of x, both (N, H)."""
        width = x.shape[-1]
        if asks is x:
            q, kv = self.qkv(x).split([width, 2 * width], dim=-1)
        else:
            q, kv = self.qkv(asks, rows=slice(None, width)), self.qkv(x, rows=slice(width, None))
        return q.unflatten(-1, (self.heads, -1)), kv.unflatten(-1, (2, self.heads, -1))

    def positions(self, relative: Relative | None, length: int) -> tuple[Tensor | None, Tensor | None]:
        """Keys and queries of positions, each (A, 2T - 1, D): keys by the distance j - i, queries by i - j."""
        if relative is None:
            return None, None
        vectors = self.position_drop(relative.vectors)
        keys = queries = None
        if "c2p" in self.terms:
            found = self._position_keys(vectors).unflatten(-1, (self.heads, -1))
            keys = found.index_select(0, relative.places.flip(0)).transpose(0, 1)
        if "p2c" in self.terms:
            found = self._position_queries(vectors).unflatten(-1, (self.heads, -1))
            queries = found.index_select(0, relative.places).transpose(0, 1)
        return keys, queries

    def _position_keys(self, vectors: Tensor) -> Tensor:
        width = vectors.shape[-1]
        found: Tensor = self.qkv(vectors, rows=slice(width, 2 * width)) if self.shared else self.position_key(vectors)  # type: ignore[misc]
        return found

    def _position_queries(self, vectors: Tensor) -> Tensor:
        width = vectors.shape[-1]
        found: Tensor = self.qkv(vectors, rows=slice(None, width)) if self.shared else self.position_query(vectors)  # type: ignore[misc]
        return found

    def weights(self, x: Tensor, batch: Batch, relative: Relative | None = None) -> list[Tensor]:
        """What `forward` weighs values with, computed again: (A, T, T) of each sequence, in fp32."""
        q, kv = self.project(x, x)
        keys, queries = self.positions(relative, max(batch.lengths, default=1))
        found = []
        for first, length in zip(batch.offsets.tolist(), batch.lengths, strict=False):
            mine = slice(first, first + length)
            cells = [t[mine].float().transpose(0, 1) for t in (q, kv[:, 0])]
            terms = fitted(keys, length), fitted(queries, length)
            scores = _scores(cells[0], cells[1], terms, 1, self.scale(q))
            places = torch.arange(length, device=x.device)[None]
            scores = scores.masked_fill(~batch.within(FULL).sees(places, places, None)[0], -torch.inf)
            if batch.real is not None:
                scores = scores.masked_fill(~batch.real[mine], -torch.inf)
            found.append(scores.softmax(-1))
        return found


class DisentangledBlock(PostNormBlock):
    """`PostNormBlock` whose queries may come from other states than its keys and values."""

    def forward(
        self,
        x: Tensor,
        batch: Batch,
        chosen: Chosen | None = None,
        relative: Relative | None = None,
        asks: Tensor | None = None,
    ) -> Tensor:
        """(N, H) -> (N, H), or (M, H) for the chosen tokens alone; asks: (N, H), by default x."""
        kept = x if asks is None else asks
        kept = kept if chosen is None else kept.index_select(0, chosen.tokens)
        y = self.attention_norm(kept + self.drop(self.attention(x, batch, chosen, relative, asks)))
        y = self.feedforward_norm(y + self.drop(self.feedforward(y)))
        return y


def fitted(x: Tensor | None, length: int) -> Tensor | None:
    """(A, 2T - 1, D) by distance -> (A, 2 length - 1, D), cut, or filled with 0 where no tokens are so far apart."""
    if x is None:
        return None
    room = length - (x.shape[1] + 1) // 2
    return x if room == 0 else F.pad(x, (0, 0, room, room))


def attend(
    q: Tensor,
    kv: Tensor,
    keys: Tensor | None,
    queries: Tensor | None,
    batch: Batch,
    scale: float,
    dropout: float = 0.0,
) -> Tensor:
    """q: (N, A, D); kv: (N, 2, A, D); keys, queries of positions: (A, 2T - 1, D) or None -> (N, A, D)."""
    mixed: Tensor = _Attend.apply(q, kv, keys, queries, batch, scale, dropout)
    return mixed


def _scores(q: Tensor, k: Tensor, terms: Terms, count: int, scale: float, start: Tensor | None = None) -> Tensor:
    """(C * A, L, L) from q and k (C * A, L, D) and terms by distance (A, 2L - 1, D), added to `start`."""
    length, (keys, queries) = q.shape[1], terms
    start = q.new_zeros(len(q), length, length) if start is None else start
    found = torch.baddbmm(start, q, k.transpose(1, 2), alpha=scale, out=start)
    cells = found.view(count, -1, length, length)
    if keys is not None:
        cells.add_(by_key(_by_head(q, keys, count)).transpose(0, 1), alpha=scale)
    if queries is not None:
        cells.add_(by_key(_by_head(k, queries, count)).transpose(0, 1).transpose(2, 3), alpha=scale)
    return found


def _lines(x: Tensor, heads: int) -> Tensor:
    """(C * A, L, D) -> (A, C * L, D): the rows of one head in a row, for one product with what belongs to the head."""
    return x.view(-1, heads, *x.shape[1:]).transpose(0, 1).reshape(heads, -1, x.shape[-1])


def _by_head(x: Tensor, terms: Tensor, count: int) -> Tensor:
    """x (C * A, L, D), terms (A, 2L - 1, D) -> their products (A, C, L, 2L - 1)."""
    found = torch.bmm(_lines(x, len(terms)), terms.to(x.dtype).transpose(1, 2))
    return found.view(len(terms), count, x.shape[1], -1)


class _Attend(torch.autograd.Function):
    """As `attention._Attend`, with S = (Q K^T + skew(Q P_K^T) + skew(K P_Q^T)^T) * scale:

    dP_K = unskew(dS)^T Q and dQ += unskew(dS) P_K; dP_Q = unskew(dS^T)^T K and dK += unskew(dS^T) P_Q.
    """

    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,
        kv: Tensor,
        keys: Tensor | None,
        queries: Tensor | None,
        batch: Batch,
        scale: float,
        rate: float,
    ) -> Tensor:
        plan, asks = batch.rectangles(), q[:, None]
        cells, room = plan.asking.empty(asks.shape, q)
        learns = any(ctx.needs_input_grad)
        kept: list[Tensor] = []
        cut = zip(plan.asking.cut(asks), plan.asked.cut(kv), room, plan.hidden, strict=True)
        terms = [None if t is None else t.to(q.dtype) for t in (keys, queries)]
        for (mine,), pair, (out,), hidden in cut:
            count, length = len(mine) // q.shape[1], mine.shape[1]
            start = q.new_empty(count, q.shape[1], length, length).copy_(hidden).view(-1, length, length)
            near = fitted(terms[0], length), fitted(terms[1], length)
            s = _scores(mine, pair[0], near, count, scale, start)
            p = shares(s)
            r = (p * noise.mask(tuple(p.shape), rate, p.device) if rate > 0 else p).to(q.dtype)
            torch.bmm(r, pair[1], out=out)
            if learns:
                kept += [mine, pair, p, r]
        ctx.save_for_backward(*kept)
        ctx.plan, ctx.shapes, ctx.scale, ctx.terms = plan, (asks.shape, kv.shape), scale, terms
        return plan.asking.paste(cells, asks.shape)[:, 0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        (out,) = grads
        plan, (asking, asked), kept, terms = ctx.plan, ctx.shapes, ctx.saved_tensors, ctx.terms
        asks, dqs = plan.asking.empty(asking, out)
        pairs, dkvs = plan.asked.empty(asked, out)
        dterms = [None if t is None else torch.zeros(t.shape, device=t.device) for t in terms]
        for i, ((do,), (dq,), dkv) in enumerate(zip(plan.asking.cut(out[:, None], blank=True), dqs, dkvs, strict=True)):
            q, (k, v), p, r = kept[4 * i : 4 * i + 4]
            torch.bmm(r.transpose(1, 2), do, out=dkv[1])
            share = torch.bmm(do, v.transpose(1, 2)).float().mul_(ctx.scale).mul_(r)
            ds = torch.addcmul(share, p, share.sum(-1, keepdim=True), value=-1).to(q.dtype)
            torch.bmm(ds.transpose(1, 2), q, out=dkv[0])
            torch.bmm(ds, k, out=dq)
            _through(ds, q, terms[0], dterms[0], dq)
            _through(ds.transpose(1, 2), k, terms[1], dterms[1], dkv[0])
        dq, dkv = plan.asking.paste(asks, asking)[:, 0], plan.asked.paste(pairs, asked)
        return dq, dkv, *dterms, None, None, None


def _through(ds: Tensor, x: Tensor, term: Tensor | None, dterm: Tensor | None, dx: Tensor) -> None:
    """Add what the scores' gradients ds (C * A, L, L) give to `dterm` (A, 2T - 1, D) and to dx (C * A, L, D), of scores
    x term^T by distance."""
    if term is None or dterm is None:
        return
    heads, (_, length, width) = len(term), x.shape
    spread = by_distance(ds.reshape(-1, heads, length, length).transpose(0, 1))  # (A, C, L, 2L - 1)
    spread = spread.view(heads, -1, 2 * length - 1)
    own = fitted(term, length)
    assert own is not None
    dx += torch.bmm(spread, own).view(heads, -1, length, width).transpose(0, 1).reshape(x.shape)
    back = fitted(torch.bmm(spread.transpose(1, 2), _lines(x, heads)), (term.shape[1] + 1) // 2)
    assert back is not None
    dterm += back
