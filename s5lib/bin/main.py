"""``s5lib COMMAND``: imports and runs the command's module, and shows errors as one message.

A command is a module with ``add_arguments(parser)`` and ``run(args)``; its docstring is its help.  Only the module of
the command that was asked for is imported, so that listing and help need no torch.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import logging
import os
import sys
from typing import TextIO

from s5lib.config.parser import CommandParser
from s5lib.errors import Interrupted, PluginError, S5Error, nearest
from s5lib.untrusted import printable
from s5lib.untrusted.terminal import SafeFormatter, safe_output
from s5lib.version import __version__

COMMANDS = {
    # name: (module, summary); in the order of the recipe's stages, then the tools around it
    "prepare": ("s5lib.bin.prepare", "stage 1: make or check a corpus, write data directories"),
    "train": ("s5lib.bin.train", "stages 2 and 3: train a tagger or a separator"),
    "infer": ("s5lib.bin.infer", "stage 4: separate recordings into labelled sources"),
    "score": ("s5lib.bin.score", "stage 5: score a system's output"),
    "calibrate": ("s5lib.bin.calibrate", "tune a tagger's decisions on the validation set"),
    "tabulate": ("s5lib.bin.tabulate", "put the scores of several runs into one table and picture"),
    "plane": ("s5lib.bin.plane", "draw many systems by accuracy, separation and CA-PI-SDRi"),
    "sweep": ("s5lib.bin.sweep", "the paper's experiments: train and score many variants, several at a time"),
    "report": ("s5lib.bin.report", "show experiments in one HTML page"),
    "package": ("s5lib.bin.package", "stage 6: make or check the challenge's submission package"),
    "new-corpus": ("s5lib.bin.new_corpus", "make a corpus from a folder of clips"),
    "synth": ("s5lib.bin.synth", "write a set of drawn scenes, audio and metadata"),
    "fetch": ("s5lib.bin.fetch", "download the DCASE 2026 set and complete it"),
    "validate": ("s5lib.bin.validate", "check a data directory, and fix it"),
    "describe": ("s5lib.bin.describe", "show a model's parameters, operations and speed"),
    "convert": ("s5lib.bin.convert", "convert an official checkpoint to s5lib's format"),
    "plugins": ("s5lib.bin.plugins", "list components and their options"),
    "new-plugin": ("s5lib.bin.new_plugin", "write a package with a component of your own"),
    "doctor": ("s5lib.bin.doctor", "report what is installed and what does not load"),
}


def usage() -> str:
    """Return the text of ``s5lib --help``."""
    rows = "\n".join(f"  {name:<12} {summary}" for name, (_, summary) in COMMANDS.items())
    return (
        "usage: s5lib COMMAND [options]\n\nSpatial semantic segmentation of sound scenes: from a multichannel "
        f"recording to labelled sources.\n\ncommands:\n{rows}\n\n's5lib help COMMAND' lists a command's options. "
        f"Version {__version__}."
    )


def build_parser(command: str) -> CommandParser:
    """Return the parser of one command."""
    module = importlib.import_module(COMMANDS[command][0])
    parser = CommandParser(prog=f"s5lib {command}", description=module.__doc__)
    module.add_arguments(parser)
    parser.set_defaults(_run=module.run)
    return parser


def _log_to(stream: TextIO) -> None:
    """Show what s5lib logs, with time stamps."""
    logger = logging.getLogger("s5lib")
    for handler in logger.handlers:
        if type(handler) is logging.StreamHandler:
            handler.stream = stream  # not setStream, which flushes the old one, which may be closed
            return
    handler = logging.StreamHandler(stream)
    handler.setFormatter(SafeFormatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def main(argv: list[str] | None = None) -> int:
    """Run the command line ``argv`` and return the exit status: 0, 1 for an error, 2 for wrong usage."""
    argv = sys.argv[1:] if argv is None else argv
    status = 1
    try:
        with safe_output():
            status = _run(argv)
    except BrokenPipeError:  # whoever read this has enough
        return 1
    except OSError as error:
        try:
            print(f"s5lib: error: cannot write to the standard output: {error.strerror}.", file=sys.stderr)
        except (OSError, AttributeError):
            sys.stderr = None  # or Python writes again at its end, and changes the status
        return 1
    return status


def _run(argv: list[str]) -> int:
    if os.environ.get("S5LIB_PROGRESS") == "1":  # a recipe's log is between us and the terminal: show progress bars
        sys.stderr.isatty = lambda: True  # type: ignore[method-assign]
    if argv[:1] == ["help"]:
        argv = [*argv[1:2], "--help"]
    if not argv or argv[0] in ("-h", "--help"):
        print(usage())
        return 0 if argv else 2
    if argv[0] in ("-V", "--version"):
        print(f"s5lib {__version__}")
        return 0
    command = argv[0]
    if command not in COMMANDS:
        print(f"s5lib: error: no command {command!r}. {nearest(command, [*COMMANDS, 'help'])}", file=sys.stderr)
        return 2
    try:
        args = build_parser(command).parse_args(argv[1:])
        _log_to(sys.stderr if getattr(args, "json", False) else sys.stdout)  # JSON is for another program
        return _executed(args)
    except (S5Error, OSError) as error:
        text = _disk_trouble(error) if isinstance(error, OSError) else str(error)
        print(f"s5lib {command}: error: {printable(text)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"s5lib {command}: interrupted", file=sys.stderr)
        return 130


def _executed(args: argparse.Namespace) -> int:
    try:
        return args._run(args) or 0
    except Interrupted:
        raise
    except SystemExit as error:  # of a plugin: the command has not done its work, whatever the status says
        raise PluginError(f"a plugin ended the program by sys.exit({error.code!r}); it has to raise errors.") from error


def _disk_trouble(error: OSError) -> str:
    """Return what a full, read-only or broken disk kept a command from, and what to do."""
    files = " to ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
    cause = error.strerror or str(error) or type(error).__name__
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    advice = "Free some space" if full else "Make it accessible"
    return f"{files}{files and ': '}{cause}. {advice} or choose another folder, and give the same command again."


if __name__ == "__main__":
    sys.exit(main())
