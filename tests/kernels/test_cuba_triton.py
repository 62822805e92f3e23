"""GPU kernels agree with the reference when run on a GPU, if there is one; see also test_interpreted."""

import pytest
import torch


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_computes_the_spikes_and_losses_of_the_cpu() -> None:
    from neurobench.models.learner import Seeds, Step, Task
    from tests.specs import spec

    split = spec("dataset/nmnist", validation=0).load(0).train.head(32)
    losses, trains = [], []
    for name in ("cpu", "cuda"):
        device = torch.device(name)
        devices = {"core": spec("backend/sim", "core").open(0, device)}
        model = spec("model/slayer_snn", hidden=(64, 64))
        one = model.build(Task("events", (2, 34, 34), 10), Seeds(0, 1, 2, 3), devices, device)
        trains.append(one.engine.run(one.arriving(split.batch(slice(None)).x), one.quantized).y.cpu())
        losses.append([one.learn(split.batch(slice(None)), Step(k, 3, 0)).loss for k in range(3)])
    assert trains[0].sum() > 0
    assert (trains[0] == trains[1]).all()
    assert losses[0][0] == pytest.approx(losses[1][0], rel=1e-6)
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)
