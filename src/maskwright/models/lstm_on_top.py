"""An arm: left-to-right BERT with a BiLSTM on top, as in Devlin et al. 2019, table 5, "+ BiLSTM"."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from maskwright.models import bert
from maskwright.models._family import Changes, Preset
from maskwright.models._heads import Mean, Tokens, Words
from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.encoder import Encoder
from maskwright.nn.pattern import LEFT
from maskwright.nn.recurrent import over_sequences


class Config(bert.Config):
    """BERT's sizes. The BiLSTM has half the width in each direction, so that heads fit as they are."""


class WithLSTM(nn.Module):
    """BiLSTM(encoder(x)): (N, H)."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.below, self.width = encoder, encoder.width
        self.lstm = nn.LSTM(encoder.width, encoder.width // 2, bidirectional=True)

    @property
    def limit(self) -> int | None:
        return self.below.limit

    @property
    def embeddings(self) -> nn.Module:
        return self.below.embeddings

    def forward(self, batch: Batch, chosen: Chosen | None = None) -> Tensor:
        x = over_sequences(self.lstm, self.below(batch), batch)
        return x if chosen is None else x.index_select(0, chosen.tokens)

    def attentions(self, batch: Batch) -> Iterator[list[Tensor]]:
        return self.below.attentions(batch)

    def states(self, batch: Batch) -> list[Tensor]:
        found = self.below.states(batch)
        return [*found, over_sequences(self.lstm, found[-1], batch)]


def build(config: Config) -> WithLSTM:
    """Encoder and BiLSTM, with random weights."""
    return WithLSTM(bert.build(config, pattern=LEFT))


HEADS = {
    "bare": Mean.of("LSTMOnTop"),
    "masked-lm": Words.of("LSTMOnTopMaskedLM", masked_lm=bert.masked_lm),
    "classification": Mean.of("LSTMOnTopClassification", classifier=bert.classifier),
    "token-classification": Tokens.of("LSTMOnTopTokens", classifier=bert.classifier),
    "question-answering": Tokens.of("LSTMOnTopAnswers", ends=bert.ends),
}

PRESETS = {"base": Preset(Config(), "Devlin et al. 2019, table 5: as BERT-base, below a BiLSTM")}

CHANGES = Changes(
    "2018-10",
    "Devlin et al., BERT, table 5: left to right + BiLSTM",
    attention="a token sees what stands before it; a BiLSTM on top sees both sides | WithLSTM",
    parent="left-to-right",
)
