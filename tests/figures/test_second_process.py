"""Figures rendered by a second process: the same files, errors and warnings, and it never outlives its parent."""

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from matplotlib import font_manager, pyplot, rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from neurobench.figures import second_process as module
from neurobench.figures.drawing import Drawing
from neurobench.figures.second_process import PROGRAM, Files, Refused, Renderer, rendered_files, second_process
from neurobench.figures.style import files_of, paper, stack


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    with second_process(True) as started:
        assert started is not None
        yield started


def curve(title: str = "a curve") -> Figure:
    with paper():
        figure, (axes,) = stack(1)
        axes.semilogy([1, 2, 3], [1, 100, 20], label=r"$\psi_j$")
        axes.set_title(title)
        figure.legend()
    return figure


def plain() -> Figure:
    """A figure without a layout engine."""
    figure = Figure(figsize=(2, 1))
    figure.subplots().imshow([[0, 1], [2, 3]])
    return figure


def fail(value: float, position: int) -> str:
    raise ZeroDivisionError("of a tick label")


def broken() -> Figure:
    figure = curve()
    figure.axes[0].xaxis.set_major_formatter(FuncFormatter(fail))
    return figure


@pytest.mark.parametrize("vector", ["png", "pdf", "svg"])
@pytest.mark.parametrize("draw", [curve, plain])
def test_the_second_process_renders_the_same_files_as_this_one(renderer: Renderer, draw: type, vector: str) -> None:
    assert renderer.submit(draw(), vector).result().files == files_of(draw(), vector)


def test_the_second_process_uses_the_users_matplotlib_settings(renderer: Renderer) -> None:
    usual = files_of(curve(), "svg")
    with rc_context({"font.family": "monospace"}):
        figure = curve()
        there = renderer.submit(figure, "svg").result().files
        assert there == files_of(curve(), "svg") != usual
    assert renderer.submit(curve(), "svg").result().files == usual, "and only where they are set"


def test_the_second_process_renders_the_same_files_if_its_list_of_fonts_has_another_order(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = font_manager.fontManager
    monkeypatch.setattr(manager, "ttflist", manager.ttflist[::-1])
    assert renderer.submit(curve(), "svg").result().files == files_of(curve(), "svg")


def test_a_figure_that_causes_a_warning_is_rendered_in_this_process(renderer: Renderer) -> None:
    with pytest.raises(Refused):
        renderer.submit(curve("\u4e2d is in no font"), "png").result()
    figures = [("no_glyph", curve("\u4e2d is in no font")), ("last", curve())]
    with pytest.warns(UserWarning, match="Glyph 20013"):
        assert set(dict(rendered_files(figures, "png", renderer))) == {"no_glyph", "last"}


def test_the_second_process_refuses_pyplots_figures(renderer: Renderer) -> None:
    window = pyplot.figure()
    with pytest.raises(Refused):
        renderer.submit(window, "png").result()
    pyplot.close(window)


def test_a_figure_drawn_with_other_settings_or_fonts_is_drawn_again_in_this_process(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that has not imported matplotlib sends no settings, and compares them afterwards."""
    monkeypatch.setattr(renderer, "submit", lambda *figure: renderer._queue.submit(renderer._ask, None, *figure))
    drawing = Drawing("neurobench.experiment.plots.confusion", (np.eye(2), "a title"))
    usual = renderer.submit(drawing, "svg").result()
    assert pickle.loads(usual.surroundings) == module._surroundings()
    assert usual.files == files_of(drawing, "svg")
    with rc_context({"font.family": "monospace"}):
        files = dict(rendered_files([("one", drawing), ("other", drawing)], "svg", renderer))
        assert files["one"] == files["other"] == files_of(drawing, "svg") != usual.files
    monkeypatch.setattr(font_manager.fontManager, "ttflist", font_manager.fontManager.ttflist[1:])
    assert pickle.loads(usual.surroundings) != module._surroundings()


def test_receiving_a_figure_imports_no_matplotlib_which_the_main_thread_may_be_importing() -> None:
    """Two threads that import its modules at once can end in "cannot import name ... from partially initialized"."""
    script = (
        "import sys\nimport numpy as np\nfrom neurobench.figures.drawing import Drawing\n"
        "from neurobench.figures.second_process import second_process\n"
        "with second_process(True) as renderer:\n"
        "    drawing = Drawing('neurobench.experiment.plots.confusion', (np.eye(2), 'a title'))\n"
        "    assert renderer.submit(drawing, 'png').result().files['png']\n"
        "assert 'matplotlib' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_drawings_need_no_torch() -> None:
    """Importing it takes the second process longer than all its figures."""
    names = ("experiment.plots", "models.eprop.architecture", "models.eprop.drawings", "models.slayer.animation")
    modules = ", ".join(f"neurobench.{name}" for name in (*names, "models.slayer.drawings", "models.qrbm.drawings"))
    code = f"import sys, {modules}; print({{'torch', 'numba', 'scipy', 'hydra'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_figure_that_cannot_be_pickled_is_rendered_in_this_process(renderer: Renderer) -> None:
    def odd() -> Figure:
        figure = curve()
        figure.axes[0].xaxis.set_major_formatter(FuncFormatter(lambda value, position: f"<{value}>"))
        return figure

    with pytest.raises((pickle.PicklingError, AttributeError)):
        renderer.submit(odd(), "png").result()
    files = dict(rendered_files([("odd", odd()), ("moving", b"GIF89a"), ("last", curve())], "png", renderer))
    assert files == {"odd": files_of(odd(), "png"), "moving": {"gif": b"GIF89a"}, "last": files_of(curve(), "png")}


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("alone", [False, True])
def test_a_rendering_error_is_the_same_with_and_without_the_second_process(
    renderer: Renderer, alone: bool, place: int
) -> None:
    figures = [(str(number), broken() if number == place else curve()) for number in range(3)]
    with pytest.raises(ZeroDivisionError, match="of a tick label") as failure:
        dict(rendered_files(figures, "png", None if alone else renderer))
    assert failure.traceback[-1].name == "fail"
    assert failure.value.__context__ is None, "nothing of the second process in its story"


def test_without_a_second_process_figures_are_rendered_in_order_after_all_have_been_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events = []

    def drawn() -> Iterable[tuple[str, bytes]]:
        for name in "ab":
            events.append(f"{name} drawn")
            yield name, name.encode()

    for name, files in rendered_files(drawn(), "png", None):
        events.append(f"{name} is {files['gif'].decode()}")
    assert events == ["a drawn", "b drawn", "a is a", "b is b"]
    with second_process(False) as started:
        assert started is None
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with second_process(True) as started:
        assert started is None


@pytest.mark.parametrize("program", ["raise SystemExit", "import time; time.sleep(1000)", PROGRAM])
def test_a_second_process_that_ends_never_starts_or_is_killed_costs_no_figure(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROGRAM", program)
    with second_process(True) as started:
        assert started is not None
        if program == PROGRAM:
            assert started.submit(curve(), "png").result().files
            started._process.kill()
        files = dict(rendered_files([("one", curve()), ("other", plain())], "pdf", started))
    assert files == {"one": files_of(curve(), "pdf"), "other": files_of(plain(), "pdf")}


def test_a_second_process_that_hangs_is_not_waited_for(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    def stands_still(*figure: object) -> Files:
        return real(*figure) if released.wait() else {}

    released, real = threading.Event(), renderer._ask
    monkeypatch.setattr(renderer, "_ask", stands_still)
    files = dict(rendered_files([("one", curve())], "png", renderer))
    released.set()
    assert files == {"one": files_of(curve(), "png")}


def test_ctrl_c_does_not_reach_the_second_process_which_ends_with_this_one() -> None:
    def interrupted() -> None:
        with second_process(True) as started:
            assert started is not None
            processes.append(started._process)
            assert started.submit(curve(), "png").result().files
            assert os.getpgid(started._process.pid) == started._process.pid != os.getpgid(0)
            raise KeyboardInterrupt

    processes: list[subprocess.Popen[bytes]] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert processes[0].returncode is not None, "waited for"


def test_the_second_process_ends_by_itself_when_its_input_is_closed() -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    child = subprocess.Popen([sys.executable, "-P", "-c", PROGRAM], **pipes)
    assert child.stdout is not None
    assert pickle.load(child.stdout) is None, "it is ready"
    _, said = child.communicate()  # closes its standard input, as the end of its parent would
    assert (child.returncode, said) == (0, b"")
