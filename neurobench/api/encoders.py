"""Encoders as functions of samples. Settings and their defaults are those of conf/encoder.

Samples are arrays or tensors of numbers in [0, 1]: vectors (N, D) or images (N, C, H, W); or recordings (`Events`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurobench.api.overrides import folder_of, override_words
from neurobench.api.torch_state import usual_torch

if TYPE_CHECKING:
    from torch import Tensor

    from neurobench.data.events import Events, StoredEvents


def latency(x: Any, **settings: Any) -> Events:
    """Encode vectors or images as spikes: one event per value, earlier for larger values."""
    events: Events = encode("latency", x, **settings)
    return events


def rate(x: Any, **settings: Any) -> Events:
    """Encode vectors or images as Poisson spike trains, one per value."""
    events: Events = encode("rate", x, **settings)
    return events


def camera(x: Any, **settings: Any) -> StoredEvents:
    """Encode images (N, 1, 28, 28) as the fitted event camera records them."""
    events: StoredEvents = encode("camera", x, **settings)
    return events


def counts(x: Events | StoredEvents, **settings: Any) -> Tensor:
    """Convert recordings to images (N, C, H, W): events counted in time bins."""
    images: Tensor = encode("counts", x, **settings)
    return images


def raster(x: Any, **settings: Any) -> Tensor:
    """Convert vectors to pictures (N, 1, side, side): value i is a bright bar in band i."""
    images: Tensor = encode("raster", x, **settings)
    return images


def square(x: Any, **settings: Any) -> Tensor:
    """Convert vectors to pictures (N, 1, H, H): value i fills place i, in rows, of the smallest square for all."""
    images: Tensor = encode("square", x, **settings)
    return images


def flat(x: Any) -> Tensor:
    """Flatten images to vectors (N, C * H * W)."""
    vectors: Tensor = encode("flat", x)
    return vectors


@usual_torch()
def encode(name: str, x: Any, *, config_dir: str | Path | None = None, **settings: Any) -> Any:
    """Apply the encoder of this name, which may be your own (NEUROBENCH_ALLOW, or a folder of YAML files). Noise
    depends only on a sample's position.

    Raises ConfigError if a setting is unknown or out of bounds, UserError if the encoder does not accept the samples.
    """
    from neurobench.experiment.request import encoder_of
    from neurobench.experiment.samples import encoded, samples

    keys = {f"encoder.{key}": value for key, value in settings.items()}
    return encoded(samples(x), [encoder_of(override_words([f"encoder={name}"], keys), folder_of(config_dir))])
