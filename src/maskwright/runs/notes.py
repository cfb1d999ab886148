"""What a run has to say to the person who waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


@dataclass
class Notes:
    """Sentences, kept and said at once. say: who is told; None: nobody."""

    say: Callable[[str], None] | None
    told: list[str] = field(default_factory=list)

    def tell(self, notes: Iterable[str]) -> None:
        for note in notes:
            self.told.append(note)
            if self.say is not None:
                self.say(note)
