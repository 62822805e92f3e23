"""Tests of the report: one file that works without a server, clicked through in a real browser."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from neurobench.cli.main import main
from neurobench.config.errors import FINE
from neurobench.config.schema import Row
from neurobench.report.html import page
from neurobench.report.published import Published
from neurobench.storage.atomic import write_json
from neurobench.storage.store import read_index

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
ROW = Row(
    id="accuracy", what="accuracy <b>in</b> all", metric="test_accuracy", published=0.97, source="a paper",
    band=[0.9, 0.99], means="on the test set",
)  # fmt: skip
MISSING = "\N{EN DASH}"
IDLE = replace(ROW, id="idle", what="never run")
TABLES = {
    "demo": [Published("tutorial", "tutorial", {"paper": "p" * 12}, (ROW, replace(IDLE, metric="no_such_metric")))],
    "empty": [Published("other", "other", {"paper": "o" * 12}, (IDLE,))],
}
DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001"
    "5ab4d5b60000000049454e44ae426082"
)

CONFIG = """seed: {seed}
training: {{epochs: 20}}
scale: {{name: smoke, epochs: 3}}
model:
  lr: {lr}
  sampler: ${{backend.sampler}}
dataset: {{}}
backend:
  name: sim
  sampler: {{sweeps: {sweeps}}}
  circuit: {{unused: true}}
table: {{name: published_rows}}
logger: {{wandb: {{name: run {seed}}}}}
"""


def leave(outputs: Path, seed: int, accuracy: float, lr: float, setting: str = "p", sweeps: int = 7) -> None:
    """Write a finished run: the better it is on the test set, the worse it is on the held-out samples."""
    folder = outputs / "tutorial" / f"20260101-00000{seed}-{setting * 6}"
    (folder / "figures").mkdir(parents=True)
    (folder / "figures" / "confusion.png").write_bytes(DOT)
    data = {"source": "bundled", "sha256": "0" * 64, "n_train": 9, "n_validation": 1, "n_test": 5}
    result: dict[str, Any] = {
        "name": "tutorial", "model": "qrbm", "dataset": "mnist", "backend": "sim", "scale": "paper", "seed": seed,
        "metrics": {"test_accuracy": accuracy, "effective_macs": 6000.0, "layer1_rate": 0.25},
        "intervals": {"test_accuracy": [0.9, 0.99]},
        "undefined": {"membrane_updates": "no membrane </script><script>alert(1)</script>"}, "epochs": 2,
        "device_costs": {"sampler": {"reads": 500}}, "seconds": {"train": 1.0}, "setting_hash": setting * 12,
        "config_hash": f"{seed:012d}", "data": {**data, "evaluated_on": "the official test set", "emulated": False},
    }  # fmt: skip
    write_json(folder / "result.json", result)
    write_json(folder / "run.json", {"status": "finished", "started": f"2026-01-01T00:0{seed}:00", "commit": "c" * 40})
    (folder / "config.yaml").write_text(CONFIG.format(seed=seed, lr=lr, sweeps=sweeps))
    held_out = {"validation_accuracy": round(1.9 - accuracy, 3)}
    rows = [{"epoch": e, "train_loss": 1 / e, "validation_loss": 1.1 / e, **held_out} for e in (1, 2, 3)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    outputs = tmp_path_factory.mktemp("outputs")
    for seed, (accuracy, lr) in enumerate(((0.951, 0.1), (0.962, 0.2), (0.973, 0.2))):
        leave(outputs, seed, accuracy, lr)
    broken = outputs / "tutorial" / "20260102-000000-ffffff"
    broken.mkdir()
    write_json(broken / "run.json", {"status": "failed", "error": "Divergence: loss is inf", "seeds": {"root": 7}})
    killed = outputs / "tutorial" / "20260103-000000-eeeeee"
    killed.mkdir()
    begun = {"model": "slayer_snn", "dataset": "nmnist", "backend": "mock", "scale": "smoke"}
    write_json(killed / "run.json", {"status": "running", "seeds": {"root": 8}, **begun})
    path = outputs / "report.html"
    path.write_text(page(TABLES, outputs, read_index(outputs), 10, 10**6))
    return path


def test_the_page_requests_nothing_from_a_network_and_its_data_cannot_inject_a_script(file: Path) -> None:
    text = file.read_text()
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//|@import|url\(\s*["']?http|fetch\(|XMLHttpRequest""", text)
    assert "alert(1)</script>" not in text
    assert text.count("</script>") == 2
    told = json.loads(text.split('id="data">')[1].split("</script>")[0])
    assert len(told["runs"]) == 5
    assert told["tables"][0]["rows"][0]["verdict"] == "in band"


def test_figures_and_details_of_runs_stay_within_the_requested_limits(file: Path) -> None:
    outputs = file.parent
    text = page(TABLES, outputs, read_index(outputs), 3, len(DOT))
    told = json.loads(text.split('id="data">')[1].split("</script>")[0])
    assert sum("config" in run for run in told["runs"]) == 1, "of the three newest two have no configuration"
    assert sum(len(run.get("figures", [])) for run in told["runs"]) == 1
    assert all("status" in run for run in told["runs"])


def told_by(outputs: Path) -> dict[str, Any]:
    text = page(TABLES, outputs, read_index(outputs), 10, 10**6)
    return json.loads(text.split('id="data">')[1].split("</script>")[0])


def test_a_killed_run_shows_its_model_data_set_and_seed_and_no_metrics(file: Path) -> None:
    killed = next(run for run in told_by(file.parent)["runs"] if run["status"] == "killed")
    assert [killed[key] for key in ("model", "dataset", "backend", "scale", "seed")] == [
        "slayer_snn", "nmnist", "mock", "smoke", 8,
    ]  # fmt: skip
    assert "metrics" not in killed
    assert "validation" not in killed


def test_the_configuration_of_a_run_shows_only_sections_that_took_effect(file: Path) -> None:
    run = told_by(file.parent)["runs"][0]
    assert run["config_tree"]["backend"] == {"name": "sim", "sampler": {"sweeps": 7}}
    assert run["config_tree"]["training"] == {"epochs": 3}, "the scale allows no more"
    assert "table" not in run["config_tree"]
    assert yaml.safe_load(run["config"]) == run["config_tree"]


def test_there_is_no_validation_figure_if_held_out_samples_are_missing_or_are_the_test_set(tmp_path: Path) -> None:
    leave(tmp_path, 0, 0.95, 0.1)
    (entry,) = read_index(tmp_path)
    assert entry.result is not None
    sound = entry.result

    def validation(**changed: Any) -> float | None:
        text = page(TABLES, tmp_path, [entry._replace(result={**sound, **changed})], 1, 0)
        (run,) = json.loads(text.split('id="data">')[1].split("</script>")[0])["runs"]
        return run["validation"]

    assert validation() == 0.95
    assert validation(data={**sound["data"], "validation_is_tested": True}) is None
    assert validation(data={**sound["data"], "n_validation": 0}) is None
    assert validation(metrics={"readout_validation_accuracy": 0.5}) == 0.5
    assert validation(best_epoch=9) is None, "an epoch of which nothing is known"
    config = entry.folder(tmp_path).path / "config.yaml"
    settings = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({**settings, "dataset": {**settings["dataset"], "test_as_validation": True}}))
    assert validation() is None, "a result of an earlier version does not say so itself"


def test_damaged_files_of_one_run_leave_the_page_complete_and_readable(tmp_path: Path) -> None:
    """A browser refuses JSON with NaN, as from `lr: .nan`: the page once stayed empty."""
    leave(tmp_path, 0, 0.951, 0.1)
    (run,) = tmp_path.glob("tutorial/*")
    (run / "config.yaml").write_text("model: {lr: .nan, rate: -.inf}\ndataset: {}\n")
    (run / "figures" / "removed.png").symlink_to(tmp_path / "nowhere")
    (run / "figures" / "folder.png").mkdir()
    (tmp_path / ".conformance").mkdir()
    (tmp_path / ".conformance" / "norse.json").write_text('{"framework":')

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    text = page(TABLES, tmp_path, read_index(tmp_path), 10, 10**6)
    told = json.loads(text.split('id="data">')[1].split("</script>")[0], parse_constant=refuse)
    (listed,) = told["runs"]
    assert listed["config_tree"]["model"] == {"lr": "NaN", "rate": "-Infinity"}
    assert [figure["name"] for figure in listed["figures"]] == ["confusion"]
    assert told["conformance"] == []


def test_report_writes_a_page_even_if_there_are_no_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--outputs", str(tmp_path)]) == FINE
    assert "0 runs" in capsys.readouterr().out
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


def test_a_report_written_to_a_link_replaces_the_file_behind_it(tmp_path: Path) -> None:
    """The link was once replaced, and whoever read the file behind it never saw the new page."""
    target, link = tmp_path / "public.html", tmp_path / "link.html"
    link.symlink_to(target)
    assert main(["report", "--to", str(link), "--outputs", str(tmp_path)]) == FINE
    assert link.is_symlink()
    assert target.read_text().startswith("<!doctype html>")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)], ids=["light", "dark", "phone"]
)
def test_a_reader_of_the_page_can_find_a_run_open_it_and_compare_two_runs(
    browser: Any, file: Path, scheme: str, width: int
) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 844}, offline=True)
    view, said = context.new_page(), []
    view.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    view.on("pageerror", lambda error: said.append(str(error)))
    view.on("request", lambda request: None if request.url.startswith(("file:", "data:")) else said.append(request.url))
    view.goto(file.as_uri())
    assert view.locator("html").get_attribute("data-theme") == scheme
    assert view.locator(".cell").inner_text().startswith("96.20 ± 1.10 %"), "the mean of three seeds"

    view.click("nav >> text=Tables")
    shown = view.locator("#table-demo .panel > .result")
    assert "accuracy <b>in</b> all" in shown.inner_text(), "text is shown as text"
    assert shown.locator(".chip").inner_text() == "in band"
    shown.locator("text=how this was measured").click()
    assert "cccccccccc"[:7] in shown.locator("details").inner_text()
    assert "1 row not run" in view.locator("#table-demo details.folded > summary").inner_text()
    assert view.locator("#not-run > summary").inner_text() == "1 table without a run"
    assert not view.locator("#not-run .result").first.is_visible(), "what was not run is folded"

    view.click("nav >> text=Runs")
    assert "5 runs" in view.locator("#matches").inner_text()
    view.fill("#search", "diverg failed")
    assert "0 runs" in view.locator("#matches").inner_text()
    view.fill("#search", "failed")
    assert "1 run," in view.locator("#matches").inner_text()
    view.fill("#search", "qrbm seed 1")
    assert view.locator("td.name").all_inner_texts() == ["tutorial/20260101-000001-pppppp"], "not any that has a 1"
    view.fill("#search", "slayer_snn killed")
    assert "slayer_snn · nmnist · mock" in view.locator("td.what").inner_text()
    view.fill("#search", "qrbm mnist")
    if width > 720:
        assert view.locator("[data-sort=accuracy]").count() == 0, "nobody sorts by the test set"
        view.click("[data-sort=validation]")
        assert view.locator("td.validation").all_inner_texts() == ["94.90 %", "93.80 %", "92.70 %"]
        view.click("[data-sort=validation]")
        assert view.locator("td.accuracy").all_inner_texts() == ["97.30 %", "96.20 %", "95.10 %"]
        view.fill("#search", "tutorial")
        assert view.locator("td.validation").all_inner_texts() == ["92.70 %", "93.80 %", "94.90 %", MISSING, MISSING]
        view.click("[data-sort=validation]")
        assert view.locator("td.validation").all_inner_texts() == ["94.90 %", "93.80 %", "92.70 %", MISSING, MISSING]
    for path in ("tutorial/20260101-000000-pppppp", "tutorial/20260101-000002-pppppp"):
        view.check(f"[aria-label='compare {path}']")
    view.click("td.name >> text=20260101-000002")
    view.locator("h2", has_text="20260101-000002").wait_for()
    text = view.locator("main").inner_text()
    for word in (
        "97.30 %",
        "6,000",
        "no membrane </script>",
        "sampler: reads",
        "lr: 0.2",
        "ccccccc",
        "Learning curves",
        "Accuracy and loss",
        "Size and operations",
        "As it ran",
        "2 of 3",
    ):
        assert word in text, word
    assert view.locator(".chart polyline").count() == 3
    assert [view.evaluate(f"joules({value})") for value in (0, 0.99999, -5e-7)] == ["0 J", "1 J", "-500 nJ"]
    view.click(".gallery button")
    assert view.locator("#zoom").is_visible()
    view.click("#zoom")

    view.click("#go")
    view.locator("#compare .best").first.wait_for()
    assert view.locator("#compare .best").all_inner_texts() == ["97.30 %"]
    differing = view.locator("main table").nth(1).inner_text()
    assert "model.lr" in differing
    assert "logger" not in differing, "what affects no figure"
    assert "0.1" in differing
    view.click("#theme")
    assert view.locator("html").get_attribute("data-theme") != scheme
    wide = view.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0, "nothing sticks out to the side"
    assert said == []
    context.close()


def test_the_best_of_several_settings_is_chosen_by_held_out_samples_never_by_the_test_set(
    browser: Any, tmp_path: Path
) -> None:
    for seed, (accuracy, lr, setting) in enumerate(((0.951, 0.1, "a"), (0.973, 0.2, "b"), (0.962, 0.4, "c"))):
        leave(tmp_path, seed, accuracy, lr, setting)
    path = tmp_path / "report.html"
    path.write_text(page(TABLES, tmp_path, read_index(tmp_path), 10, 10**6))
    view = browser.new_page(viewport={"width": 390, "height": 844})
    view.goto(path.as_uri())
    assert view.locator(".cell").inner_text().startswith("95.10 %"), "best on held-out samples, worst on the test"
    view.click(".cell")
    rows = [row.locator("td").all_inner_texts() for row in view.locator("#settings tbody tr").all()]
    assert rows == [
        ["chosen", "0.1", "94.90 %", "95.10 %", "1"],
        ["", "0.4", "93.80 %", "96.20 %", "1"],
        ["", "0.2", "92.70 %", "97.30 %", "1"],
    ]
    assert view.locator(".chart circle").count() == 6, "validation and test against model.lr"
    assert "model.lr" in view.locator(".columns h3").inner_text()
    assert "configuration of every setting" not in view.locator(".tools").first.inner_text()
    view.locator("#settings a").nth(1).press("Enter")
    view.locator("td.name").first.wait_for()
    assert view.locator("td.name").all_inner_texts() == ["tutorial/20260101-000002-cccccc"], "the runs of the row"
    view.go_back()
    assert view.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    path.write_text(page(TABLES, tmp_path, read_index(tmp_path), 2, 10**6))
    view.reload()
    assert "does not contain the configuration of every setting" in view.locator(".tools").first.inner_text()
    view.close()


def test_a_seed_that_was_run_again_counts_once_by_its_newest_run(browser: Any, tmp_path: Path) -> None:
    """`rerun` once turned one seed into "2 seeds", with a standard deviation of 0."""
    leave(tmp_path, 0, 0.951, 0.1)
    shutil.copytree(tmp_path / "tutorial", tmp_path / "a_later_name")
    (record,) = tmp_path.glob("a_later_name/*/run.json")
    write_json(record, {**json.loads(record.read_text()), "created": "2026-01-02T00:00:00+00:00"})
    result = record.with_name("result.json")
    stored = json.loads(result.read_text())
    write_json(result, {**stored, "metrics": {**stored["metrics"], "test_accuracy": 0.953}})
    path = tmp_path / "report.html"
    path.write_text(page(TABLES, tmp_path, read_index(tmp_path), 10, 10**6))
    view = browser.new_page()
    view.goto(path.as_uri())
    assert view.locator(".cell").inner_text().split("\n") == ["95.30 %", "1 seed"]
    assert view.locator(".cell").get_attribute("href") == "#/runs?" + "p" * 12 + "%20paper", "its own runs"
    assert view.locator("td.name").first.inner_text().startswith("a_later_name"), "newest by its time, not its clock"
    leave(tmp_path, 1, 0.953, 0.1)
    (file,) = tmp_path.glob("tutorial/*-000001-*/result.json")
    for sha256 in ("1", "2"):  # before and after an edit of a file of the user's own
        for path_, digest in ((result, "1"), (file, sha256)):
            told = json.loads(path_.read_text())
            write_json(path_, {**told, "data": {**told["data"], "bytes": 9, "sha256": digest * 64}})
        path.write_text(page(TABLES, tmp_path, read_index(tmp_path), 10, 10**6))
        view.goto(path.as_uri())
        note = "2 seeds" + " · different data" * (sha256 == "2")
        assert view.locator(".cell").inner_text().split("\n") == ["95.30 ± 0.00 %", note]
    view.close()


def test_runs_of_two_scales_or_of_two_files_named_alike_never_share_a_cell(browser: Any, tmp_path: Path) -> None:
    """The setting that was best on held-out samples once came from the smaller scale, or from an easier table."""
    for seed, (accuracy, setting) in enumerate(((0.97, "a"), (0.95, "b"), (0.96, "c"))):
        leave(tmp_path, seed, accuracy, 0.1, setting)
        (file,) = tmp_path.glob(f"tutorial/*-{setting * 6}/result.json")
        result = json.loads(file.read_text())
        data = {**result["data"], "source": f"/data/{setting}.csv", "sha256": setting * 64}
        of_data = {"dataset": "csv", "data": data} if setting != "c" else {}
        write_json(file, {**result, "scale": "smoke" if setting == "b" else "quick", **of_data})
    for scale, setting in (("quick", "d"), ("smoke", "e")):
        leave(tmp_path, 4, 0.94 if scale == "smoke" else 0.98, 0.1, setting)
        (file,) = tmp_path.glob(f"tutorial/*-{setting * 6}/result.json")
        write_json(file, {**json.loads(file.read_text()), "scale": scale, "backend": "mock"})
    path = tmp_path / "report.html"
    path.write_text(page(TABLES, tmp_path, read_index(tmp_path), 10, 10**6))
    view = browser.new_page(viewport={"width": 1280, "height": 844})
    view.goto(path.as_uri())
    rows = [row.inner_text().split() for row in view.locator(".matrix tbody tr").all()]
    assert [row[:3] for row in rows] == [
        ["qrbm", "csv", "/data/a.csv"],
        ["qrbm", "csv", "/data/b.csv"],
        ["qrbm", "mnist", "98.00"],
    ]
    assert view.locator(".cell").all_inner_texts()[2] == "98.00 %\n1 seed · scale quick"
    view.close()


def test_settings_that_differ_in_their_encoder_alone_are_told_apart(browser: Any, tmp_path: Path) -> None:
    """Its name was once left out, as those of the model and of the data set, which are the same."""
    for seed, (setting, encoder) in enumerate((("a", "latency"), ("b", "rate"))):
        leave(tmp_path, seed, 0.95, 0.1, setting)
        (config,) = tmp_path.glob(f"tutorial/*-{setting * 6}/config.yaml")
        config.write_text(config.read_text() + f"encoder: {{name: {encoder}, _target_: {encoder}}}\n")
    path = tmp_path / "report.html"
    path.write_text(page(TABLES, tmp_path, read_index(tmp_path), 10, 10**6))
    view = browser.new_page()
    view.goto(path.as_uri() + "#/settings")
    assert view.locator("#settings th").all_inner_texts()[1] == "encoder.name"
    assert view.locator("#settings td.mono").all_inner_texts() == ["latency", "rate"]
    view.close()


def test_an_address_that_was_cut_leaves_the_page_readable(browser: Any, file: Path) -> None:
    """The page once remained empty."""
    view = browser.new_page()
    view.goto(file.as_uri() + "#/runs?failed%2")
    assert "0 runs" in view.locator("#matches").inner_text()
    view.goto(file.as_uri() + "#/run/tutorial%2")
    view.locator("text=There is no such run in this report.").wait_for()
    view.close()


def test_a_reader_at_the_keyboard_keeps_the_focus_when_the_page_is_drawn_anew(browser: Any, file: Path) -> None:
    """The second Enter on a heading once did nothing, and a live page took the caret from the search each time."""
    view = browser.new_page(viewport={"width": 1280, "height": 844})
    view.goto(file.as_uri() + "#/runs?qrbm")
    view.locator("[data-sort=validation]").focus()
    for order in ("descending", "ascending"):
        view.keyboard.press("Enter")
        assert view.locator("[data-sort=validation]").locator("xpath=..").get_attribute("aria-sort") == order
    view.fill("#search", "tutoal")
    for _ in range(2):
        view.keyboard.press("ArrowLeft")
    for letter in "ri":
        view.evaluate("show(true)")
        view.keyboard.type(letter)
    assert view.locator("#search").input_value() == "tutorial", "not the words of the address, either"
    assert "5 runs" in view.locator("#matches").inner_text()
    view.click("nav >> text=Tables")
    view.click("#table-demo .panel > .result >> text=how this was measured")
    view.evaluate("show(true)")
    assert view.locator("details[open]").count() == 1
    view.close()


def test_two_parameters_of_three_values_make_a_heat_map(browser: Any, tmp_path: Path) -> None:
    accuracies = [0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98]  # the ninth pair was not run
    for n, accuracy in enumerate(accuracies):
        leave(tmp_path, n, accuracy, (0.1, 0.2, 0.4)[n % 3], "abcdefgh"[n], sweeps=(5, 10, 20)[n // 3])
    path = tmp_path / "report.html"
    path.write_text(page(TABLES, tmp_path, read_index(tmp_path), 10, 10**6))
    view = browser.new_page(viewport={"width": 1280, "height": 844})
    view.goto(path.as_uri() + "#/settings")
    across, *rows = [row.locator("th, td").all_inner_texts() for row in view.locator("#heat-map tr").all()]
    assert across[1:] == ["0.1", "0.2", "0.4"]
    assert [row[0] for row in rows] == ["5", "10", "20"]
    shown = [cell.split("\n")[0] for row in rows for cell in row[1:]]
    assert shown == [*(f"{100 * (1.9 - accuracy):.2f} %" for accuracy in accuracies), "·"], "held-out samples"
    view.close()


def test_long_names_of_compared_runs_stay_within_the_page(browser: Any, tmp_path: Path) -> None:
    names = [f"a-sweep-with-a-name-that-says-all-{n}" for n in range(4)]
    for n, name in enumerate(names):
        leave(tmp_path / "in", n, 0.95, 0.1 * n, "abcd"[n])
        (tmp_path / "in" / "tutorial").rename(tmp_path / name)
    path = tmp_path / "report.html"
    path.write_text(page(TABLES, tmp_path, read_index(tmp_path), 10, 10**6))
    view = browser.new_page(viewport={"width": 1400, "height": 844})
    view.goto(path.as_uri() + "#/runs")
    for box in view.locator("[aria-label^='compare ']").all():
        box.check()
    view.click("#go")
    view.locator("#compare").wait_for()
    sides = "[...document.querySelectorAll('.scroll')].map((panel) => panel.scrollWidth - panel.clientWidth)"
    assert view.evaluate(sides) == [0, 0]
    view.close()
