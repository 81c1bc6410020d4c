"""Links and anchors of the guides, and what the API reference lists."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*(ROOT / "doc").rglob("*.md"), *ROOT.glob("*.md")]
LINK = re.compile(r"\[[^\[\]]*\]\((?!https?:|mailto:)([^()\s#]*)(?:#([^()\s]+))?\)")


def text_of(page):
    """Return a page without its code."""
    return re.sub(r"^```.*?^```$|`[^`\n]+`", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page):
    """Return the anchors of a page's headings, as GitHub and MyST make them."""
    code_out = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.+)$", code_out, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page):
    for target, anchor in LINK.findall(text_of(page)):
        linked = (page.parent / target).resolve() if target else page
        assert linked.exists(), f"{target}: no such file"
        assert not anchor or anchor in anchors(linked), f"{target}#{anchor}: no such heading"


def test_link_checks_find_what_is_wrong(tmp_path):
    (tmp_path / "a.md").write_text("# The one, and `two`\n[b](#the-one-and-two) [c](b.md)\n```sh\n# [d](e.md)\n```\n")
    assert anchors(tmp_path / "a.md") == {"the-one-and-two"}
    assert LINK.findall(text_of(tmp_path / "a.md")) == [("", "the-one-and-two"), ("b.md", "")]


def listed():
    """Return the names in the API reference, as users import them."""
    text = "\n".join(page.read_text("utf-8") for page in (ROOT / "doc/reference").glob("*.md"))
    blocks = re.findall(r"^\.\. api:: (\S+)\n   (.+)$", text, re.MULTILINE)
    return [(module, name) for module, names in blocks for name in names.split()]


def test_reference_lists_importable_names_once():
    names = listed()
    assert len(names) == len(set(names)) > 100
    assert all(hasattr(importlib.import_module(module), name) for module, name in names)


def test_reference_has_what_guides_import():
    things = {id(getattr(importlib.import_module(module), name)) for module, name in listed()}
    for page in [ROOT / "README.md", *(ROOT / "doc").glob("*.md")]:
        blocks = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
        for block in (re.sub(r"^(>>>|\.\.\.) ?", "", block, flags=re.MULTILINE) for block in blocks):
            for line in re.findall(r"^from s5lib\S* import .+$", block, re.MULTILINE):
                (statement,) = ast.parse(line).body
                for alias in statement.names:
                    thing = getattr(importlib.import_module(statement.module), alias.name)
                    assert id(thing) in things, f"{page.name}: {statement.module}.{alias.name} is not in the reference"
