"""``s5lib plugins`` and ``s5lib doctor``."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from s5lib.bin.main import main

ACME = """
def s5lib_separators():
    can = Capabilities(max_sources=2, channels=(1, 4), sample_rates=(32000,), duplicate_labels=False)
    return [ComponentSpec("bsrnn", "model_of_it:Model", capabilities=can, summary="Band-split RNN", licence="MIT",
                          citation="Luo and Yu, 2023")]
"""


def test_all_components_are_listed(install, capsys):
    install("acme-bsrnn", ACME, entry="acme")
    assert main(["plugins"]) == 0
    out = capsys.readouterr().out
    assert "bsrnn Band-split RNN [acme-bsrnn 1.2]" in " ".join(out.split())
    assert "m2d" in out and "ca_pi" in out


def test_one_kind_as_json(install, capsys):
    install("acme-bsrnn", ACME, entry="acme")
    assert main(["plugins", "separator", "--json"]) == 0
    listing = json.loads(capsys.readouterr().out)
    assert list(listing) == ["separator"]
    assert listing["separator"]["bsrnn"]["full_name"] == "acme/bsrnn"
    assert listing["separator"]["bsrnn"]["capabilities"]["channels"] == [1, 4]


def test_a_broken_plugin_stays_out_of_the_json(install, capsys):
    install("acme-broken", "raise ImportError('no')")
    assert main(["plugins", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["tagger"] and "acme-broken 1.2 did not load" in printed.err


def test_one_component_tells_options_and_capabilities(install, capsys):
    install("acme-bsrnn", ACME, entry="acme")
    assert main(["plugins", "separator", "bsrnn"]) == 0
    out = capsys.readouterr().out
    assert "up to 2 sources; channels 1,4; sampling rates 32000 Hz; distinct labels only" in out
    assert "num_sources: integer, default 3" in out
    assert "MIT" in out and "Luo and Yu, 2023" in out
    assert main(["plugins", "separator", "bsrnn", "--json"]) == 0
    details = json.loads(capsys.readouterr().out)
    assert details["options"][0] == {
        "name": "num_classes",
        "type": "integer",
        "required": False,
        "default": 18,
        "help": "C, the number of class labels, silence not counted.",
    }


def test_an_aligners_options_are_those_of_its_constructor(capsys):
    assert main(["plugins", "aligner", "ca"]) == 0
    out = capsys.readouterr().out
    assert "order: text, default random" in out and "not always the largest sum" in out


def test_an_unknown_component_is_one_message(capsys):
    assert main(["plugins", "separator", "resunett"]) == 1
    assert "error: No separator 'resunett'" in capsys.readouterr().err


def test_an_unknown_kind_is_wrong_usage():
    with pytest.raises(SystemExit) as exit:
        main(["plugins", "seperators"])
    assert exit.value.code == 2


def test_listing_takes_no_torch():
    code = "import sys; from s5lib.bin.main import main; main(['plugins']); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_doctor_tells_what_does_not_load(install, capsys):
    install("acme-broken", "import a_package_that_is_not_here", version="0.7", entry="broken")
    install("acme-bsrnn", ACME, entry="acme")  # model_of_it is missing
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "problem: plugin broken of acme-broken 0.7 (acme_broken): ModuleNotFoundError" in out
    assert "problem: separator acme/bsrnn (acme-bsrnn 1.2): cannot import model_of_it:Model" in out
    assert main(["doctor", "--json", "--traceback", "--plugin", "nowhere.py"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert any("no file" in problem for problem in report["problems"])
    broken = next(plugin for plugin in report["plugins"] if plugin["name"] == "broken")
    assert "line 2, in <module>" in broken["traceback"]


def test_doctor_tells_versions_and_devices(capsys):
    main(["doctor", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["packages"]["torch"] and report["devices"][0].startswith("CPU")
