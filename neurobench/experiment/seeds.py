"""Every random stream of a run comes from its root seed."""

import numpy as np
import torch

from neurobench.models.learner import Seeds


def spawn(root: int) -> Seeds:
    """Independent seeds for data, init, training and device (numpy `SeedSequence.spawn`)."""
    words = [child.generate_state(1, np.uint64)[0] >> np.uint64(1) for child in np.random.SeedSequence(root).spawn(4)]
    data, init, training, device = (int(word) for word in words)
    return Seeds(data=data, init=init, training=training, device=device)


def epoch_order(n: int, seed: int, epoch: int) -> torch.Tensor:
    """The order of n samples in an epoch, (n,) int64. A function of seed and epoch alone, so a resumed epoch
    goes on in the same order."""
    return torch.from_numpy(np.random.default_rng([seed, epoch]).permutation(n))
