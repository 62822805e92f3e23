"""The encoders as functions of samples. Settings are those of conf/encoder, with its defaults.

Samples are arrays or tensors, numbers in [0, 1]: vectors (N, D) or images (N, C, H, W); or recordings (`Events`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurobench.api.words import folder_of, override_words

if TYPE_CHECKING:
    from torch import Tensor

    from neurobench.data.events import Events, StoredEvents


def latency(x: Any, **settings: Any) -> Events:
    """Vectors or images as spikes: one event a value, the larger the earlier."""
    events: Events = encode("latency", x, **settings)
    return events


def rate(x: Any, **settings: Any) -> Events:
    """Vectors or images as Poisson spike trains, one a value."""
    events: Events = encode("rate", x, **settings)
    return events


def camera(x: Any, **settings: Any) -> StoredEvents:
    """Images (N, 1, 28, 28) as the fitted event camera records them."""
    events: StoredEvents = encode("camera", x, **settings)
    return events


def counts(x: Events | StoredEvents, **settings: Any) -> Tensor:
    """Recordings as images (N, C, H, W): events counted in time bins."""
    images: Tensor = encode("counts", x, **settings)
    return images


def raster(x: Any, **settings: Any) -> Tensor:
    """Vectors as pictures (N, 1, side, side): value i is a bright bar in band i."""
    images: Tensor = encode("raster", x, **settings)
    return images


def square(x: Any, **settings: Any) -> Tensor:
    """Vectors as pictures (N, 1, H, H): value i is place i of the smallest square that holds all, in rows."""
    images: Tensor = encode("square", x, **settings)
    return images


def flat(x: Any) -> Tensor:
    """Images as vectors (N, C * H * W)."""
    vectors: Tensor = encode("flat", x)
    return vectors


def encode(name: str, x: Any, *, config_dir: str | Path | None = None, **settings: Any) -> Any:
    """By an encoder's name, one of your own (NEUROBENCH_ALLOW, or a folder of YAML files) as well. Noise depends on a
    sample's position alone.

    Raises ConfigError for unknown settings and values out of bounds, UserError for samples that it does not read.
    """
    from neurobench.experiment.request import encoder_of
    from neurobench.experiment.samples import encoded, samples

    keys = {f"encoder.{key}": value for key, value in settings.items()}
    return encoded(samples(x), [encoder_of(override_words([f"encoder={name}"], keys), folder_of(config_dir))])
