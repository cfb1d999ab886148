"""Text for pre-training: files and folders become documents of sentences, cleaned, each once, in Arrow shards.

`build` writes a corpus, `Corpus.open` reads one. The way of the text: `sources` finds files, `reading` takes documents
from them, `cleaning` and `blocks` make sentences of each on all cores, `columns` gathers what is known of each,
`duplicates` and `held_out` decide what stays and where, `shards` holds it, `statistics` tells of it.
"""

from maskwright.data.corpus.building import build
from maskwright.data.corpus.settings import CorpusSettings
from maskwright.data.corpus.shards import Corpus, Document

__all__ = ["Corpus", "CorpusSettings", "Document", "build"]
