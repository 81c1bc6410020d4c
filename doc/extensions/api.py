"""The directive ``api``: reference entries under the names that people import.

    .. api:: s5lib.metrics
       ca_pi_sdri ca_sdri

makes an entry of each, whatever module defines it.  References to other names of the same object lead there as well.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil

from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

import s5lib

MODULES = [name for _, name, _ in pkgutil.walk_packages(s5lib.__path__, "s5lib.")]
PACKAGES = ["s5lib", *(name for _, name, is_package in pkgutil.walk_packages(s5lib.__path__, "s5lib.") if is_package)]


class Api(SphinxDirective):
    """Chooses autodoc's directive for each name."""

    required_arguments = 2
    final_argument_whitespace = True

    def run(self):
        module = importlib.import_module(self.arguments[0])
        table = self.env.domaindata["py"].setdefault("public_names", {})
        lines = []
        for name in self.arguments[1].split():
            thing, public = getattr(module, name), f"{module.__name__}.{name}"
            places = [place for place in PACKAGES if getattr(importlib.import_module(place), name, None) is thing]
            if inspect.isclass(thing):
                lines.append(f".. auto{'exception' if issubclass(thing, BaseException) else 'class'}:: {public}")
            elif inspect.isroutine(thing):
                lines.append(f".. autofunction:: {public}")
            else:
                lines += [f".. py:data:: {public}", "", *(f"   {line}" for line in text_of_data(module, name))]
            lines.append("")
            table.update({f"{place}.{name}": public for place in [*places, getattr(thing, "__module__", "")]})
        return self.parse_text_to_nodes("\n".join(lines))


def text_of_data(package, name):
    """Return the docstring of a constant, from the module that defines it."""
    for module in MODULES:
        if module.startswith(package.__name__):
            found = ModuleAnalyzer.for_module(module).find_attr_docs().get(("", name))
            if found:
                return found
    raise ValueError(f"{package.__name__}.{name} has no docstring")


def find_public(app, env, node, contnode):
    """Resolve a reference by another name of what is documented."""
    if node.get("refdomain") != "py":
        return None
    table, target = env.domaindata["py"].get("public_names", {}), node["reftarget"]
    owner = next((name for name in (target, target.rpartition(".")[0]) if name in table), None)
    if owner is None:  # a name alone, of a module that is not on this page
        names = {public for public in table.values() if public.endswith(f".{target}")}
        public = names.pop() if len(names) == 1 else None
    else:
        public = table[owner] + target[len(owner) :]
    if public is None:
        return None
    return env.get_domain("py").resolve_xref(env, node["refdoc"], app.builder, node["reftype"], public, node, contnode)


class AttributeText:
    """Keeps attributes' docstrings as they are: napoleon takes what stands before a colon in them for a type."""

    def save(self, app, what, name, thing, options, lines):
        if what in ("attribute", "data", "property"):
            self.lines = list(lines)

    def restore(self, app, what, name, thing, options, lines):
        if what in ("attribute", "data", "property"):
            lines[:] = self.lines


def setup(app):
    """Add the directive, the references and the treatment of attributes."""
    text = AttributeText()
    app.add_directive("api", Api)
    app.connect("missing-reference", find_public)
    app.connect("autodoc-process-docstring", text.save, priority=400)  # napoleon has 500
    app.connect("autodoc-process-docstring", text.restore, priority=600)
    return {"parallel_read_safe": False}
