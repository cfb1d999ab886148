"""Reading a page as a browser would, and as a person without a network would."""

from __future__ import annotations

import re
from html.parser import HTMLParser

OPEN = {"meta", "br", "wbr", "path", "use", "image", "rect"}  # tags that have no end of their own, or close themselves


class Reader(HTMLParser):
    """Checks that what was opened is closed; gathers tags, attributes and the text outside of what `skip` names."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[tuple[str, bool]] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append((tag, given))
        if tag not in OPEN:
            self.open.append((tag, tag in ("svg", "style", "time", "title") or "cut" in given.get("class", "").split()))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in OPEN:
            assert self.open.pop()[0] == tag, (tag, self.open)

    def handle_data(self, data: str) -> None:
        if not any(skipped for _, skipped in self.open):
            self.text += f"{data} "

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.tags if name == tag]


def offline(html: str) -> None:
    """Nothing on the page refers to anything outside of it, and nothing on it runs."""
    tags = Reader(html).tags
    for tag, attrs in tags:
        assert tag not in {"script", "img", "link", "iframe", "object", "embed", "base", "form"}, tag
        for name, value in attrs.items():
            assert not name.startswith("on"), (tag, name)
            assert name not in {"src", "srcset", "xlink:href", "xmlns"}, (tag, name)
            if name == "href":
                assert value.startswith(("#", "data:image/png;base64,")), value[:80]
    assert not re.search(r"url\((?!#)", html)
    assert "@import" not in html
    assert "content=\"default-src 'none'; style-src" in html


def headings(html: str) -> list[tuple[int, str]]:
    found = re.findall(r"<h(\d)>(.*?)</h\d>", html, re.DOTALL)
    return [(int(level), text) for level, text in found]
