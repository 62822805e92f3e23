"""Every random stream of a run comes from its root seed."""

import numpy as np

from neurobench.models.learner import Seeds


def spawn(root: int) -> Seeds:
    """Independent seeds for data, init, training and device (numpy `SeedSequence.spawn`)."""
    words = [child.generate_state(1, np.uint64)[0] >> np.uint64(1) for child in np.random.SeedSequence(root).spawn(4)]
    data, init, training, device = (int(word) for word in words)
    return Seeds(data=data, init=init, training=training, device=device)
