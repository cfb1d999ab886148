"""Number formats and activations."""

from __future__ import annotations

import pytest
import torch

from maskwright.base.errors import UserError
from maskwright.nn import Batch, Encoder, precision
from maskwright.nn.activations import ACTIVATIONS, activation


def test_bf16_multiplies_in_bf16_and_keeps_fp32_weights(encoder: Encoder) -> None:
    batch = Batch.packed(torch.tensor([5, 6, 7, 8]), [3, 1])
    with precision("bf16"):
        assert torch.nn.functional.linear(torch.ones(2, 3), torch.ones(4, 3)).dtype == torch.bfloat16
        half = encoder(batch)
    with precision("fp32"):
        assert torch.nn.functional.linear(torch.ones(2, 3), torch.ones(4, 3)).dtype == torch.float32
        full = encoder(batch)
    assert torch.equal(full, encoder(batch))
    assert not torch.equal(half, full)
    torch.testing.assert_close(half.float(), full, atol=0.1, rtol=0)
    half.float().sum().backward()
    assert all(p.grad is None or p.grad.dtype == torch.float32 for p in encoder.parameters())
    encoder.zero_grad()


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activations_are_those_of_the_reference(name: str) -> None:
    from transformers.activations import ACT2FN

    x = torch.linspace(-6, 6, 1001)
    torch.testing.assert_close(activation(name)(x), ACT2FN[name](x), atol=1e-6, rtol=0)


def test_an_unknown_activation_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"There is no activation 'gelu_nwe'. Did you mean 'gelu_new'\?"):
        activation("gelu_nwe")
