"""An event camera of 34 x 34 pixels that moves in front of a screen with one picture on it.

Samples are independent and their random numbers are functions of key and counter, so the events do not depend on the
number of threads. No fast-math: the same numbers give the same bytes.
"""

from typing import NamedTuple

import numpy as np
from numba import prange, uint32

from neurobench.kernels.coded_events import SIDE, append_event
from neurobench.kernels.jit import njit
from neurobench.kernels.logistic import uniform

_BACKGROUND = 1 << 30  # first counter of background draws; those of pixels lie below
_LATENESS = 1 << 31  # first counter of the draws for saccades' lateness
NEAR_DARK = 1e-4  # log luminance: a signal this close to the dark counts as dark


class Prepared(NamedTuple):
    """A camera's arrays. Row f of its fine grid is sum_j taps[f, j] * screen row first[f] + j; columns alike."""

    screen: np.ndarray  # (256,) float32 luminance of each grey level
    taps: np.ndarray  # (F, T) float32
    first: np.ndarray  # (F,) int64
    black: np.float32  # luminance of black
    path: np.ndarray  # (K, 2) float32, in points of the fine grid: added to a pixel's position at step k
    rests: np.ndarray  # (S, 2) float32, begin and end, in steps, of the view's rest before each saccade but the first
    base: np.ndarray  # (SIDE^2, 2) float32 row and column of each pixel on the fine grid with the camera at 0
    threshold: np.ndarray  # (2, SIDE^2) float32 log luminance, [0] brighter, [1] darker
    hot: np.ndarray  # (2 SIDE^2,) float64 cumulative share of background events, polarity 0 first
    # Shared by all pixels, float64; explained in `neurobench.data.camera.parameters`.
    dt: float  # us per step
    refractory: float
    refractory_tail: float
    delay: float
    rate: float
    rate_gain: float
    threshold_noise: float
    background: float
    refractory_darker: float
    lost: float


class Shown(NamedTuple):
    """Pictures of the recordings, and the timing of their saccades."""

    images: np.ndarray  # (B, 28, 28) uint8
    keys: np.ndarray  # (B, 2) uint32, keys of the random numbers
    late: np.ndarray  # (B, S) float32 steps by which the saccades after the first are late


class PixelState(NamedTuple):
    """State of the pixels in one recording, (SIDE^2,) float32 each."""

    signal: np.ndarray  # filtered log luminance
    reference: np.ndarray  # log luminance of the last event
    blind: np.ndarray  # us, the end of the refractory time
    resting: np.ndarray  # 1 if the signal has come to rest in the dark
    up: np.ndarray  # threshold of the next event for brighter
    down: np.ndarray  # and for darker
    fired: np.ndarray  # uint32 events so far


@njit(parallel=True, cache=True, error_model="numpy")
def emulate(shown, camera, chunks, codes, counts):
    """Write each recording's coded events, sorted by time: codes (B, capacity) uint32 and counts (B,) int64.

    A count above the capacity means that events were lost: call again with a larger one.
    """
    images, keys, late = shown
    for c in prange(chunks):
        fine, pixels = camera.taps.shape[0], camera.base.shape[0]
        scene = np.empty((fine, fine), np.float32)
        partial = np.empty((fine, images.shape[2]), np.float32)
        s = np.empty((6, pixels), np.float32)
        state = PixelState(s[0], s[1], s[2], s[3], s[4], s[5], np.empty(pixels, np.uint32))
        jittered = np.empty_like(camera.path)
        for b in range(images.shape[0] * c // chunks, images.shape[0] * (c + 1) // chunks):
            key = keys[b, 0], keys[b, 1]
            render(images[b], camera, partial, scene)
            jitter_path(camera, late[b], jittered)
            n = simulate_pixels(scene, jittered, camera, key, state, codes[b])
            n = add_background(camera, key, codes[b], n)
            counts[b] = n
            if n <= codes.shape[1]:
                codes[b, :n] = np.sort(codes[b, :n])


@njit(parallel=True, cache=True, error_model="numpy")
def prepare_gpu(shown, camera, chunks, scenes, bounds, paths, codes, counts):
    """Do all of `emulate` but the pixels, for `neurobench.kernels.camera_triton`.

    Written: scenes (B, F, F) float32, bounds (B, 4) float32 (see `lit_bounds`), paths (B, K, 2) float32; codes and
    counts of the background.
    """
    images, keys, late = shown
    for c in prange(chunks):
        partial = np.empty((camera.taps.shape[0], images.shape[2]), np.float32)
        for b in range(images.shape[0] * c // chunks, images.shape[0] * (c + 1) // chunks):
            render(images[b], camera, partial, scenes[b])
            bounds[b, 0], bounds[b, 1], bounds[b, 2], bounds[b, 3] = lit_bounds(scenes[b], scenes[b, 0, 0])
            jitter_path(camera, late[b], paths[b])
            counts[b] = add_background(camera, (keys[b, 0], keys[b, 1]), codes[b], 0)


@njit(inner=True, cache=True, error_model="numpy")
def render(image, camera, partial, scene):
    """Write scene (F, F) = log(luminance + black) on the fine grid: optics blur the screen's square pixels."""
    screen, taps, first = camera.screen, camera.taps, camera.first
    for f in range(taps.shape[0]):
        partial[f] = 0
        for j in range(taps.shape[1]):
            row = first[f] + j
            if 0 <= row < image.shape[0]:
                for x in range(image.shape[1]):
                    partial[f, x] += taps[f, j] * screen[image[row, x]]
    for f in range(taps.shape[0]):
        for g in range(taps.shape[0]):
            total = np.float32(camera.black)
            for j in range(taps.shape[1]):
                column = first[g] + j
                if 0 <= column < image.shape[1]:
                    total += taps[g, j] * partial[f, column]
            scene[f, g] = np.log(total)


@njit(cache=True, error_model="numpy")
def lateness(keys, sd):
    """Draw how late each recording's saccades after the first are, mean 0.   keys (B, 2), normal sd (S,) -> (B, S)"""
    late = np.empty((keys.shape[0], sd.shape[0]), np.float32)
    for b in range(keys.shape[0]):
        for s in range(sd.shape[0]):
            late[b, s] = sd[s] * normal(uint32(_LATENESS + 2 * s), keys[b, 0], keys[b, 1])
    return late


@njit(inner=True, cache=True, error_model="numpy")
def jitter_path(camera, late, jittered):
    """jittered (K, 2) = path at k - D(k): D is 0 at first, late[s] once rest s is over, and linear within a rest."""
    path, rests = camera.path, camera.rests
    last = path.shape[0] - 1
    for k in range(path.shape[0]):
        by = np.float32(0)
        for s in range(late.shape[0]):
            share = (k - rests[s, 0]) / (rests[s, 1] - rests[s, 0])
            by += (late[s] - (late[s - 1] if s else np.float32(0))) * min(max(share, np.float32(0)), np.float32(1))
        at = min(max(np.float32(k) - by, np.float32(0)), np.float32(last))
        left = min(int(at), last - 1)
        for axis in range(2):
            jittered[k, axis] = path[left, axis] + (at - np.float32(left)) * (path[left + 1, axis] - path[left, axis])


@njit(inner=True, cache=True)
def lit_bounds(scene, dark):
    """First and last row, first and last column that differ from the dark anywhere, each one point further out."""
    size = scene.shape[0]
    low, high, left, right = size, -1, size, -1
    for f in range(size):
        for g in range(size):
            if scene[f, g] != dark:
                low, high, left, right = min(low, f), max(high, f), min(left, g), max(right, g)
    return np.float32(low - 1), np.float32(high + 1), np.float32(left - 1), np.float32(right + 1)


@njit(inner=True, cache=True, error_model="numpy")
def simulate_pixels(scene, path, camera, key, state, codes):
    """Write the events of all pixels, step by step; returns their number.

    A pixel sees log luminance through a low-pass whose rate grows with it. Between steps its signal is a straight
    line, so the time of a crossing is exact. Pixels that have come to rest in the dark are skipped.
    """
    base, threshold = camera.base, camera.threshold
    signal, reference, blind, resting, up, down, fired = state  # a field read in the loop would cost a reference count
    dt, rate, gain = np.float32(camera.dt), camera.rate, camera.rate_gain
    dark = np.float32(scene[0, 0])
    low, high, left, right = lit_bounds(scene, dark)
    edge = np.float32(scene.shape[0] - 1.001)
    n = 0
    for k in range(path.shape[0]):
        t0 = np.float32((k - 1) * camera.dt)
        t1 = t0 + dt
        for i in range(base.shape[0]):
            u = min(max(base[i, 0] + path[k, 0], np.float32(0)), edge)
            v = min(max(base[i, 1] + path[k, 1], np.float32(0)), edge)
            outside = u < low or u > high or v < left or v > right
            if outside and k > 0 and resting[i] == 1:
                continue
            a, b = int(u), int(v)
            fu, fv = u - np.float32(a), v - np.float32(b)
            top = scene[a, b] + fv * (scene[a, b + 1] - scene[a, b])
            bottom = scene[a + 1, b] + fv * (scene[a + 1, b + 1] - scene[a + 1, b])
            seen = top + fu * (bottom - top)
            if k == 0:
                signal[i], fired[i], blind[i], resting[i] = seen, 0, -1, 0
                up[i], down[i] = threshold[0, i], threshold[1, i]
                offset = np.float32(uniform(uint32(i), key[0], key[1]))
                reference[i] = seen - up[i] + offset * (up[i] + down[i])
                continue
            before = signal[i]
            speed = dt * np.float32(rate + gain * (seen - dark))
            now = before + (seen - before) * (speed / (1 + speed))
            if outside and abs(now - dark) < NEAR_DARK:
                now = dark
            at_rest = outside and now == dark
            signal[i], resting[i] = now, 0
            if blind[i] < t0:
                above, below = reference[i] + up[i], reference[i] - down[i]
                if below < before < above and below < now < above:  # most often: no event
                    resting[i] = at_rest
                    continue
            if blind[i] < t1:
                segment = before, now, (now - before) / dt, t0, t1, at_rest
                n = _add_events(i, segment, camera, key, state, codes, n)
    return n


@njit(cache=True, error_model="numpy", inline="always")  # a call would copy and refcount all arrays: 13 % of the time
def _add_events(i, segment, camera, key, state, codes, n):
    """Write pixel i's events within a step, from t0 to t1 in us, where its signal is linear. Returns the new count.

    An event moves the reference by the threshold; then the pixel is blind for a while. A share of its signal's change
    in that time is lost; it catches up on the rest.
    """
    (before, now, slope, t0, t1, at_rest), (k0, k1) = segment, key
    reference, blind, up, down, fired = state.reference, state.blind, state.up, state.down, state.fired
    while blind[i] < t1:
        begin = max(blind[i], t0)
        level = before + slope * (begin - t0)
        if blind[i] >= t0:  # the refractory time ends within this step
            reference[i] += np.float32(camera.lost) * (level - reference[i])
        above, below = reference[i] + up[i], reference[i] - down[i]
        t, darker = np.float64(begin), level <= below
        if below < level < above:
            if below < now < above:
                state.resting[i] = at_rest
                break
            darker = now <= below
            t += ((below if darker else above) - level) / slope
        reference[i] = below if darker else above
        counter = uint32(uint32(i + 1) * uint32(2048) + fired[i] * uint32(4))
        fired[i] += uint32(1)
        delay = -camera.delay * np.log(1 - uniform(counter, k0, k1))
        tail = -camera.refractory_tail * np.log(1 - uniform(uint32(counter + uint32(1)), k0, k1))
        refractory = tail + (camera.refractory_darker if darker else camera.refractory)
        blind[i] = max(t + np.float32(refractory), np.float32(t + 1))
        if camera.threshold_noise > 0:
            z = np.float32(1 + camera.threshold_noise * normal(uint32(counter + uint32(2)), k0, k1))
            z = max(z, np.float32(0.1))
            up[i], down[i] = camera.threshold[0, i] * z, camera.threshold[1, i] * z
        n = append_event(codes, n, t + delay, i, darker)
    return n


@njit(inner=True, cache=True, error_model="numpy")
def add_background(camera, key, codes, n):
    """Write background activity: a Poisson process over time, distributed as in `hot`. Returns the new count."""
    hot, (k0, k1) = camera.hot, key
    if camera.background <= 0:
        return n
    counter = uint32(_BACKGROUND)
    t = 0.0
    while True:
        t -= np.log(1 - uniform(counter, k0, k1)) / camera.background
        if t >= (camera.path.shape[0] - 1) * camera.dt:
            return n
        where = min(np.searchsorted(hot, uniform(uint32(counter + uint32(1)), k0, k1), "right"), hot.shape[0] - 1)
        n = append_event(codes, n, t, where % (SIDE * SIDE), where >= SIDE * SIDE)
        counter = uint32(counter + uint32(2))


@njit(inner=True, cache=True, error_model="numpy")
def normal(counter, k0, k1):
    """Standard normal draw from counters c and c + 1 (Box and Muller 1958)."""
    u = 1 - np.float64(uniform(counter, k0, k1))
    angle = 2 * np.pi * uniform(uint32(counter + uint32(1)), k0, k1)
    return np.sqrt(-2 * np.log(u)) * np.cos(angle)
