"""RBMs are written to files and read back: dimod reads the same energies, another run starts from them."""

import io
import json
from pathlib import Path
from typing import Any

import dimod.serialization.coo
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from neurobench.config.errors import UserError
from neurobench.models.learner import Initial, Task
from neurobench.models.qrbm.classifier import random_rbm
from neurobench.models.qrbm.learner import exports, initial_rbm
from neurobench.problems import bqm
from neurobench.problems.rbm import RBM, energy
from tests.cli.conftest import Neurobench, neurobench  # noqa: F401  (a fixture)
from tests.models.qrbm.conftest import CPU, SEEDS
from tests.specs import spec

FILES = {"bqm": bqm.bqm_file, "coo": bqm.coo_file, "json": bqm.json_file}


def write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def loaded(path: str | Path, visible: int, hidden: int) -> RBM:
    """RBM of a file, or of a run folder."""
    run = Path(path) / "checkpoint.pt"
    state = torch.load(run, weights_only=True)["learner"] if run.is_file() else None
    return initial_rbm(Initial(str(path), Path(path), state), visible, hidden)


def test_dimod_reads_the_energies_of_an_rbm_from_its_bqm_file(rbm: RBM):
    model = dimod.BinaryQuadraticModel.from_file(io.BytesIO(bqm.bqm_file(rbm)))
    x = torch.randint(0, 2, (50, 8), generator=torch.Generator().manual_seed(0)).float()
    theirs = model.energies((x.numpy(), list(range(8))))
    np.testing.assert_allclose(theirs, energy(rbm, x[:, :5], x[:, 5:]), atol=1e-5)


def test_dimods_coo_reader_reads_the_same_model(rbm: RBM):
    small = rbm._replace(W=rbm.W * 1e-7, a=rbm.a * 0)  # exponents, and variables without a bias
    theirs = dimod.serialization.coo.loads(bqm.coo_file(small).decode())
    assert theirs == bqm.to_bqm(small)


@pytest.mark.parametrize("spins", [False, True])
def test_a_coo_file_written_by_dimod_is_read(rbm: RBM, spins: bool, tmp_path: Path):
    model = bqm.to_bqm(RBM(*(part.mul(8).round() / 8 for part in rbm)))  # dimod writes six digits
    if spins:
        model = model.change_vartype("SPIN", inplace=False)
    text = dimod.serialization.coo.dumps(model, vartype_header=True)
    path = write(tmp_path / "model.coo", text.encode())
    for there, here in zip(loaded(path, 5, 3), bqm.from_bqm(model, 5), strict=True):
        torch.testing.assert_close(there, here, atol=1e-5, rtol=0)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.data())
def test_random_rbms_are_unchanged_by_a_round_trip_through_every_file_format(
    visible: int, hidden: int, data: st.DataObject
):
    number = st.floats(-1e6, 1e6, width=32)
    shapes = ((visible, hidden), (visible,), (hidden,))
    made = RBM(*(torch.tensor(data.draw(arrays(np.float32, shape, elements=number))) for shape in shapes))
    for writer in FILES.values():
        for there, here in zip(bqm.read_file(writer(made), visible), made, strict=True):
            assert torch.equal(there, here)


@pytest.mark.parametrize("suffix", [*FILES])
def test_an_rbm_loaded_from_its_exported_file_is_unchanged(rbm: RBM, suffix: str, tmp_path: Path):
    path = write(tmp_path / f"model.{suffix}", FILES[suffix](rbm))
    for there, here in zip(loaded(path, 5, 3), rbm, strict=True):
        assert torch.equal(there, here)


def test_a_bqm_file_of_spins_is_read(rbm: RBM, tmp_path: Path):
    spins = bqm.to_bqm(rbm).change_vartype("SPIN", inplace=False)
    path = write(tmp_path / "spins.bqm", spins.to_file().read())
    for there, here in zip(loaded(path, 5, 3), rbm, strict=True):
        torch.testing.assert_close(there, here)


@pytest.mark.parametrize("suffix", ["bqm", "json"])
def test_a_file_of_another_size_is_refused_with_both_sizes(rbm: RBM, suffix: str, tmp_path: Path):
    path = write(tmp_path / f"model.{suffix}", FILES[suffix](rbm))
    with pytest.raises(UserError, match="has 5 visible and 3 hidden units; this run needs 5 and 4"):
        loaded(path, 5, 4)


def test_a_file_that_is_not_a_valid_rbm_is_refused_with_its_reason(rbm: RBM, tmp_path: Path):
    dense = dimod.BinaryQuadraticModel({0: 1.0, 1: 1.0, 2: 1.0}, {(0, 1): 1.0, (1, 2): 1.0}, "BINARY")
    for name, data, sentence in [
        ("a.bqm", b"no such thing", "is not an RBM of 2 visible units"),
        ("a.coo", b"# vartype=BINARY\n0 1 1.0\n0 2 one\n", "line 3 is '0 2 one', not `i j bias`"),
        ("b.coo", b"0 1 1.0\n", "line 1 comes before a line `# vartype=BINARY`"),
        ("c.coo", b"# vartype=TERNARY\n", "vartype=TERNARY is neither BINARY nor SPIN"),
        ("d.coo", b"", "it has no line `# vartype=BINARY`"),
        ("e.coo", b"# vartype=BINARY\n0 -1 1.0\n", "line 2: variables are numbers from 0"),
        ("f.coo", b"# vartype=BINARY\n0 99999999999999999999 1\n", "line 2: variables are numbers from 0 to"),
        ("g.coo", b"# vartype=BINARY\n0 2 1.0\n# vartype=SPIN\n1 2 1.0\n", "vartype=SPIN contradicts BINARY"),
        ("a.bqm", b"DIMODBQM", "dimod cannot read it: error: unpack requires"),
        ("b.bqm", dense.to_file().read(), "with 2 visible units some units of one layer are coupled"),
        ("c.json", b"{}", '"format" is None, not "rbm"'),
        ("d.json", b"{", "is not an RBM"),
        ("e.json", json.dumps({"format": "rbm", "W": [[1.0]]}).encode(), "is not an RBM"),
        ("f.json", json.dumps({"format": "rbm", "W": [["x"]], "a": [0], "b": [0]}).encode(), "is not an RBM"),
        ("g.json", b'{"a": ' + b"[" * 100_000, "its lists are nested too deeply"),
        ("h.json", b'{"format": "rbm", "W": [[1' + b"0" * 400 + b']], "a": [0], "b": [0]}', "not lists of numbers"),
    ]:
        with pytest.raises(UserError, match=sentence):
            loaded(write(tmp_path / name, data), 2, 1)
    with pytest.raises(UserError, match="contains no RBM"):
        initial_rbm(Initial("other", tmp_path, {"readout": None}), 2, 1)
    endless = bqm.bqm_file(RBM(rbm.W / 0, rbm.a, rbm.b))
    with pytest.raises(UserError, match="not finite"):
        loaded(write(tmp_path / "endless.bqm", endless), 5, 3)


@pytest.mark.parametrize("names", [[f"v{k}" for k in range(11)] + ["x"], [*range(5), *range(6, 13)]])
def test_variables_that_do_not_say_which_unit_they_are_are_refused(names: list[Any], tmp_path: Path):
    """Sorted, v10 would come before v2; and all after a variable that a writer left out would be the one before."""
    model = dimod.BinaryQuadraticModel({name: float(k) for k, name in enumerate(names)}, {}, "BINARY")
    path = write(tmp_path / "named.bqm", model.to_file().read())
    with pytest.raises(
        UserError, match="its 12 variables are not the numbers 0 to 11, visible units first: there is no"
    ):
        loaded(path, 11, 1)


@pytest.mark.parametrize("changed", [{"a": [[1.0], [2.0]]}, {"b": [[1.0]]}, {"a": 1.0}, {"W": [[1.0, 2.0]]}])
def test_parts_of_a_json_file_that_do_not_fit_each_other_are_refused(changed: dict[str, Any], tmp_path: Path):
    """A column of biases would be broadcast against the batch."""
    record = {"format": "rbm", "W": [[1.0], [2.0]], "a": [1.0, 2.0], "b": [1.0], **changed}
    with pytest.raises(UserError, match=r"its shapes are .*, not \(V, H\), \(V,\) and \(H,\)"):
        loaded(write(tmp_path / "a.json", json.dumps(record).encode()), 2, 1)


@pytest.mark.parametrize("neighbour", [-1, 8, 2**30])
def test_an_index_of_a_damaged_bqm_file_that_is_no_variable_is_refused(rbm: RBM, neighbour: int, tmp_path: Path):
    """dimod's compiled code would read outside its arrays, or allocate as many variables."""
    content = bytearray(bqm.bqm_file(rbm))
    entry = 4 + 8  # bytes of a neighbour and its bias, as int32 and float64
    content[-entry : -entry + 4] = neighbour.to_bytes(4, "little", signed=True)
    with pytest.raises(UserError, match="dimod cannot read it: ValueError: its indices are not those of its variables"):
        loaded(write(tmp_path / "damaged.bqm", bytes(content)), 5, 3)


@pytest.mark.parametrize("suffix", ["coo", "json"])
def test_text_files_of_other_editors_are_read(rbm: RBM, suffix: str, tmp_path: Path):
    content = b"\xef\xbb\xbf" + FILES[suffix](rbm).replace(b"\n", b"\r\n")
    for there, here in zip(loaded(write(tmp_path / f"model.{suffix}", content), 5, 3), rbm, strict=True):
        assert torch.equal(there, here)


@pytest.mark.parametrize("section", [("model/qrbm", None), ("experiment/dynex_qrbm", "model")])
def test_the_qrbm_and_the_tutorials_qrbm_offer_the_export_formats_of_their_specs(
    task: Task, sampler: Any, section: tuple[str, str | None]
):
    learner = spec(*section, n_hidden=4).build(task, SEEDS, {"sampler": sampler}, CPU)
    assert set(exports(learner)) == set(learner.spec.formats)


def test_a_learner_starts_from_a_file(task: Task, train: Any, sampler: Any, tmp_path: Path):
    source = random_rbm((36, 4), 0.5, 9, CPU)
    path = write(tmp_path / "model.bqm", bqm.bqm_file(source))
    learner = spec("model/qrbm", n_hidden=4, init_from=path).build(task, SEEDS, {"sampler": sampler}, CPU)
    learner.start(train, Initial(path, Path(path), None))
    for there, here in zip(learner.state_dict()["rbm"].values(), source, strict=True):
        assert torch.equal(there, here)


def test_a_run_is_exported_and_another_run_starts_from_it(neurobench: Neurobench, tmp_path: Path):  # noqa: F811
    small = ("run", "model=qrbm", "scale=smoke", "model.downsample=6", "model.n_hidden=8")
    assert neurobench(*small, "name=first").returncode == 0
    done = neurobench("export", "first", "--format", "bqm")
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "outputs/first").iterdir()
    stored = RBM(**torch.load(run / "checkpoint.pt", weights_only=True)["learner"]["rbm"])
    for reference in (str(run / "model.bqm"), str(run)):
        for there, here in zip(loaded(reference, 36, 8), stored, strict=True):
            assert torch.equal(there, here)
    with pytest.raises(UserError, match="has 36 visible and 8 hidden units; this run needs 36 and 9"):
        loaded(run, 36, 9)
    # With almost no learning rate, the RBM stays what it was at the start.
    done = neurobench(*small, "model.init_from=first", "name=next", "model.lr=1e-12", "model.weight_decay=0")
    assert done.returncode == 0, done.stderr
    (later,) = (tmp_path / "outputs/next").iterdir()
    for there, here in zip(loaded(str(later), 36, 8), stored, strict=True):
        torch.testing.assert_close(there, here)
