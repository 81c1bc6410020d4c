"""Training through the command, on a tiny corpus."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest
import torch
import yaml
from safetensors.torch import load_file

from s5lib.bin.main import main
from s5lib.data import CorpusDescription, DrawnScenes
from s5lib.models.checkpoint import load_model
from s5lib.models.configs import M2DConfig
from s5lib.scenes import Corpus, DrawSettings
from s5lib.training.experiment import Experiment

from .conftest import train_command


def test_experiment_folder_tells_what_was_done(trained):
    for kind, steps in (("tagger", ["head", "finetune"]), ("separator", ["train"])):
        config = yaml.safe_load((trained / kind / "config.yaml").read_text())
        assert config["name"] == {"tagger": "m2d", "separator": "resunetk"}[kind]
        assert config["labels"] == ["Bell", "Dog", "Rain", "Speech"]
        assert config["made_with"]["torch"] == torch.__version__.partition("+")[0]
        for step in steps:
            rows = [json.loads(line) for line in (trained / kind / step / "history.jsonl").read_text().splitlines()]
            assert rows[0]["step"] == 2
            assert {"loss", "valid_loss", "mixtures_per_second", "waiting_for_data"} < set(rows[0])
            assert (trained / kind / step / "curve.png").stat().st_size > 1000
        assert (trained / kind / "model.safetensors").exists()


def test_second_step_has_its_own_learning_rate_and_the_first_ones_weights(trained, capsys):
    """The trap of resuming the head's checkpoint: its optimiser would keep the learning rate 1e-3."""
    text = (trained / "tagger/train.log").read_text()
    assert "step finetune: weights from" in text and "optimiser, learning rate and step counter are new" in text
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    rates = {}
    for step in ("head", "finetune"):
        events = EventAccumulator(str(trained / "tagger" / step / "tensorboard"))
        events.Reload()
        rates[step] = [float(event.value) for event in events.Scalars("lr")]
    assert rates["head"] == pytest.approx([1e-3])
    assert rates["finetune"] == pytest.approx([1e-5])


def test_models_of_the_way_are_kept(prepared, configs, tmp_path):
    command = train_command("separator", prepared, configs, tmp_path, "--max_steps", "2", "--keep_models", "2")
    assert main(command) == 0
    first, last = sorted((tmp_path / "separator/train/steps").iterdir())
    assert (first.name, last.name) == ("step_0000001.safetensors", "step_0000002.safetensors")
    (model, header), (final, _) = load_model(last), load_model(tmp_path / "separator/model.safetensors")
    assert header["labels"] == ["Bell", "Dog", "Rain", "Speech"]
    # the one validation is at the last step
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), final.state_dict().values(), strict=True))
    assert not torch.equal(next(load_model(first)[0].parameters()), next(final.parameters()))


def test_fewer_channels_are_the_first_ones(prepared, configs, tmp_path):
    for kind in ("tagger", "separator"):
        assert main(train_command(kind, prepared, configs, tmp_path, f"--{kind}_conf", "num_channels=1")) == 0
        model, _ = load_model(tmp_path / kind / "model.safetensors")
        assert model.config.num_channels == 1


@pytest.mark.parametrize(  # of an n_fft of 800 they are measured, of others derived
    ("normalize_level", "n_fft", "error"), [(False, 800, 0.1), (True, 800, 0.1), (True, 512, 0.4)]
)
def test_tagger_has_the_statistics_of_the_corpus(prepared, configs, tmp_path, normalize_level, n_fft, error):
    """The log-mel energies of training mixtures, as the tagger computes them, have mean 0 and deviation 1."""
    options = [f"normalize_level={normalize_level}", f"n_fft={n_fft}", "n_mels=80"]
    options = [word for option in options for word in ("--tagger_conf", option)]
    assert main(train_command("tagger", prepared, configs, tmp_path, *options)) == 0
    model, header = load_model(tmp_path / "tagger/model.safetensors")
    corpus = CorpusDescription.read(prepared / "data")
    scenes = DrawnScenes(Corpus(corpus.root), DrawSettings(duration=1.0, sample_rate=8000), seed=9, size=20)
    mixtures = torch.stack([scenes[index]["mixture"] for index in range(20)])
    levels = mixtures[:, :1].square().mean(-1, keepdim=True).sqrt()
    energies = model.log_mel(mixtures / levels if normalize_level else mixtures)
    mean, deviation = model.backbone.norm_stats
    normalized = (energies - mean) / deviation
    assert normalized.mean().item() == pytest.approx(0, abs=error)
    assert normalized.std().item() == pytest.approx(1, abs=error)
    trained_on = header["trained_on"]
    assert trained_on["duration"] == 1.0
    assert trained_on["statistics"]["level_dbfs"] == pytest.approx(20 * levels.log10().median().item(), abs=4)


def test_corpora_of_earlier_versions_have_no_statistics(prepared, configs, tmp_path, capsys):
    shutil.copytree(prepared, tmp_path / "earlier", ignore=shutil.ignore_patterns("dump"))
    description = tmp_path / "earlier/data/corpus.json"
    description.write_text(json.dumps({**json.loads(description.read_text()), "statistics": None}))
    assert main(train_command("tagger", tmp_path / "earlier", configs, tmp_path)) == 0
    assert "stage 1, run again, measures" in capsys.readouterr().out
    assert load_model(tmp_path / "tagger/model.safetensors")[0].config.norm_mean == M2DConfig.norm_mean


def test_duration_is_reported_before_the_start(prepared, configs, tmp_path, capsys):
    assert main(train_command("tagger", prepared, configs, tmp_path, "--estimate")) == 0
    *_, printed = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"about .*\(2 steps of head, 3 steps of finetune; measured on this machine\): [0-9.]+ s", printed
    ), printed
    assert not (tmp_path / "tagger").exists()


@pytest.mark.parametrize("kind, more", [("separator", ["--num_workers", "2"]), ("tagger", ["--render_device", "cpu"])])
def test_duration_is_in_proportion_and_writes_nothing(prepared, configs, tmp_path, monkeypatch, capsys, kind, more):
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    seconds = []
    for steps in ("1000", "100000"):
        line = train_command(kind, prepared, configs, tmp_path / "exp", "--estimate", "--max_steps", steps, *more)
        assert main([*line, "--valid_interval", "1000000"]) == 0
        seconds.append(float(re.search(r": ([\d.]+) s\n", capsys.readouterr().out)[1]))
    assert 10 < seconds[1] / seconds[0] < 1000  # a hundred, on a machine that does nothing else
    assert not list((tmp_path / "scratch").iterdir()) and not (tmp_path / "exp").exists()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_an_estimate_ends_on_sigterm(prepared, configs, tmp_path):
    command = train_command("separator", prepared, configs, tmp_path / "exp", "--estimate")
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    code = (
        "import sys, time\nimport s5lib.training.estimate as e\nfrom s5lib.bin.main import main\n"
        "e.FEWEST = 10**9; e.MOST = 10**6; old = e._Watch.on_train_start\n"
        "e._Watch.on_train_start = lambda *a: (old(*a), print('training'))\nsys.exit(main(sys.argv[1:]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, *command], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert any("training" in line for line in process.stdout)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM and not list(tmp_path.iterdir())


def test_again_is_left_alone(trained, prepared, configs, capsys):
    before = (trained / "separator/model.safetensors").read_bytes()
    assert main(train_command("separator", prepared, configs, trained)) == 0
    assert "finished already" in capsys.readouterr().out
    assert (trained / "separator/model.safetensors").read_bytes() == before


def test_other_options_into_the_same_folder_are_refused(trained, prepared, configs, capsys):
    assert main(train_command("separator", prepared, configs, trained, "--lr", "0.5")) == 1
    assert "holds a run with other options: steps.train.lr was 0.001, now 0.5" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--lr", "0"], "--lr is 0.0; expected above 0"),
        (["--steps", "train={clip: fast}"], "option 'clip' is 'fast', expected number"),
        (["--steps", "train={schedule: cosin}"], "expected constant or cosine"),
        (["--layers", "head"], "head"),
        (["--aligner", "ca-pi"], "Did you mean 'ca_pi'?"),
        (["--separator", "resunet_k"], "Did you mean 'resunetk'?"),
        (["--separator_conf", "chanels=4"], "Did you mean 'channels'?"),
        (["--separator_conf", "num_channels=5"], "num_channels is 5, but 4 in the corpus"),
        (["--separator_conf", "channels"], "--separator_conf: expected KEY=VALUE, got 'channels'"),
        (["--scenes_conf", "duration=-1"], "duration is -1.0, expected seconds from 0.01 to 3600"),
        (["--init", "nowhere.safetensors"], "nowhere.safetensors"),
    ],
)
def test_wrong_options_are_reported(prepared, configs, tmp_path, capsys, more, message):
    assert main(train_command("separator", prepared, configs, tmp_path, *more)) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())  # nothing that looks like a run


def test_without_the_data_stage(configs, tmp_path, capsys):
    assert main(train_command("separator", tmp_path, configs, tmp_path)) == 1
    assert "run the data stage first" in capsys.readouterr().err


def test_folder_is_held_by_one_run(tmp_path):
    experiment = Experiment(tmp_path / "exp")
    experiment.open({"a": 1})
    with experiment.lock(), pytest.raises(ValueError, match=f"in use by process {os.getpid()}"), experiment.lock():
        pass
    with experiment.lock():
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ValueError, match="cannot write into the experiment folder"):
        Experiment(tmp_path / "exp").open({})


LONGER = ["--max_steps", "12", "--valid_interval", "6", "--num_workers", "1"]


@pytest.fixture(scope="module")
def whole(prepared, configs, tmp_path_factory):
    """The weights of a run that nothing stopped."""
    folder = tmp_path_factory.mktemp("whole")
    assert main(train_command("separator", prepared, configs, folder, *LONGER)) == 0
    return load_file(folder / "separator/model.safetensors")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_run_goes_on_to_the_same_weights(prepared, configs, whole, tmp_path, capsys, number):
    """A signal to all processes halfway, then the same command again: the weights of a run that was not stopped."""
    arguments = train_command("separator", prepared, configs, tmp_path / "cut", *LONGER)
    command = [sys.executable, "-u", "-m", "s5lib.bin.main", *arguments]
    folder = tmp_path / "cut/separator/train"
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        for _ in range(2000):
            if (folder / "resume.ckpt").exists() or process.poll() is not None:
                break
            time.sleep(0.02)
        os.killpg(process.pid, number)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number, output
    assert "the same command resumes there" in output
    assert (folder / "resume.ckpt").exists() and not (tmp_path / "cut/separator/model.safetensors").exists()
    assert main(arguments) == 0
    assert "resumed from" in capsys.readouterr().out
    cut = load_file(tmp_path / "cut/separator/model.safetensors")
    assert whole.keys() == cut.keys()
    assert all(torch.equal(whole[key], cut[key]) for key in whole)


@pytest.mark.parametrize("name", ["../../outside", "/tmp/outside", "..", "a/b", "a\x1b[2J", "train.log", "x" * 300])
def test_a_step_stays_in_its_folder(prepared, configs, tmp_path, name, capsys):
    """A step of a configuration file was a folder anywhere."""
    options = yaml.safe_load((configs / "tagger.yaml").read_text()) | {"steps": {name: {"max_steps": 1}}}
    (tmp_path / "tagger.yaml").write_text(yaml.safe_dump(options))
    assert main(train_command("tagger", prepared, tmp_path, tmp_path / "a/b/exp")) == 1
    assert "--steps" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["tagger.yaml"]
