"""Adam against its authors' equations and torch's class, without importing what torch's class imports."""

import subprocess
import sys
from typing import Any

import pytest
import torch

from neurobench.models.common.training import at_rest, descend


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("fused", [False, True])
def test_adam_equals_the_authors_algorithm_and_torchs_class(decay: float, decoupled: bool, fused: bool) -> None:
    draw = torch.Generator().manual_seed(0)
    mine = [torch.randn(5, 3, generator=draw).double(), torch.randn(4, generator=draw).double()]
    by_hand = [p.clone() for p in mine]
    theirs = [p.clone().requires_grad_() for p in mine]
    adam = (torch.optim.AdamW if decoupled else torch.optim.Adam)(theirs, weight_decay=decay)
    moments, m, v = at_rest(mine), [0.0, 0.0], [0.0, 0.0]
    for t in range(1, 21):
        gradients = [torch.randn(p.shape, generator=draw).double() * 10.0**-t for p in mine]
        adam.param_groups[0]["lr"] = lr = 1.0 / t
        for i, (p, g) in enumerate(zip(by_hand, gradients, strict=True)):
            theirs[i].grad = g.clone()
            p -= lr * decay * p if decoupled else 0.0
            full = g if decoupled else g + decay * p
            m[i] = 0.9 * m[i] + 0.1 * full
            v[i] = 0.999 * v[i] + 0.001 * full**2
            p -= lr * (m[i] / (1 - 0.9**t)) / ((v[i] / (1 - 0.999**t)).sqrt() + 1e-8)
        adam.step()
        moments = descend(mine, gradients, moments, lr, weight_decay=decay, decoupled=decoupled, fused=fused)
    assert moments.t == 20
    for one, other, reference in zip(mine, by_hand, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(one, reference.detach(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("settings", "weight"),
    [
        ({}, 100.5),
        ({"fused": True}, 100.5),
        ({"weight_decay": 0.1}, 99.5),
        ({"weight_decay": 0.1, "decoupled": True}, 95.5),
    ],
)
def test_the_first_adam_step_is_lr_against_the_sign_of_the_gradient(settings: dict[str, Any], weight: float) -> None:
    """Gradient -7, of any size; coupled decay of p = 100 turns it to 3, decoupled decay subtracts lr 0.1 100 from p."""
    p = [torch.full((3,), 100.0, dtype=torch.float64)]
    descend(p, [torch.full((3,), -7.0, dtype=torch.float64)], at_rest(p), 0.5, **settings)
    assert p[0].tolist() == pytest.approx([weight] * 3)


def test_an_adam_step_does_not_import_torchs_dynamo() -> None:
    script = (
        "import sys, torch\nfrom neurobench.models.common.training import at_rest, descend\n"
        "p = [torch.zeros(3)]\ndescend(p, [torch.ones(3)], at_rest(p), 0.1)\n"
        "print('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.strip() == "False"
