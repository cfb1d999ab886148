"""LSTMs over packed sequences (Hochreiter and Schmidhuber 1997)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence, unpack_sequence

from maskwright.nn.batch import Batch


def over_sequences(lstm: nn.LSTM, x: Tensor, batch: Batch) -> Tensor:
    """x (N, H) -> (N, out): the LSTM over each sequence by itself.

    In the dense twin what stands behind the text is read last, so a right-to-left LSTM needs it packed: there its rows
    are left out and come back as 0.
    """
    text = x if batch.real is None else x[batch.real]
    lengths = list(batch.lengths) if batch.real is None else batch.real.view(len(batch), -1).sum(1).tolist()
    filled = [piece for piece in text.split(lengths) if len(piece)]
    packed: PackedSequence = pack_sequence(filled, enforce_sorted=False)
    out = torch.cat(unpack_sequence(lstm(packed)[0]))
    if batch.real is None:
        return out
    return out.new_zeros(len(x), out.shape[1]).index_copy(0, batch.real.nonzero().flatten(), out)
