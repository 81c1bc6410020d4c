"""List taggers, separators, joint models and aligners, from s5lib and from plugins.

s5lib plugins                       all of them
s5lib plugins separator             those of one kind
s5lib plugins separator resunetk    one component: its options, capabilities, licence and citation
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from s5lib.bin.shared_options import add_shared, load_plugins
from s5lib.config.options import REQUIRED
from s5lib.plugins import KINDS, Component, available, find
from s5lib.untrusted import to_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", nargs="?", choices=list(KINDS), help="list only this kind")
    parser.add_argument("name", nargs="?", help="show this component's options, capabilities, licence and citation")
    add_shared(parser, "json", "plugin")


def run(args: argparse.Namespace) -> None:
    load_plugins(args)
    if args.name:
        component = find(args.kind, args.name)
        print(to_json(_details(component), indent=2) if args.json else _page(component))
        return
    kinds = [args.kind] if args.kind else list(KINDS)
    listing = {kind: {name: find(kind, name) for name in available(kind)} for kind in kinds}
    if args.json:
        summaries = {kind: {name: _summary(c) for name, c in found.items()} for kind, found in listing.items()}
        print(to_json(summaries, indent=2))
    else:
        print(_table(listing))


def _summary(component: Component) -> dict[str, Any]:
    spec = component.spec
    return {
        "full_name": component.full_name,
        "distribution": component.distribution,
        "version": component.version,
        "summary": spec.summary,
        "capabilities": dataclasses.asdict(spec.capabilities),
        "licence": spec.licence,
        "citation": spec.citation,
        "target": spec.target,
    }


def _details(component: Component) -> dict[str, Any]:
    options = [
        {
            "name": option.name,
            "type": option.type,
            "required": option.default is REQUIRED,
            "default": None if option.default is REQUIRED else _plain(option.default),
            "help": option.help,
        }
        for option in component.options()
    ]
    return {"kind": component.kind, "name": component.spec.name, **_summary(component), "options": options}


def _plain(value: Any) -> Any:
    return value if isinstance(value, (int, float, str, bool, list, tuple, dict, type(None))) else str(value)


def _table(listing: dict[str, dict[str, Component]]) -> str:
    width = max([len(name) for found in listing.values() for name in found] + [8])
    blocks = []
    for kind, found in listing.items():
        rows = [f"  {name:<{width}}  {c.spec.summary}{_source(c)}".rstrip() for name, c in found.items()]
        blocks.append("\n".join([f"{kind}:", *(rows or ["  (none)"])]))
    return "\n".join(blocks) + "\n\n's5lib plugins KIND NAME' lists a component's options."


def _source(component: Component) -> str:
    return "" if component.namespace == "s5lib" else f"  [{component.origin}]"


def _page(component: Component) -> str:
    spec, lines = component.spec, []
    lines.append(f"{component.kind} {component.full_name}: {spec.summary or 'no summary'}")
    lines.append(f"from      {component.origin}, {spec.target}")
    lines.append(f"can do    {_capabilities(component)}")
    for title, value in (("licence", spec.licence), ("citation", spec.citation)):
        if value:
            lines.append(f"{title:<9} {value}")
    options = component.options()
    lines.append("options" if options else "options   none")
    for option in options:
        default = "required" if option.default is REQUIRED else f"default {_text(option.default)}"
        lines.append(f"  {option.name}: {option.type}, {default}")
        if option.help:
            lines.append(f"      {option.help}")
    if options and component.kind != "aligner":
        lines.append(f"Set them with --{component.kind}_conf NAME=VALUE; the recipe fills in the sizes of the task.")
    return "\n".join(lines)


def _text(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _capabilities(component: Component) -> str:
    can = component.spec.capabilities
    if component.kind == "aligner":
        pairs = "pairs equal labels only" if can.within_class else "pairs any labels"
        return f"{pairs}; {'the largest sum of scores' if can.optimal else 'not always the largest sum of scores'}"
    sources = "any number of sources" if can.max_sources is None else f"up to {can.max_sources} sources"
    channels = "any number of channels" if can.channels is None else f"channels {_text(can.channels)}"
    rates = "any sampling rate" if can.sample_rates is None else f"sampling rates {_text(can.sample_rates)} Hz"
    duplicates = "several sources of one class" if can.duplicate_labels else "distinct labels only"
    return f"{sources}; {channels}; {rates}; {duplicates}"
