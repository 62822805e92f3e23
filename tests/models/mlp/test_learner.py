"""The plain network: its gradient step against torch's own layers, resuming, counts, refusals."""

import pytest
import torch
from torch import nn

from neurobench.config.errors import UserError
from neurobench.data.dataset import Batch
from neurobench.models.learner import Divergence, Seeds, Step, Task
from neurobench.models.mlp.learner import MLPLearner, dropout, operations
from tests.specs import spec

TASK = Task("image", (2, 5, 4), 3)
SEEDS = Seeds(1, 2, 3, 4)


def built(hidden=7, **settings) -> MLPLearner:
    return spec("model/mlp", hidden=hidden, **settings).build(TASK, SEEDS, {}, torch.device("cpu"))


def batch(n=6, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return Batch(torch.rand(n, *TASK.shape, generator=draw), torch.randint(0, 3, (n,), generator=draw))


def test_the_mlp_learns_like_torchs_layers_under_torchs_adamw():
    learner = built(dropout=0.0, input_dropout=0.0, weight_decay=0.1, smoothing=0.1)
    net = nn.Sequential(nn.Flatten(), nn.Linear(40, 7), nn.ReLU(), nn.Linear(7, 3))
    names = {"hidden.weight": "1.weight", "hidden.bias": "1.bias", "out.weight": "3.weight", "out.bias": "3.bias"}
    net.load_state_dict({names[name]: part.detach().clone() for name, part in learner.params.items()})
    optimizer = torch.optim.AdamW(net.parameters(), lr=1.0, weight_decay=0.1)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, 8, cycle_momentum=False)
    for k in range(8):
        one = batch(seed=k)
        loss = nn.functional.cross_entropy(net(one.x), one.y, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        cycle.step() if k < 7 else None
        assert learner.learn(one, Step(k, 8, 0)).loss / 6 == pytest.approx(float(loss.detach()), rel=1e-4)
    x = batch(seed=9).x
    assert torch.allclose(learner.predict(x), net(x), atol=1e-5)


def test_dropout_preserves_the_mean_and_is_not_applied_to_predictions():
    learner = built(dropout=0.3, input_dropout=0.4)
    assert torch.equal(learner.predict(batch().x), learner.predict(batch().x))
    dropped = dropout(torch.ones(400, 500), 0.4, torch.Generator().manual_seed(0))
    assert float(dropped.mean()) == pytest.approx(1, abs=0.01)
    assert float((dropped == 0).float().mean()) == pytest.approx(0.4, abs=0.01)


def test_a_resumed_run_repeats_an_uninterrupted_one(tmp_path):
    whole, first, second = built(jitter=1), built(jitter=1), built(jitter=1)
    for k in range(6):
        whole.learn(batch(seed=k), Step(k, 6, 0))
    for k in range(3):
        first.learn(batch(seed=k), Step(k, 6, 0))
    torch.save(first.state_dict(), tmp_path / "state.pt")
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for k in range(3, 6):
        second.learn(batch(seed=k), Step(k, 6, 0))
    assert all(torch.equal(whole.params[name], second.params[name]) for name in whole.params)


def test_the_mlp_learns_three_patterns_and_counts_its_dense_operations():
    learner = built(dropout=0.0, input_dropout=0.0, lr=0.05)
    y = torch.arange(60) % 3
    x = torch.rand(60, *TASK.shape, generator=torch.Generator().manual_seed(0)) * 0.5
    x[torch.arange(60), 0, y, 0] += 1
    for k in range(60):
        learner.learn(Batch(x, y), Step(k, 60, 0))
    assert learner.measure(Batch(x, y)).correct == 60
    dense = sum(part.dense for part in operations(learner, x).connections)
    assert dense == 60 * (40 * 7 + 7 * 3)


def test_wrong_sample_shapes_foreign_states_and_divergence_are_reported():
    learner = built()
    with pytest.raises(UserError, match=r"samples must be \(B, 2, 5, 4\)"):
        learner.predict(torch.zeros(3, 1, 5, 4))
    with pytest.raises(UserError, match="does not fit"):
        built(hidden=8).load_state_dict(learner.state_dict())
    one = batch()
    with pytest.raises(Divergence, match="update 0"):
        learner.learn(Batch(one.x * float("nan"), one.y), Step(0, 1, 0))
