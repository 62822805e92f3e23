"""Check, imported by test_interpreted with TRITON_INTERPRET=1: the shipped camera, and one that needs a second call.

No event may differ. "cpu" runs the compiled kernel; "cpu:0", torch's other name of the same device, Triton's kernel.
"""

from dataclasses import replace

import numpy as np

from neurobench.data.camera import emulation
from neurobench.data.camera.emulation import emulate
from neurobench.data.camera.parameters import Camera, read
from neurobench.data.mnist import checked_root
from neurobench.data.mnist import read as read_mnist
from neurobench.kernels import camera_triton

with checked_root(None) as root:
    images = read_mnist(root, train=False)[0][:2].numpy()


def check(camera: Camera, images: np.ndarray, width: int) -> None:
    camera_triton.WIDTH = width  # the interpreter's time depends on programs, not on pixels
    ids = range(7, 7 + len(images))
    reference, ours = (emulate(camera, 3, images, ids, device=device) for device in ("cpu", "cpu:0"))
    assert reference[1].min() > 100
    for one, other in zip(ours, reference, strict=True):
        np.testing.assert_array_equal(one, other)


fitted = read(None)
assert min(fitted.threshold_noise, fitted.lost, fitted.background, fitted.delay, fitted.refractory_tail) > 0
n = sum(knot <= 40_000.0 for knot in fitted.knots)
begin = {name: getattr(fitted, name)[:n] for name in ("knots", "row", "column")}
check(replace(fitted, **begin, rests=(), late=()), images[:1], 2048)
# Within 24 ms: two recordings that resume after a rest at different times, at which each resumes drawing thresholds.
path = {"knots": (0.0, 8_000.0, 14_000.0, 24_000.0), "row": (0.0, 2.0, 2.0, 3.0), "column": (1.0, 3.0, 3.0, 3.0)}
rested = replace(fitted, **path, rests=((8_000.0, 14_000.0),), late=(2_000.0,))
check(rested, images, 2048)
# The same without drawing thresholds: several programs for each recording, and less room than events.
# Thresholds are so small that events show a signal's last bits, and whether it comes to rest in the dark.
emulation.ROOM = 50
check(replace(rested, threshold_noise=0.0, brighter=3e-4, darker=2e-4), images, 1024)
print("agree")
