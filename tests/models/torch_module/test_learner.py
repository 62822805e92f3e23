"""Any torch module: its steps against torch's own loop, resuming, counts by hand, and what is refused."""

import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, cross_entropy

from neurobench.config import targets
from neurobench.config.bounds import BoundsError
from neurobench.config.errors import UserError
from neurobench.data.dataset import Batch, Split
from neurobench.metrics.operations import total
from neurobench.models.learner import Divergence, Seeds, Step, Task, TrainingRecord
from neurobench.models.torch_module.learner import TorchModuleLearner, seeded
from neurobench.models.torch_module.operations import operations
from tests.draws import uniform
from tests.specs import spec

TASK = Task("vector", (5,), 3)
IMAGES = Task("image", (2, 7, 6), 3)
SEEDS = Seeds(1, 2, 3, 4)
CPU = torch.device("cpu")
NO_SAMPLES = Split(torch.zeros(0, 5), torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))


class Net(nn.Module):
    """Layers with normalisation and dropout between them: a state beside the parameters, and draws."""

    layer: type[nn.Linear] = nn.Linear

    def __init__(self, shape: tuple[int, ...], n_classes: int, width: int = 8, rate: float = 0.5):
        super().__init__()
        self.first = self.layer(shape[0], width)
        self.norm = nn.BatchNorm1d(width)
        self.act = nn.ReLU()
        self.drop = nn.Dropout(rate)
        self.last = self.layer(width, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.drop(self.act(self.norm(self.first(x)))))


class ByKeyword(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(input=self.drop(self.act(self.norm(self.first(input=x)))))


class Masked(nn.Linear):
    """A layer of one's own, whose second argument may be no tensor."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return super().forward(x if mask is None else x * mask)


class WithMask(Net):
    layer = Masked

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.drop(self.act(self.norm(self.first(x, torch.ones(5))))), mask=None)


class Ternary(nn.Linear):
    """It applies the signs of its weights, and 0 for small ones."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x, self.weight.sign() * (self.weight.abs() > 0.1), self.bias)


class WithTernary(Net):
    layer = Ternary


class WithPruned(Net):
    """Half of the values that reach its first layer are masked within it."""

    layer = Masked

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.drop(self.act(self.norm(self.first(x, torch.tensor([1.0, 0, 1, 0, 0]))))))


class OwnConvolution(nn.Sequential):
    def __init__(self) -> None:
        class Absolute(nn.Conv2d):
            def _conv_forward(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
                return super()._conv_forward(x, weight.abs(), bias)

        super().__init__(nn.Unflatten(1, (1, 1, 5)), Absolute(1, 2, 1), nn.Flatten(), nn.Linear(10, 3))


class Lazy(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.LazyLinear(4), nn.Tanh(), nn.LazyLinear(3))


class Matrix(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.zeros(5, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.W


class Two(nn.Linear):
    def __init__(self) -> None:
        super().__init__(5, 2)


class Squeezed(nn.Linear):
    def __init__(self) -> None:
        super().__init__(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).squeeze()


class Probabilities(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Linear(5, 3), nn.Softmax(1))


class Annealed(nn.Linear):
    """Its state beside the weights is in no state_dict."""

    def __init__(self) -> None:
        super().__init__(5, 3)
        self.temperature = 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.temperature *= 0.5 if self.training else 1.0
        return super().forward(x) / self.temperature


class Collecting(Annealed):
    """It can learn, but no state_dict of it can be loaded: a buffer grows."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(0, 5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen = torch.cat([self.seen, x]) if self.training else self.seen
        return nn.Linear.forward(self, x)


class Half(nn.Linear):
    def __init__(self) -> None:
        super().__init__(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).bfloat16()


class Dropping(nn.Linear):
    """Its dropout is never switched off."""

    def __init__(self) -> None:
        super().__init__(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(nn.functional.dropout(x))


class Centred(nn.Linear):
    """It subtracts the mean of the whole batch."""

    def __init__(self) -> None:
        super().__init__(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x - x.mean())


class Auxiliary(nn.Linear):
    """In training it returns further outputs, as torchvision's GoogLeNet does."""

    def __init__(self) -> None:
        super().__init__(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        logits = super().forward(x)
        return (logits, logits) if self.training else logits


class Backbone(nn.Sequential):
    """Only its last layer is learned."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(5, 4).requires_grad_(False), nn.ReLU(), nn.Linear(4, 3))


class Frozen(nn.Linear):
    def __init__(self) -> None:
        super().__init__(5, 3)
        self.requires_grad_(False)


class Rounding(nn.Linear):
    """Its scores are counts, which have no derivative."""

    def __init__(self) -> None:
        super().__init__(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).detach().round()


class Versioned(nn.Linear):
    def __init__(self) -> None:
        super().__init__(5, 3)

    def get_extra_state(self) -> dict[str, int]:
        return {"version": 2}

    def set_extra_state(self, state: dict[str, int]) -> None:
        self.version = state["version"]


class NoModule:
    pass


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "ALLOWED", (__name__,))


def built(name: str = "Net", task: Task = TASK, **changes) -> TorchModuleLearner:
    fields = {"module": f"{__name__}.{name}", "layout": task.layout, **changes}
    return spec("model/torch_module", **fields).build(task, SEEDS, {}, CPU)


def cnn(**changes) -> TorchModuleLearner:
    return spec("model/cnn", jitter=0, **changes).build(IMAGES, SEEDS, {}, CPU)


def batch(n: int = 6, seed: int = 0, shape: tuple[int, ...] = TASK.shape) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    return Batch(torch.rand(n, *shape, generator=draw), torch.randint(0, 3, (n,), generator=draw))


@pytest.mark.parametrize(
    ("optimizer", "of_torch", "momentum"),
    [("sgd", torch.optim.SGD, 0.9), ("adamw", torch.optim.AdamW, 0.0), ("rmsprop", torch.optim.RMSprop, 0.5)],
)
def test_a_module_learns_like_in_torchs_own_training_loop(optimizer, of_torch, momentum):
    learner = built(optimizer=optimizer, momentum=momentum, weight_decay=0.1, lr=0.02, schedule="cosine", smoothing=0.1)
    with seeded(SEEDS.init, CPU):
        net = Net((5,), 3)
    options = {"momentum": momentum} if momentum else {}
    reference = of_torch(net.parameters(), lr=0.02, weight_decay=0.1, **options)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(reference, 8)
    for dropout in (net.drop, learner.net.drop):
        dropout.p = 0.0
    net.train()
    for k in range(8):
        one = batch(seed=k)
        loss = cross_entropy(net(one.x), one.y, label_smoothing=0.1)
        reference.zero_grad()
        loss.backward()
        reference.step()
        falling.step()
        assert learner.learn(one, Step(k, 8, 0)).loss / 6 == pytest.approx(float(loss.detach()), rel=1e-4)
    assert torch.allclose(learner.predict(batch(seed=9).x), net.eval()(batch(seed=9).x), atol=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop", "adagrad", "nadam", "radam"])
def test_a_resumed_run_repeats_an_uninterrupted_one(optimizer: str, tmp_path: Path) -> None:
    settings = {"optimizer": optimizer, "momentum": 0.9 if optimizer == "sgd" else 0.0, "schedule": "one_cycle"}
    whole, first, second = (built(**settings) for _ in range(3))
    for k in range(6):
        whole.learn(batch(seed=k), Step(k, 6, 0))
    for k in range(3):
        first.learn(batch(seed=k), Step(k, 6, 0))
    torch.save(first.state_dict(), tmp_path / "state.pt")
    torch.rand(3)  # other draws make no difference
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for k in range(3, 6):
        second.learn(batch(seed=k), Step(k, 6, 0))
    states = whole.net.state_dict(), second.net.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_training_leaves_torchs_global_generator_unchanged():
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    built().learn(batch(), Step(0, 1, 0))
    assert torch.equal(torch.rand(2), expected)


def test_lazy_layers_are_initialised_from_the_seed():
    one, other = built("Lazy"), built("Lazy")
    assert torch.equal(one.predict(batch().x), other.predict(batch().x))


def test_the_shipped_cnn_learns_images_of_odd_sizes():
    learner = cnn(lr=0.02, arguments={"channels": [4, 6], "hidden": 16, "dropout": 0.0})
    y = torch.arange(60) % 3
    x = 0.5 * torch.rand(60, *IMAGES.shape, generator=torch.Generator().manual_seed(0))
    x[torch.arange(60), 0, 2 * y, 1] += 1
    for k in range(40):
        learner.learn(Batch(x, y), Step(k, 40, 0))
    assert learner.measure(Batch(x, y)).correct == 60


@pytest.mark.parametrize("empty", [{"channels": [4, 0]}, {"hidden": 0}])
def test_the_shipped_cnn_refuses_layers_without_units(empty):
    with pytest.raises(UserError, match="are not all at least 1"):
        cnn(arguments={"channels": [4, 6], "hidden": 16, "dropout": 0.0, **empty})


def test_product_counts_match_a_convolution_of_ones():
    learner = cnn(arguments={"channels": [4, 6], "hidden": 16, "dropout": 0.0})
    x = batch(3, shape=IMAGES.shape).x * (uniform(3, *IMAGES.shape) > 0.5)
    figures, undefined = total([operations(learner, x)])
    covered = conv2d(torch.ones(1, 1, 7, 6), torch.ones(1, 1, 3, 3), padding=1).sum()
    inner = conv2d(torch.ones(1, 1, 4, 3), torch.ones(1, 1, 3, 3), padding=1).sum()
    dense = covered * 2 * 4 + inner * 4 * 6 + 6 * 2 * 2 * 16 + 16 * 3
    assert figures["dense_operations"] == float(dense)
    products = conv2d((x != 0).float(), torch.ones(4, 2, 3, 3), padding=1).sum() / 3
    others = operations(learner, x).connections[1:]
    assert figures["effective_macs"] == pytest.approx(float(products) + sum(part.effective for part in others) / 3)
    assert figures["activation_sparsity_relu_1"] > 0
    assert "effective_macs" not in undefined
    assert not learner.net.conv_1._forward_hooks  # no hook is left


@pytest.mark.parametrize("name", ["ByKeyword", "WithMask"])
def test_layers_called_by_keyword_or_with_further_arguments_are_counted_like_others(name):
    one, other = (total([operations(built(module), batch().x)])[0] for module in (name, "Net"))
    assert one == other


@pytest.mark.parametrize(
    ("name", "named"),
    [("WithTernary", "first (Ternary), last (Tern"), ("WithPruned", "first (Masked)"), ("OwnConvolution", "1 (Abs")],
)
def test_layers_of_ones_own_that_apply_other_weights_or_inputs_are_named_and_not_counted(name: str, named: str) -> None:
    figures, undefined = total([operations(built(name), batch().x)])
    for figure in ("connection_sparsity", "effective_macs", "dense_operations"):
        assert figure not in figures
        assert named in undefined[figure]


def test_products_of_weights_outside_of_known_layers_are_named_and_not_counted():
    operations_of = total([operations(built("Matrix"), batch().x)])
    assert "effective_macs" not in operations_of[0]
    assert "W" in operations_of[1]["effective_macs"]
    assert operations_of[0]["parameter_count"] == 15


def test_modules_samples_states_and_losses_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match=r"returns \(2, 2\) for two samples, not \(2, 3\)"):
        built("Two")
    with pytest.raises(UserError, match=r"samples must be \(B, 5\)"):
        built().predict(torch.zeros(3, 4))
    with pytest.raises(UserError, match="does not fit"):
        built(arguments={"width": 9}).load_state_dict(built().state_dict())
    with pytest.raises(Divergence, match="update 0"):
        built().learn(Batch(batch().x * float("nan"), batch().y), Step(0, 1, 0))
    with pytest.raises(UserError, match=r"CNN cannot be made with model.arguments \(ValueError"):
        spec("model/cnn", layout="vector", jitter=0).build(Task("vector", (5,), 3), SEEDS, {}, CPU)
    with pytest.raises(
        UserError, match=r"cannot read samples of \(1, 1, 5\) .*With model.layout=vector they are \(5,\)"
    ):
        built("Net", Task("image", (1, 1, 5), 3))
    with pytest.raises(UserError, match=r"cannot read samples of \(7,\)"):
        built("Two", Task("vector", (7,), 3))


def test_a_module_that_drops_the_axis_of_a_single_sample_is_refused_before_training():
    with pytest.raises(UserError, match=r"returns \(3,\) for one sample, not \(1, 3\)"):
        built("Squeezed")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Probabilities", "returns probabilities.*should return logits"),
        ("Dropping", "gives equal samples different scores in evaluation.*training=self.training"),
        ("Centred", "depend on the other samples of its batch"),
    ],
)
def test_scores_that_are_probabilities_random_or_depend_on_other_samples_are_warned_of(name: str, sentence: str):
    """Before training alone, not each time that the trained module is loaded."""
    with warnings.catch_warnings(action="error"):
        learner = built(name)
    with pytest.warns(UserWarning, match=f"{name}.* {sentence}"):
        learner.start(NO_SAMPLES, None)


@pytest.mark.parametrize(
    ("name", "sentence"), [("Annealed", "has a state that is not in"), ("Collecting", "cannot be restored from")]
)
def test_a_module_that_its_state_dict_does_not_restore_is_warned_of_after_training(name: str, sentence: str):
    learner = built(name)
    learner.learn(batch(), Step(0, 1, 0))
    with pytest.warns(UserWarning, match=f"{name} {sentence} its state_dict"):
        learner.finalize(NO_SAMPLES, NO_SAMPLES, TrainingRecord())


def test_losses_of_a_module_with_scores_of_16_bits_are_summed_in_32():
    learner, some = built("Half"), batch()
    logits = learner.net(some.x).detach().double()
    expected = float(cross_entropy(logits, some.y, reduction="sum"))
    assert learner.measure(some).loss == pytest.approx(expected, rel=1e-6)
    assert learner.learn(some, Step(0, 1, 0)).loss == pytest.approx(expected, rel=1e-6)


def test_predictions_of_a_module_that_draws_random_numbers_follow_from_the_seed():
    one, other = built("Dropping"), built("Dropping")
    x = batch().x
    assert torch.equal(one.predict(x), other.predict(x))
    assert torch.equal(one.predict(x), one.predict(x))


@pytest.mark.parametrize(
    ("module", "remedy"),
    [
        ("__main__.Net", r"to a file, in a notebook with %%writefile mynet.py, and allow it: nb.allow\("),
        ("torch.nn.Linear", "NEUROBENCH_ALLOW=torch in the environment before neurobench is imported"),
        ("unknown_net.Net", r"--plugin unknown_net.py, or NEUROBENCH_ALLOW=unknown_net, or in Python nb.allow\("),
    ],
)
def test_a_class_that_is_not_allowed_is_refused_with_a_remedy_that_can_be_followed(module: str, remedy: str):
    with pytest.raises(BoundsError, match=remedy):
        spec("model/torch_module", module=module)


def test_modules_without_anything_to_learn_are_refused():
    with pytest.raises(UserError, match="Frozen has no parameters that are learned"):
        built("Frozen")
    with pytest.raises(UserError, match="Rounding returns scores that have no derivative"):
        built("Rounding").learn(batch(), Step(0, 1, 0))


def test_a_module_with_further_outputs_in_training_is_refused_at_the_first_update():
    with pytest.raises(UserError, match=r"returns tuple for a batch of 6 in training, not \(6, 3\)"):
        built("Auxiliary").learn(batch(), Step(0, 1, 0))


def test_parameters_that_are_not_learned_count_as_memory_only():
    figures, _ = total([operations(built("Backbone"), batch().x)])
    assert figures["parameter_count"] == 4 * 3 + 3
    assert figures["footprint_bytes"] == 4 * (5 * 4 + 4 + 4 * 3 + 3)


def test_a_batch_of_one_that_a_normalised_module_cannot_learn_from_is_refused_with_a_remedy():
    with pytest.raises(UserError, match=r"learn from a batch of 1 \(ValueError: .*\)\. Set a training\.batch_size"):
        built().learn(batch(1), Step(0, 1, 0))


def test_a_module_with_a_state_besides_tensors_is_restored():
    other = built("Versioned")
    other.load_state_dict(built("Versioned").state_dict())
    assert other.net.version == 2


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"module": f"{__name__}.NoModule"}, "is not a torch.nn.Module"),
        ({"module": f"{__name__}.Nett"}, "offers Net, ByKeyword, Masked, WithMask, Ternary, WithTernary, "),
        ({"module": "os.system"}, "module=os.system is not allowed"),
        ({"module": "Net"}, "is not the dotted name of a class"),
        ({"module": f"{__name__}.Net", "arguments": {"wide": 3}}, "unexpected keyword argument 'wide'"),
        ({"module": f"{__name__}.Net", "arguments": 3}, "arguments=3 is not a section of keys"),
        ({"optimizer": "adam", "momentum": 0.9}, "momentum=0.9 is for sgd and rmsprop"),
        ({"optimizer": "lion"}, "optimizer='lion' is not one of adam"),
        ({"layout": "vector", "jitter": 2}, "jitter=2 moves images"),
    ],
)
def test_wrong_modules_arguments_and_settings_are_refused_when_the_spec_is_read(changes, sentence):
    with pytest.raises(BoundsError, match=sentence.replace("(", r"\(")):
        spec("model/torch_module", **changes)


def test_a_class_that_an_allowed_module_only_imports_is_not_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    borrowing = ModuleType("borrowing")
    borrowing.Linear = nn.Linear  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "borrowing", borrowing)
    monkeypatch.setattr(targets, "ALLOWED", ("borrowing",))
    with pytest.raises(BoundsError, match="is defined in torch.nn.modules.linear, which is not allowed"):
        spec("model/torch_module", module="borrowing.Linear", arguments={"in_features": 5, "out_features": 3})


def test_threads_draw_the_same_numbers_at_the_same_time_as_one_after_the_other() -> None:
    def draw(seed: int) -> list[float]:
        with seeded(seed, CPU):
            return [float(torch.empty(()).uniform_()) for _ in range(500)]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(draw, range(8))) == [draw(seed) for seed in range(8)]
