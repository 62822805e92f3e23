"""Promises of `neurobench.estimator`: each model is a scikit-learn classifier that can be copied and grid-searched."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from joblib import parallel_config
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import check_estimator

import neurobench as nb
from neurobench.api.torch_state import usual_torch
from neurobench.config.compose import choices
from neurobench.config.targets import load
from neurobench.data.dataset import hold_out
from neurobench.experiment.plan import spawn
from tests.experiment.test_resumed_end import alarm, stopped_in_a_kernel  # noqa: F401

# Check -> why an estimator fails it. On a device with noise (hxtorch_mlp without exact=True, mock chips) predictions
# depend on the order of samples, too: check_methods_sample_order_invariance.
# Whether float32 sums differ in their last digits depends on the processor: with AVX-512 they do more often.
BATCHES = {
    "check_methods_subset_invariance": "float32 sums of a batch of another size differ in their last digits",
    "check_methods_sample_order_invariance": "and those of a sample in another place of its batch",
}
NETWORK = {"channels": [4, 8], "hidden": 16, "dropout": 0.0}
QUANTIZED = {"hidden": [40], "weight_bits": 8, "fraction_bits": 3, "activation_bits": 4}
# Model -> parameters that learn the checks' 300 points quickly, and the checks that the model does not pass.
CHECKED: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "pixels_lr": ({}, {}),
    "sklearn_rbm": ({"n_hidden": 20}, {}),
    "random_features": ({"n_hidden": 20, "threshold": None}, BATCHES),
    "quantized_mlp": ({"arguments": QUANTIZED, "layout": "vector", "lr": 0.4, "epochs": 4, "batch_size": 20}, {}),
    "qrbm": ({"n_hidden": 20, "pixels": "grey"}, BATCHES),
    "mlp": ({"hidden": 40, "epochs": 4, "dropout": 0.0, "input_dropout": 0.0}, {}),
    "cnn": ({"arguments": NETWORK, "jitter": 0, "lr": 0.01, "epochs": 2, "batch_size": 20}, {}),
    "torch_module": ({"layout": "vector", "lr": 0.5, "epochs": 3, "batch_size": 20}, {}),
    "hxtorch_mlp": ({"hidden": 20, "epochs": 8, "batch_size": 20, "exact": True}, BATCHES),
    "hybrid_qcnn": ({"head": "linear", "n_qubits": 2, "epochs": 2}, BATCHES),
    "slayer_snn": (
        {"hidden": (8,), "length": 50.0, "delay": False, "augment": False, "lr": 0.04, "epochs": 3, "batch_size": 16},
        {},
    ),
    "eprop_rsnn": ({"hidden": 30, "steps": 50, "lr": 0.01, "epochs": 8}, {}),
    "eventprop_snn": ({"hidden": (40,), "lr": 0.04, "epochs": 6, "batch_size": 16}, {}),
    "nir_graph": ({"hidden": (), "bin": 25.0, "length": 100.0, "lr": 0.1, "epochs": 3, "batch_size": 64}, {}),
}
SOME = slice(None, None, 3)
OF_RUNS = (
    "outputs=elsewhere", "name=mine", "resume=true", "wait=false", "figures=pdf", "host_energy=true",
    "logger=tensorboard", "+logger.mine={a:1}", "table=matrix", "training.keep_best=true",
    "training.checkpoint_every=1",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model", CHECKED)
def test_every_model_passes_scikit_learns_estimator_checks_but_the_named_exceptions(model: str) -> None:
    parameters, exceptions = CHECKED[model]
    made = nb.estimator(model, **parameters)
    results = check_estimator(made, expected_failed_checks=exceptions, on_fail=None, on_skip=None)
    failed = {result["check_name"]: result["exception"] for result in results if result["status"] == "failed"}
    assert failed == {}
    assert {result["check_name"] for result in results if result["status"] == "xfail"} <= set(exceptions)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model", [model for model, (_, exceptions) in CHECKED.items() if exceptions])
def test_scores_depend_on_batch_size_and_sample_order_by_rounding_only(model: str) -> None:
    X, y = load_iris(return_X_y=True)
    made = nb.estimator(model, **CHECKED[model][0]).fit(X[SOME], y[SOME])
    scores = made.decision_function(X)
    order = np.random.default_rng(0).permutation(len(X))
    for again in (
        made.decision_function(X[order])[order.argsort()],
        np.concatenate([made.decision_function(X[k : k + 7]) for k in range(0, len(X), 7)]),
    ):
        np.testing.assert_allclose(again, scores, rtol=0, atol=1e-5 * np.abs(scores).max())


@pytest.mark.filterwarnings("ignore:no recurrent neuron fired")
@pytest.mark.parametrize("model", CHECKED)
def test_every_model_fits_arrays_and_predicts_the_same_after_pickling(model: str) -> None:
    X, y = load_iris(return_X_y=True)
    labels = np.array(["setosa", "versicolor", "virginica"])[y]
    made = nb.estimator(model, **CHECKED[model][0]).fit(X[SOME], labels[SOME])
    assert set(made.predict(X)) <= set(labels)
    assert len(made.history_) == made.epochs
    again = pickle.loads(pickle.dumps(made))
    np.testing.assert_array_equal(again.predict(X), made.predict(X))


@pytest.mark.filterwarnings("ignore:the CPU is faster for this model")
def test_an_estimator_fitted_on_a_gpu_predicts_after_pickling_on_a_machine_without_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X, y = load_iris(return_X_y=True)
    with monkeypatch.context() as on_gpu:
        on_gpu.setattr("torch.cuda.is_available", lambda: True)
        made = nb.estimator("sklearn_rbm", n_hidden=4, device="cuda").fit(X, y)  # whose learner stays on the CPU
        on_gpu.setattr("torch.serialization.location_tag", lambda storage: "cuda:0")
        stored = pickle.dumps(made)
    again = pickle.loads(stored)
    np.testing.assert_array_equal(again.predict(X), made.predict(X))


def test_pixels_lr_is_as_accurate_as_scikit_learns_logistic_regression() -> None:
    X, y = load_digits(return_X_y=True)
    ours = nb.estimator("pixels_lr", threshold=None, l2=1e-3, readout_iterations=500)
    theirs = make_pipeline(MinMaxScaler(clip=True), LogisticRegression(C=1 / (1e-3 * 1198), max_iter=500))
    assert cross_val_score(ours, X, y, cv=3) == pytest.approx(cross_val_score(theirs, X, y, cv=3), abs=0.01)


def test_scores_are_equal_for_the_same_seed_and_differ_for_another() -> None:
    X, y = load_iris(return_X_y=True)
    made = nb.estimator("qrbm", n_hidden=10, pixels="grey")
    first = made.fit(X, y).decision_function(X)
    np.testing.assert_array_equal(clone(made).fit(X, y).decision_function(X), first)
    assert not np.array_equal(clone(made).set_params(seed=1).fit(X, y).decision_function(X), first)


def test_grid_search_sets_the_parameters_of_the_model() -> None:
    X, y = load_iris(return_X_y=True)
    grid = {"n_hidden": np.array([2, 20]), "epochs": [1, 3]}
    made = nb.estimator("qrbm", pixels="grey")
    search = GridSearchCV(made, grid, cv=2, error_score="raise").fit(X, y)
    assert set(search.best_params_) == {"n_hidden", "epochs"}
    assert search.best_estimator_.plan_.model.n_hidden == search.best_params_["n_hidden"]


def test_images_with_and_without_a_channel_axis_are_accepted() -> None:
    X, y = load_digits(return_X_y=True)
    made = nb.estimator("mlp", hidden=20, epochs=20, dropout=0.0, lr=0.02).fit(X.reshape(-1, 8, 8)[:300], y[:300])
    assert made.plan_.task.shape == (1, 8, 8)
    assert made.score(X.reshape(-1, 1, 8, 8)[:300], y[:300]) > 0.95


@pytest.mark.filterwarnings("error")
def test_images_with_their_channels_last_are_reported() -> None:
    X = np.random.default_rng(0).random((20, 8, 9, 3))
    made, y = nb.estimator("pixels_lr"), np.arange(20) % 2
    made.fit(np.moveaxis(X, 3, 1), y)
    made.fit(X[..., 0], y)
    with pytest.raises(UserWarning, match=r"read as images of 8 channels, .*np\.moveaxis\(X, 3, 1\)"):
        made.fit(X, y)


def test_a_list_of_images_is_read_as_their_array() -> None:
    X, y = load_digits(return_X_y=True)
    images = X.reshape(-1, 8, 8)[:100]
    made = nb.estimator("mlp", hidden=5, epochs=1).fit(list(images), y[:100])
    assert made.plan_.task.shape == (1, 8, 8)
    np.testing.assert_array_equal(made.decision_function(list(images)), made.decision_function(images))


@pytest.mark.parametrize(("fitted", "other"), [((1, 8, 4), (1, 4, 8)), ((1, 8, 4), (1, 8, 8)), ((32,), (32, 1, 1))])
def test_samples_of_another_shape_than_the_fitted_ones_are_refused(
    fitted: tuple[int, ...], other: tuple[int, ...]
) -> None:
    y = np.arange(20) % 2
    draw = np.random.default_rng(0)
    made = nb.estimator("mlp", hidden=5, epochs=1).fit(draw.random((20, *fitted)), y)
    with pytest.raises(ValueError, match=r"samples of shape .*, but this estimator was fitted to|features"):
        made.predict(draw.random((20, *other)))


@pytest.mark.parametrize("model", ["torch_module", "qrbm"])
def test_what_a_notebook_has_set_in_torch_neither_changes_a_fit_nor_is_changed_by_it(model: str) -> None:
    X, y = load_iris(return_X_y=True)
    made = nb.estimator(model, **CHECKED[model][0])
    expected = made.fit(X, y).decision_function(X)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        with torch.inference_mode():
            again = pickle.loads(pickle.dumps(clone(made).fit(X, y)))
            np.testing.assert_array_equal(again.decision_function(X), expected)
        state = (torch.get_default_dtype(), torch.get_default_device())
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert state == (torch.float64, torch.device("meta"))


def test_torchs_default_dtype_is_restored_when_the_last_of_several_threads_is_done() -> None:
    first, second = usual_torch(), usual_torch()
    torch.set_default_dtype(torch.float64)
    try:
        for enters_or_ends in (first.__enter__, second.__enter__, lambda: first.__exit__(None, None, None)):
            enters_or_ends()
            assert torch.get_default_dtype() == torch.float32
        second.__exit__(None, None, None)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_grid_search_in_threads_plans_its_fits_one_after_the_other() -> None:
    X, y = load_iris(return_X_y=True)
    made = nb.estimator("pixels_lr", threshold=None)
    search = GridSearchCV(made, {"l2": [0.11, 0.012, 0.0013]}, cv=2, n_jobs=3, error_score="raise")
    with parallel_config("threading"):
        search.fit(X, y)
    assert search.cv_results_["mean_test_score"].min() > 0.8


def test_held_out_samples_do_not_change_the_range_by_which_samples_are_scaled() -> None:
    """They would tell the model what it is judged on. Which are held out is drawn with the run's data seed."""
    X, y = load_iris(return_X_y=True)
    trained, held_out = hold_out(len(X), len(X) // 5, spawn(3).data)
    shifted = X.copy()
    shifted[held_out] *= 1000
    shifted[held_out, 0] = -5
    fitted = nb.estimator("pixels_lr", validation=0.2, seed=3).fit(shifted, y)
    np.testing.assert_array_equal(fitted.low_, X[trained].min(0))
    np.testing.assert_array_equal(fitted.span_, np.ptp(X[trained], 0))


def test_a_class_of_which_all_samples_are_held_out_is_reported() -> None:
    X, y = np.linspace(0, 1, 60).reshape(20, 3), np.array(["many"] * 19 + ["one"])
    made = nb.estimator("mlp", hidden=2, epochs=1, validation=0.95)
    with pytest.warns(UserWarning, match=r"validation=0.95 holds out all samples of class one, which cannot be learn"):
        made.fit(X, y)


def test_training_that_diverges_raises_a_value_error_as_documented() -> None:
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="diverged at update"):
        nb.estimator("toy", explode_at=1, batch_size=50).fit(X, y)


def test_an_estimator_whose_second_fit_fails_is_not_fitted() -> None:
    X, y = load_iris(return_X_y=True)
    made = nb.estimator("toy", batch_size=50).fit(X, y)
    with pytest.raises(ValueError, match="diverged"):
        made.set_params(explode_at=1).fit(10 * X, y + 1)
    with pytest.raises(NotFittedError):
        made.predict(X)


def test_faulty_parameters_and_data_are_refused_with_the_reason() -> None:
    X, y = load_iris(return_X_y=True)
    with pytest.raises(TypeError, match="n_hiden: the estimator of .* has no such parameter. Did you mean n_hidden"):
        nb.estimator("qrbm", n_hiden=3)
    with pytest.raises(nb.ConfigError, match="there is no such model; .* Did you mean qrbm"):
        nb.estimator("qrmb")
    with pytest.raises(ValueError, match="model.n_hidden=0 is not at least 1"):
        nb.estimator("qrbm", n_hidden=0).fit(X, y)
    with pytest.raises(ValueError, match=r"training.epochs=0 is not at least 1\s+model.lr=-1 is not above 0"):
        nb.estimator("qrbm", lr=-1, epochs=0).fit(X, y)
    with pytest.raises(ValueError, match="at least two classes; y has one class"):
        nb.estimator("qrbm").fit(X[:50], y[:50])
    with pytest.raises(ValueError, match=r"samples are numbers in \[0, 1\]"):
        nb.estimator("qrbm", scaling=False).fit(X, y)
    with pytest.raises(ValueError, match=r"validation=1.0 is not in \[0, 1\)"):
        nb.estimator("qrbm", validation=1.0).fit(X, y)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"overrides": ("training.epochs=1",)}, "training.epochs=1: this is a parameter .* Write epochs="),
        ({"overrides": ("seed=5",)}, "Write seed=... instead"),
        ({"overrides": [{"backend": "mock"}]}, "Write backend=... instead"),
        ({"overrides": ("++model.lr=1",)}, "Write lr=... instead"),
        ({"overrides": ("model=cnn",)}, r"this estimator is for model=mlp. Create another: estimator\('NAME'\)"),
        ({"overrides": ("dataset=mnist",)}, "learns from the X and y passed to fit, not from a data set"),
        ({"overrides": ("dataset.validation=3",)}, "learns from the X and y passed to fit, not from a data set"),
        ({"overrides": ("training={epochs:7}",)}, "Write epochs=... instead"),
        *(
            ({"overrides": (word,)}, "only a run has that, and an estimator creates none. Leave it out")
            for word in OF_RUNS
        ),
        ({"overrides": ("training.test_by_epoch=true",)}, "an estimator runs no test. Leave it out"),
        ({"overrides": ("experiment=dynex_qrbm",)}, "an experiment's model keys are parameters here. Leave it"),
        (
            {"overrides": ("scale=smoke",)},
            "learns from all of X and y; epochs=... sets the number of epochs. Leave it out",
        ),
        ({"overrides": ("scale.train=5",)}, "learns from all of X and y"),
        ({"overrides": "seed=5"}, r"overrides='seed=5' is not a list or tuple: write overrides=\('key=value',\)"),
        ({"overrides": None}, "overrides=None is not a list or tuple"),
        ({"overrides": (5,)}, "5 is not an override: write 'key=value'"),
        ({"overrides": ("training.epoch=5",)}, "there is no key training.epoch|training.epoch.*Did you mean"),
        ({"scaling": "false"}, "scaling='false' is neither True nor False"),
        ({"scaling": 1}, "scaling=1 is neither True nor False"),
        ({"validation": "0.1"}, "validation='0.1' is not a number"),
        ({"validation": True}, "validation=True is not a number"),
        ({"validation": float("nan")}, r"validation=nan is not in \[0, 1\)"),
    ],
)
def test_overrides_without_effect_and_parameters_of_the_wrong_type_are_refused_by_fit(
    parameters: dict[str, Any], sentence: str
) -> None:
    X, y = load_iris(return_X_y=True)
    made = nb.estimator("mlp", **parameters)
    with pytest.raises(ValueError, match=sentence):
        made.fit(X, y)


def test_training_starts_from_the_machine_in_init_from_and_a_missing_one_is_refused(here: Path) -> None:
    X, y = load_iris(return_X_y=True)
    first = nb.estimator("qrbm", n_hidden=5, pixels="grey", seed=1).fit(X, y)
    file = here / "machine.bqm"
    file.write_bytes(load(first.plan_.model.exports)(first.learner_)["bqm"]())
    # With a negligible learning rate, the result equals the state from which training started.
    made = clone(first).set_params(seed=0, lr=1e-12, weight_decay=0, init_from=str(file)).fit(X, y)
    machine, before = (each.learner_.state_dict()["rbm"] for each in (made, first))
    torch.testing.assert_close(machine, before)
    with pytest.raises(ValueError, match=r"model.init_from=.*none.bqm: there is no such file"):
        made.set_params(init_from=f"{here}/none.bqm").fit(X, y)
    with pytest.raises(ValueError, match="there are no runs below"):
        made.set_params(init_from="nobody").fit(X, y)


def test_overrides_of_training_and_device_keys_take_effect() -> None:
    X, y = load_iris(return_X_y=True)
    words = ("training.monitor=train_reconstruction_mse", "training.goal=100", "backend.sampler.sweeps=3")
    made = nb.estimator("qrbm", n_hidden=5, pixels="grey", epochs=3, overrides=words).fit(X, y)
    assert len(made.history_) == 1, "the goal is reached at once"
    assert made.plan_.config["backend"]["sampler"]["sweeps"] == 3


def test_an_override_sets_part_of_a_parameter_unless_the_parameter_is_given_too() -> None:
    X, y = load_iris(return_X_y=True)
    part = ("model.arguments.hidden=[40]",)
    made = nb.estimator("quantized_mlp", layout="vector", epochs=1, overrides=part).fit(X, y)
    assert made.plan_.config["model"]["arguments"]["hidden"] == [40]
    with pytest.raises(ValueError, match="belongs to the parameter arguments, which is also set. Set it there"):
        made.set_params(arguments=QUANTIZED).fit(X, y)


def test_every_shipped_model_is_checked_as_an_estimator() -> None:
    assert set(CHECKED) == set(choices("model")) - {"toy"}


@pytest.mark.usefixtures("alarm")
def test_ctrl_c_while_a_parallel_kernel_runs_stops_a_grid_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scikit-learn takes numba's SystemError for a failed fit: it had scored NaN, and continued with the next one."""
    monkeypatch.setattr("neurobench.experiment.build.build_learner", stopped_in_a_kernel)
    X, y = np.random.default_rng(0).random((20, 4)), np.arange(20) % 2
    with pytest.raises(KeyboardInterrupt):
        GridSearchCV(nb.estimator("pixels_lr"), {"seed": [0, 1]}, cv=2).fit(X, y)
