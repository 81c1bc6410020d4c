"""The page of ``s5lib report``: what stands in it is right, and nothing but itself is needed."""

import base64
import hashlib
import html
import itertools
import json
import re
import shutil

import numpy as np
import pytest
from pages import read_page
from report_experiment import EVIL

from s5lib.errors import DataError
from s5lib.report import write_report


def rows_of(page, caption):
    """Return the body rows of a table, each a list of texts."""
    table = next(t for t in page.all("table") if t.all("caption")[0].text == caption)
    return [
        [cell.text for cell in row.children if not isinstance(cell, str)] for row in table.all("tbody")[0].all("tr")
    ]


def test_scores_are_the_means_of_the_lines(experiments, single):
    lines = [json.loads(line) for line in (experiments / "exp/mini/RESULTS.jsonl").read_text().splitlines()]
    (row,) = [
        r
        for r in rows_of(read_page(single.read_text()), "Scores by kind of scene and number of sources")
        if r[0] == "all mixtures"
    ]
    value = np.mean([line["predicted"]["value"] for line in lines if line["predicted"]["value"] is not None])
    counts = {name: sum(line["predicted"][name] for line in lines) for name in ("tp", "fn", "fp")}
    right = np.mean([line["predicted"]["fn"] == line["predicted"]["fp"] == 0 for line in lines])
    oracle = np.mean([line["oracle"]["value"] for line in lines if line["oracle"]["value"] is not None])
    assert row[-1] == "8"
    assert row[1].split(" ")[0] == f"{value:.2f}".replace("-", "\u2212")
    assert row[2].split(" ")[0] == f"{100 * counts['tp'] / sum(counts.values()):.1f}"
    assert row[3].split(" ")[0] == f"{100 * right:.1f}"
    assert row[4].split(" ")[0] == f"{oracle:.2f}".replace("-", "\u2212")


def test_intervals_and_groups_are_those_of_the_table_of_results(experiments, single):
    markdown = (experiments / "exp/mini/RESULTS.md").read_text()
    page = read_page(single.read_text())
    shown = rows_of(page, "Scores by kind of scene and number of sources") + rows_of(page, "Scores by class")
    names = {"all": "all mixtures", "1": "1 source", "2": "2 sources", "3": "3 sources"}
    compared = 0
    for line in markdown.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 10 and cells[1].isdecimal() and cells[0] != "0":
            numbers = [re.sub(r"[()]", "", cell).replace("-", "\u2212") for cell in cells[2:]]
            (row,) = [r for r in shown if r[0] == names.get(cells[0], html.unescape(cells[0]))]
            assert [cell.replace("\u2013", "\u2212") for cell in row[1:-1]] == numbers and row[-1] == cells[1]
            compared += 1
    assert compared == len(shown) == 4 + 3 + 3


def cards_of(page):
    """Return the texts of the cards at the head of the page, by title."""
    cards = page.all("dl", class_="tiles")
    return [{div.all("dt")[0].text: [dd.text for dd in div.all("dd")] for div in card.all("div")} for card in cards]


def test_cards_have_intervals_floors_and_what_exceeds_them(experiments, single):
    lines = [json.loads(line) for line in (experiments / "exp/mini/RESULTS.jsonl").read_text().splitlines()]
    (cards,) = cards_of(read_page(single.read_text()))
    means = {
        kind: np.mean([line[kind]["value"] for line in lines if line[kind]["value"] is not None])
        for kind in ("oracle", "divided", "best_gain", "silence")
    }
    above = f"{means['oracle'] - means['best_gain']:+.2f} dB 95 %: ".replace("-", "\u2212")
    assert cards["PI-SDRi above the best-gain floor"][0].startswith(above)
    names = {"divided": "mixture / K", "best_gain": "best gain", "silence": "silence"}
    assert cards["Floors, oracle labels"] == [f"{name} {means[kind]:.2f} dB" for kind, name in names.items()]
    assert all("95 %: " in card[0] for title, card in cards.items() if not title.startswith("Floors"))


def test_differences_are_taken_mixture_by_mixture(experiments, several):
    rows = {
        name: {row["id"]: row for row in map(json.loads, (experiments / file).read_text().splitlines())}
        for name, file in (("mini", "exp/mini/RESULTS.jsonl"), ("other", "exp/other/RESULTS.jsonl"))
    }
    both = [(rows["other"][key]["oracle"]["value"], row["oracle"]["value"]) for key, row in rows["mini"].items()]
    gain = [a - b for a, b in both if a is not None]
    page = read_page(several.read_text())
    (figure,) = [f for f in page.all("figure") if f.text.startswith("other minus mini ")]
    description = figure.all("svg")[0].attributes["aria-label"]
    numbers = re.search(r"; PI-SDRi (\S+) \((\S+) to (\S+)\)", description.replace("\u2212", "-")).groups()
    value, low, high = map(float, numbers)
    assert value == pytest.approx(np.mean(gain), abs=0.006)
    assert min(gain) - 0.01 <= low <= value <= high <= max(gain) + 0.01
    assert "95 % confidence interval of other minus mini" in page.text


def test_zero_target_is_in_the_table_and_in_no_chart(single, several):
    for path in (single, several):
        page = read_page(path.read_text())
        section = next(s for s in page.all("section") if s.attributes["id"] == "scores")
        assert not any("zero-target" in picture.attributes["aria-label"] for picture in section.all("svg"))
        assert any(
            row[0].startswith("zero-target") for row in rows_of(page, "Scores by kind of scene and number of sources")
        )


def test_one_system_has_no_plane_and_only_its_own_curves(single, several):
    page = read_page(single.read_text())
    assert "plane" not in [section.attributes["id"] for section in page.all("section")]
    curves = next(s for s in page.all("section") if s.attributes["id"] == "curves")
    assert "separator, step" in curves.text and "separator_pi" not in curves.text
    curves = next(s for s in read_page(several.read_text()).all("section") if s.attributes["id"] == "curves")
    assert "separator_pi" in curves.text


def test_a_model_that_has_hardly_begun(experiments, tmp_path):
    folder = tmp_path / "exp/tagger"
    folder.mkdir(parents=True)
    shutil.copy(experiments / "exp/mini/tagger/config.yaml", folder)
    page = read_page(write_report([tmp_path / "exp"], tmp_path / "out.html").read_text())
    assert [section.attributes["id"] for section in page.all("section")] == ["scores", "curves", "made"]
    assert "nothing to show yet" in page.text and "run.sh --stage 4" in page.text


def test_confusions_add_up_to_references_and_estimates(single):
    page = read_page(single.read_text())
    (table,) = page.all("table", class_="matrix")
    columns = [cell.text for cell in table.all("thead")[0].all("th")]
    assert columns == ["there / predicted", EVIL, "Bell", "Dog", "missed", "sum"]
    rows = {r[0]: [float(cell or 0) for cell in r[1:]] for r in rows_of(page, table.all("caption")[0].text)}
    # by hand from the scenes of conftest.py
    assert rows["Bell"] == [1, 2, 0, 1, 4]
    assert rows["Dog"] == [0, 0, 6, 1, 7]
    assert rows[EVIL] == [2, 0, 0, 0, 2]
    assert rows["false positives"] == [0, 0, 1, 0, 1]


def test_no_address_leads_out_of_the_page(single, several):
    for text in (single.read_text(), several.read_text()):
        page = read_page(text)
        for node in page.all():
            for name, value in node.attributes.items():
                assert name != "style" and not name.startswith("on"), node
                if name in ("src", "href", "xlink:href", "srcset", "poster", "data", "action"):
                    assert value.startswith(("data:", "#")), (node.tag, value[:60])
        without_data = re.sub(r'"data:[^"]*"', "", text)
        assert not re.search(r"https?:|url\(|@import|//[a-z]+\.", without_data)


def test_policy_allows_the_style_and_the_script_and_nothing_from_outside(single):
    page = read_page(single.read_text())
    (policy,) = [m.attributes["content"] for m in page.all("meta") if m.attributes.get("http-equiv")]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and rules["img-src"] == rules["media-src"] == "data:"
    for tag in ("style", "script"):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", single.read_text(), re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{digest}'"


def test_labels_and_options_are_text_wherever_they_stand(single, several):
    for text in (single.read_text(), several.read_text()):
        assert "<script>alert" not in text and len(re.findall("<script", text)) == 1
        assert EVIL in read_page(text).text


def test_all_can_be_read_without_seeing(single, several):
    for text in (single.read_text(), several.read_text()):
        page = read_page(text)
        assert page.all("html")[0].attributes["lang"] == "en"
        ids = [node.attributes["id"] for node in page.all() if "id" in node.attributes]
        assert len(ids) == len(set(ids))
        for anchor in page.all("a"):
            assert anchor.attributes["href"][1:] in ids
        for section in page.all("section"):
            assert section.attributes["aria-labelledby"] in ids
        for picture in [*page.all("svg", role="img"), *page.all("audio"), *page.all("div", class_="scroll")]:
            assert picture.attributes["aria-label"]
        assert len(page.all("svg")) == len(page.all("svg", role="img")) > 5
        assert all(div.attributes["tabindex"] == "0" for div in page.all("div", class_="scroll"))
        levels = [int(node.tag[1]) for node in page.all() if re.fullmatch("h[1-6]", node.tag)]
        assert levels[0] == 1 and all(b <= a + 1 for a, b in itertools.pairwise(levels))


def test_models_are_found_by_their_weights(several):
    page = read_page(several.read_text())
    made = next(s for s in page.all("section") if s.attributes["id"] == "made")
    summaries = [d.all("summary")[0].text for d in made.all("details")]
    assert [t.split(";")[0] for t in summaries] == [
        "tagger m2d tagger",
        "separator resunetk separator",
        "tagger m2d tagger",
        "separator resunetk separator_pi",
        "tagger m2d tagger",
        "separator resunetk separator",
    ]
    assert (
        "head: 60 steps of 16 mixtures, learning rate 0.001, aligner ca_pi" in summaries[0] and "seed 4" in summaries[0]
    )


def test_systems_side_by_side(several):
    page = read_page(several.read_text())
    names = ["mini", "mini: pi", "other"]
    assert [row[1] for row in rows_of(page, "The points")] == names
    assert [item.text for item in page.all("ul", class_="legend")[0].all("li")] == names
    (scene,) = [s for s in page.all("details", class_="scene") if "Same-class" in s.text]
    assert [clip.all("strong")[0].text for clip in scene.all("div", class_="clip")][:5] == ["Mixture", "Dog", *names]


def test_scenes_that_are_chosen(single):
    page = read_page(single.read_text())
    chosen = {s.all("h3")[0].text: s.all("span")[0].text.split(":")[0] for s in page.all("details", class_="scene")}
    assert list(chosen) == ["Best", "Median", "Worst", "Same-class sources", "With false positives"]
    assert len(set(chosen.values())) == 5
    assert chosen["With false positives"] in ("empty_wrong", "swapped") and chosen["Same-class sources"] in (
        "pair",
        "missed",
    )


def test_training_is_drawn_and_a_single_point_is_written(single):
    curves = next(s for s in read_page(single.read_text()).all("section") if s.attributes["id"] == "curves")
    assert "Tagger, step head" in curves.text
    assert (
        "tagger at step 20: loss 2.00 (training), loss 2.10 (validation), PI-SDRi, oracle labels [dB] 0.00"
        in curves.text
    )
    assert "at the end tagger, training: 0.50 at step 80; tagger, validation: 0.53 at step 80" in " ".join(
        picture.attributes["aria-label"] for picture in curves.all("svg")
    )


def test_page_stays_small(single):
    # 8 scenes of 1 s: five of them with about 25 clips, each a picture and a second of sound
    assert single.stat().st_size < 700_000


@pytest.mark.parametrize(
    ("spoil", "sentences"),
    [
        (lambda exp, _: [p.unlink() for p in exp.glob("RESULTS*")], ["There are no scores", "nothing was scored yet"]),
        (lambda exp, _: shutil.rmtree(exp / "separator"), ["separator_pi"]),
        (lambda exp, _: [p.unlink() for p in exp.glob("*/*/history.jsonl")], ["There are no training curves"]),
        (lambda _, root: shutil.rmtree(root / "data"), ["the test set's data directory was not found"]),
        (
            lambda exp, _: [shutil.rmtree(p) for p in exp.glob("infer*")],
            ["no output names its models", "there are no outputs of mini, pi for these scenes"],
        ),
        (lambda exp, _: first_only(exp / "RESULTS_pi.jsonl"), ["not all scored on the same mixtures"]),
        (
            lambda exp, _: without(exp, "predicted"),
            ["was not scored with predicted labels", "no system was scored with predicted labels"],
        ),
        (
            lambda exp, _: without(exp, "oracle"),
            ["was not scored with oracle labels", "Left out: no system was scored both"],
        ),
    ],
)
def test_what_is_lacking_is_said(experiments, tmp_path, spoil, sentences):
    shutil.copytree(experiments, tmp_path / "root")
    folder = tmp_path / "root/exp/mini"
    spoil(folder, tmp_path / "root")
    text = read_page(write_report([folder], tmp_path / "out.html", audio="none").read_text()).text
    for sentence in sentences:
        assert sentence in text


def section_of(page, name):
    return next(s for s in page.all("section") if s.attributes["id"] == name)


def change_records(folder, change):
    """Change what the outputs of predicted labels say that made them."""
    for path in (folder / "infer/test/predicted").glob("*.json"):
        record = json.loads(path.read_text())
        change(record["made_by"])
        path.write_text(json.dumps(record))


@pytest.mark.parametrize("again", ["all", "some"])
def test_outputs_of_another_system_than_the_scores_are_not_used(experiments, tmp_path, again):
    shutil.copytree(experiments, tmp_path / "root")
    folder = tmp_path / "root/exp/mini"
    for path in sorted((folder / "infer/test/predicted").glob("*.json"))[None if again == "all" else 4 :]:
        path.write_bytes((folder / "infer_pi/test/predicted" / path.name).read_bytes())
    page = read_page(write_report([folder], tmp_path / "out.html", audio="none").read_text())
    listening = section_of(page, "listening")
    assert "Left out: the outputs of mini were made again after scoring: run s5lib score." in listening.text
    assert {clip.all("strong")[0].text for clip in listening.all("div", class_="clip")} >= {"pi"}
    assert "mini" not in {clip.all("strong")[0].text for clip in listening.all("div", class_="clip")}
    made = section_of(page, "made")
    assert "Unknown: the outputs were made again after scoring: run s5lib score" in made.text
    assert [d.all("summary")[0].text.split(";")[0] for d in made.all("details")] == [
        "tagger m2d tagger",
        "separator resunetk separator_pi",
    ]


@pytest.mark.parametrize("known", [True, False])
def test_outputs_that_may_be_those_that_were_scored_are_used(experiments, tmp_path, known):
    """The format does not matter, and older scores do not say whose they are."""
    shutil.copytree(experiments, tmp_path / "root")
    folder = tmp_path / "root/exp/mini"
    if known:
        change_records(folder, lambda made_by: made_by.update(s5lib="0.2.0", format="flac"))
    else:
        change_records(folder, lambda made_by: made_by.update(window_seconds=1.5))
        without_system(folder / "RESULTS.jsonl")
    page = read_page(write_report([folder], tmp_path / "out.html", audio="none").read_text())
    assert "made again" not in page.text and "Left out" not in section_of(page, "listening").text


def other_scenes(data):
    """Give the IDs of a test set to other scenes: those of the same ID have other labels."""
    for file in data.glob("*"):
        text = file.read_text()
        for old, new in (("one ", "OLD "), ("pair ", "one "), ("OLD ", "pair ")):
            text = re.sub(f"^{old}", new, text, flags=re.MULTILINE)
        file.write_text("".join(sorted(text.splitlines(keepends=True))))
    src2 = (data / "src2.scp").read_text()
    assert "\none " in f"\n{src2}" and "\npair " not in f"\n{src2}"


def test_another_test_set_of_the_same_ids_is_not_paired_with_the_scores(experiments, tmp_path):
    shutil.copytree(experiments, tmp_path / "root")
    root, out = tmp_path / "root", tmp_path / "out.html"
    other_scenes(root / "data/mini/test")
    message = "is not what was scored: one has Dog, Dog, but had Dog when scored"
    for options in ({"data_dir": root / "data/mini/test"}, {"scenes": ["three"]}):
        with pytest.raises(DataError, match=message):
            write_report([root / "exp/mini"], out, audio="none", **options)
    listening = section_of(read_page(write_report([root / "exp/mini"], out, audio="none").read_text()), "listening")
    assert message in listening.text and not listening.all("div", class_="clip")


def test_systems_of_two_test_sets_of_the_same_ids(experiments, tmp_path):
    shutil.copytree(experiments, tmp_path / "root")
    root = tmp_path / "root"
    results = root / "exp/other/RESULTS.jsonl"
    results.write_text(results.read_text().replace('"Bell"', '"Rain"'))
    page = read_page(write_report([root / "exp/mini", root / "exp/other"], tmp_path / "out.html").read_text())
    assert "These systems were not all scored on the same mixtures" in page.text
    listening = section_of(page, "listening")
    assert "Left out: the scores of other are of another test set." in listening.text
    names = {clip.all("strong")[0].text for clip in listening.all("div", class_="clip")}
    assert {"mini", "mini: pi"} <= names and "other" not in names


def without_system(path):
    """Make scores of an earlier version."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({k: v for k, v in row.items() if k != "system"}) + "\n" for row in rows))


def first_only(path):
    """Leave the scores of the first scenes."""
    path.write_text("".join(line + "\n" for line in path.read_text().splitlines()[:4]))


def without(folder, column):
    """Take a column out of the results, and its outputs away."""
    for path in folder.glob("RESULTS*.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps({k: v for k, v in row.items() if k != column}) + "\n" for row in rows))
    for path in folder.glob(f"infer*/test/{column}"):
        shutil.rmtree(path)
