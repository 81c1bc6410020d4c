"""Reads a page strictly: tags must match, attributes are kept, so that tests ask for what a reader gets."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_EMPTY = {"meta", "link", "br", "img", "source", "input"}


@dataclass
class Node:
    """An element."""

    tag: str
    attributes: dict[str, str]
    children: list = field(default_factory=list)

    def all(self, tag: str | None = None, **attributes) -> list[Node]:
        """Return the elements below with this tag and these attributes (``class_``), in the page's order."""
        found = []
        for child in self.children:
            if isinstance(child, Node):
                wanted = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
                if tag in (None, child.tag) and all(_has(child, key, value) for key, value in wanted.items()):
                    found.append(child)
                found += child.all(tag, **attributes)
        return found

    @property
    def text(self) -> str:
        """All text below, white space as one blank."""
        return " ".join("".join(c if isinstance(c, str) else f" {c.text} " for c in self.children).split())


def _has(node: Node, key: str, value: str) -> bool:
    found = node.attributes.get(key)
    return found is not None and (value in found.split() if key == "class" else value == found)


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.stack = [Node("page", {})]

    def handle_starttag(self, tag, attributes):
        assert len({key for key, _ in attributes}) == len(attributes), f"an attribute twice in {attributes}"
        node = Node(tag, {key: value or "" for key, value in attributes})
        self.stack[-1].children.append(node)
        if tag not in _EMPTY:
            self.stack.append(node)

    def handle_endtag(self, tag):
        assert self.stack[-1].tag == tag, f"</{tag}> closes <{self.stack[-1].tag}>"
        self.stack.pop()

    def handle_data(self, data):
        self.stack[-1].children.append(data)


def read_page(text: str) -> Node:
    """Return the page; AssertionError where tags do not match."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert len(reader.stack) == 1, f"<{reader.stack[-1].tag}> is not closed"
    return reader.stack[0]
