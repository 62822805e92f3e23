"""Time to emulate the 70,000 recordings of N-MNIST, extrapolated from a sample of them.

The limit is 3 minutes on two cores, and a tenth of that on a GPU.
"""

import os
import resource
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numba
import numpy as np

from neurobench.data.camera.emulation import BLOCK, emulate, fastest
from neurobench.data.camera.parameters import Camera, read
from neurobench.data.mnist import checked_root
from neurobench.data.mnist import read as read_mnist
from tests.bench.gpu_records import note
from tests.bench.machine import print_machine

N, ROUNDS, ALL, LIMIT = 400, 5, 70_000, 180.0  # recordings per round, rounds, all recordings, limit in s on two cores
ON_GPU = LIMIT / 10


def main() -> None:
    print_machine()
    with checked_root(None) as root:
        images = read_mnist(root, train=True)[0].numpy()
    camera = read(None)
    emulate(camera, 0, images[:4], range(4))  # compile the kernels before the timing
    cores = os.cpu_count() or 1
    for threads in dict.fromkeys((1, min(2, numba.config.NUMBA_NUM_THREADS))):
        numba.set_num_threads(threads)
        wall, work = [], []
        for k in range(ROUNDS):
            own = range(k * N, (k + 1) * N)
            begun, spent = time.perf_counter(), time.process_time()
            codes, _ = emulate(camera, 0, images[own.start : own.stop], own)
            wall.append((time.perf_counter() - begun) / N)
            work.append((time.process_time() - spent) / N)
        per, cpu = statistics.median(wall), statistics.median(work)
        note("camera", device="cpu", threads=threads, rate=1 / per)
        print(
            f"{threads} of {cores} cores: {per * 1000:.2f} ms a recording, {cpu * 1000:.2f} ms of processor time; "
            f"70,000 take {per * ALL:.0f} s, {per * ALL / LIMIT:.0%} of the limit, "
            f"and {cpu * ALL / threads:.0f} s where nobody else computes; "
            f"{len(codes) / N / per / 1e6:.2f} million events/s"
        )
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, libraries included")
    if fastest() == "cpu":
        print("no GPU: not timed")
    else:
        on_gpu(camera, images, numba.config.NUMBA_NUM_THREADS)


def on_gpu(camera: Camera, images: np.ndarray, threads: int) -> None:
    """Time emulation on the GPU as when the store is filled: blocks of images, the CPU's part on all its threads."""
    numba.set_num_threads(threads)
    emulate(camera, 0, images[:BLOCK], range(BLOCK), device="cuda")
    wall = []
    for k in range(ROUNDS):
        own = range(k * BLOCK, (k + 1) * BLOCK)
        begun = time.perf_counter()
        emulate(camera, 0, images[own.start : own.stop], own, device="cuda")
        wall.append((time.perf_counter() - begun) / BLOCK)
    per = statistics.median(wall)
    note("camera", device="cuda", threads=threads, rate=1 / per)
    print(
        f"GPU and {threads} cores: {per * 1000:.3f} ms a recording; 70,000 take {per * ALL:.1f} s, "
        f"{per * ALL / ON_GPU:.0%} of the limit"
    )


if __name__ == "__main__":
    main()
