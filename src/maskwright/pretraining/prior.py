"""What a head knows before its first step: how often each piece comes."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from maskwright.nn.heads import MaskedLanguageModel


@torch.no_grad()
def know_frequencies(network: nn.Module, ids: np.ndarray) -> None:
    """Set the biases over the vocabulary to log p(piece) in a text, one added to each count; in place.

    That is where the loss of an untrained network falls to first, and the way there is long: Adam's steps of a
    thousandth need thousands of them to the biases of rare pieces. ids: (N,) the pieces of the text. Heads without such
    a bias are left as they are.
    """
    for head in network.modules():
        if isinstance(head, MaskedLanguageModel) and head.bias is not None:
            counts = torch.from_numpy(np.bincount(ids, minlength=len(head.bias)) + 1.0)
            head.bias.copy_((counts / counts.sum()).log())
