"""An event camera of 34 x 34 pixels that moves in front of a screen with one picture on it.

Samples are independent and their random numbers are functions of key and counter, so the events do not depend on the
number of threads. No fast-math: the same numbers give the same bytes.
"""

import numpy as np
from numba import njit, prange, uint32

from neurobench.kernels.logistic import uniform

SIDE = 34  # pixels of the camera, both ways
T_SHIFT, Y_SHIFT, X_SHIFT = 13, 7, 1  # of a coded event: 19 bits time in us, 6 row, 6 column, 1 polarity
LAST = (1 << 19) - 1  # us
_NOISE = 1 << 30  # where the counters of background draws begin; pixels have theirs below
_LATE = 1 << 31  # and those of what a saccade is late
REST = 1e-4  # log luminance: how close to the dark counts as dark


@njit(parallel=True, cache=True, error_model="numpy")
def emulate(
    images, screen, taps, first, base, path, eps, pixel, threshold, hot, keys, late, rests, chunks, codes, counts
):
    """Coded events of each picture, by time.

    images (B, 28, 28) uint8; screen (256,) float32: luminance of a grey level; taps (F, T) float32 and first (F,)
    int64: row f of the fine grid is sum_j taps[f, j] * screen row first[f] + j; base (SIDE^2, 2) float32: row and
    column on the fine grid of each pixel, the camera at 0; path (K, 2) float32: what is added at step k; eps:
    luminance of black. pixel (10,) float64: in the order of `neurobench.data.camera.prepare`; threshold (2, SIDE^2)
    float32: in log luminance, [0] brighter, [1] darker; hot (2 SIDE^2,) float64: cumulated share of background events,
    bit 0 first; keys (B, 2) uint32; late (B, S) float32: steps by which the saccades after the first are late, rests
    (S, 2) float32: between which steps the view rests before each; codes (B, capacity) uint32 and counts (B,) int64
    are written. A count above the capacity says that events were lost: call again with more.
    """
    for c in prange(chunks):
        fine = taps.shape[0]
        scene = np.empty((fine, fine), np.float32)
        partial = np.empty((fine, images.shape[2]), np.float32)
        state = np.empty((6, base.shape[0]), np.float32)
        fired = np.empty(base.shape[0], np.uint32)
        own = np.empty_like(path)
        for b in range(images.shape[0] * c // chunks, images.shape[0] * (c + 1) // chunks):
            look(images[b], screen, taps, first, eps, partial, scene)
            hesitate(path, late[b], rests, own)
            n = watch(scene, base, own, pixel, threshold, keys[b, 0], keys[b, 1], state, fired, codes[b])
            n = disturb(path.shape[0], pixel, hot, keys[b, 0], keys[b, 1], codes[b], n)
            counts[b] = n
            if n <= codes.shape[1]:
                codes[b, :n] = np.sort(codes[b, :n])


@njit(parallel=True, cache=True, error_model="numpy")
def stage(
    images, screen, taps, first, path, eps, pixel, hot, keys, late, rests, chunks, scenes, boxes, paths, codes, counts
):
    """All of `emulate` but the pixels, for a kernel that has them elsewhere: `neurobench.kernels.camera_triton`.

    scenes (B, F, F) float32, boxes (B, 4) float32 (see `lit`) and paths (B, K, 2) float32 are written, and the
    background into codes (B, capacity) and counts (B,).
    """
    for c in prange(chunks):
        partial = np.empty((taps.shape[0], images.shape[2]), np.float32)
        for b in range(images.shape[0] * c // chunks, images.shape[0] * (c + 1) // chunks):
            look(images[b], screen, taps, first, eps, partial, scenes[b])
            boxes[b, 0], boxes[b, 1], boxes[b, 2], boxes[b, 3] = lit(scenes[b], scenes[b, 0, 0])
            hesitate(path, late[b], rests, paths[b])
            counts[b] = disturb(path.shape[0], pixel, hot, keys[b, 0], keys[b, 1], codes[b], 0)


@njit(cache=True, error_model="numpy")
def look(image, screen, taps, first, eps, partial, scene):
    """scene (F, F) = log(luminance + eps) on the fine grid: optics blur the screen's square pixels, both ways alike."""
    for f in range(taps.shape[0]):
        partial[f] = 0
        for j in range(taps.shape[1]):
            row = first[f] + j
            if 0 <= row < image.shape[0]:
                for x in range(image.shape[1]):
                    partial[f, x] += taps[f, j] * screen[image[row, x]]
    for f in range(taps.shape[0]):
        for g in range(taps.shape[0]):
            total = np.float32(eps)
            for j in range(taps.shape[1]):
                column = first[g] + j
                if 0 <= column < image.shape[1]:
                    total += taps[g, j] * partial[f, column]
            scene[f, g] = np.log(total)


@njit(cache=True, error_model="numpy")
def lateness(keys, sd):
    """What each recording's saccades after the first are late: normal of mean 0.   keys (B, 2), sd (S,) -> (B, S)"""
    late = np.empty((keys.shape[0], sd.shape[0]), np.float32)
    for b in range(keys.shape[0]):
        for s in range(sd.shape[0]):
            late[b, s] = sd[s] * normal(uint32(_LATE + 2 * s), keys[b, 0], keys[b, 1])
    return late


@njit(cache=True, error_model="numpy")
def hesitate(path, late, rests, own):
    """own (K, 2) = path at k - D(k): D is 0 at first and late[s] once rest s is over; in a rest it changes evenly."""
    last = path.shape[0] - 1
    for k in range(path.shape[0]):
        by = np.float32(0)
        for s in range(late.shape[0]):
            share = (k - rests[s, 0]) / (rests[s, 1] - rests[s, 0])
            by += (late[s] - (late[s - 1] if s else np.float32(0))) * min(max(share, np.float32(0)), np.float32(1))
        at = min(max(np.float32(k) - by, np.float32(0)), np.float32(last))
        left = min(int(at), last - 1)
        for axis in range(2):
            own[k, axis] = path[left, axis] + (at - np.float32(left)) * (path[left + 1, axis] - path[left, axis])


@njit(cache=True)
def lit(scene, dark):
    """First and last row, first and last column between which anything differs from the dark, one point more each."""
    size = scene.shape[0]
    low, high, left, right = size, -1, size, -1
    for f in range(size):
        for g in range(size):
            if scene[f, g] != dark:
                low, high, left, right = min(low, f), max(high, f), min(left, g), max(right, g)
    return np.float32(low - 1), np.float32(high + 1), np.float32(left - 1), np.float32(right + 1)


@njit(cache=True, error_model="numpy")
def watch(scene, base, path, pixel, threshold, k0, k1, state, fired, codes):
    """Events of all pixels, step by step; returns how many there are.

    A pixel sees log luminance through a low-pass whose rate grows with it. Between steps its signal is a straight
    line, so the time of a crossing is exact. An event moves the reference by the threshold; then the pixel is blind
    for a while. Of what its signal moved meanwhile a share is lost, the rest it catches up on. Pixels that have come to
    rest in the dark are passed over.
    """
    dt, spread, jitter = pixel[0], pixel[2], pixel[3]
    rate, gain, event_noise, lost = pixel[4], pixel[5], pixel[6], np.float32(pixel[9])
    signal, reference, blind, rests, up, down = state[0], state[1], state[2], state[3], state[4], state[5]
    dark = np.float32(scene[0, 0])
    low, high, left, right = lit(scene, dark)
    n = 0
    edge = np.float32(scene.shape[0] - 1.001)
    for k in range(path.shape[0]):
        t0 = np.float32((k - 1) * dt)
        for i in range(base.shape[0]):
            u = min(max(base[i, 0] + path[k, 0], np.float32(0)), edge)
            v = min(max(base[i, 1] + path[k, 1], np.float32(0)), edge)
            outside = u < low or u > high or v < left or v > right
            if outside and k > 0 and rests[i] == 1:
                continue
            a, b = int(u), int(v)
            fu, fv = u - np.float32(a), v - np.float32(b)
            top = scene[a, b] + fv * (scene[a, b + 1] - scene[a, b])
            bottom = scene[a + 1, b] + fv * (scene[a + 1, b + 1] - scene[a + 1, b])
            seen = top + fu * (bottom - top)
            if k == 0:
                signal[i], fired[i], blind[i], rests[i] = seen, 0, -1, 0
                up[i], down[i] = threshold[0, i], threshold[1, i]
                offset = np.float32(uniform(uint32(i), k0, k1))
                reference[i] = seen - up[i] + offset * (up[i] + down[i])
                continue
            before = signal[i]
            speed = np.float32(dt) * np.float32(rate + gain * (seen - dark))
            now = before + (seen - before) * (speed / (1 + speed))
            if outside and abs(now - dark) < REST:
                now = dark
            signal[i] = now
            slope = (now - before) / np.float32(dt)
            t1 = t0 + np.float32(dt)
            rests[i] = 0
            while blind[i] < t1:
                t = max(blind[i], t0)
                level = before + slope * (t - t0)
                if blind[i] >= t0:  # it opens its eye within this step
                    reference[i] += lost * (level - reference[i])
                above, below = reference[i] + up[i], reference[i] - down[i]
                if below < level < above:
                    if now >= above:
                        t += (above - level) / slope
                    elif now <= below:
                        t += (below - level) / slope
                    else:
                        if outside and now == dark:
                            rests[i] = 1
                        break
                    darker = now <= below
                else:
                    darker = level <= below
                reference[i] = below if darker else above
                counter = uint32(uint32(i + 1) * uint32(2048) + fired[i] * uint32(4))
                fired[i] += uint32(1)
                late = -jitter * np.log(1 - uniform(counter, k0, k1))
                tail = -spread * np.log(1 - uniform(uint32(counter + uint32(1)), k0, k1))
                rest = tail + (pixel[8] if darker else pixel[1])
                blind[i] = max(t + np.float32(rest), np.float32(t + 1))
                if event_noise > 0:
                    z = np.float32(1 + event_noise * normal(uint32(counter + uint32(2)), k0, k1))
                    z = max(z, np.float32(0.1))
                    up[i], down[i] = threshold[0, i] * z, threshold[1, i] * z
                n = put(codes, n, t + late, i, darker)
    return n


@njit(cache=True, error_model="numpy")
def disturb(steps, pixel, hot, k0, k1, codes, n):
    """Background activity: a Poisson process over time, where `hot` says. Returns the new count."""
    per_us = pixel[7]
    if per_us <= 0:
        return n
    end = (steps - 1) * pixel[0]
    counter = uint32(_NOISE)
    t = 0.0
    while True:
        t -= np.log(1 - uniform(counter, k0, k1)) / per_us
        if t >= end:
            return n
        where = min(np.searchsorted(hot, uniform(uint32(counter + uint32(1)), k0, k1), "right"), hot.shape[0] - 1)
        n = put(codes, n, t, where % (SIDE * SIDE), where >= SIDE * SIDE)
        counter = uint32(counter + uint32(2))


@njit(cache=True)
def put(codes, n, t, i, darker):
    """Write event n if there is room. Returns n + 1."""
    if n < codes.shape[0]:
        us = min(max(int(t), 0), LAST)
        codes[n] = us << T_SHIFT | (i // SIDE) << Y_SHIFT | (i % SIDE) << X_SHIFT | (1 if darker else 0)
    return n + 1


@njit(cache=True, error_model="numpy")
def normal(counter, k0, k1):
    """A draw of the standard normal distribution, from counters c and c + 1 (Box and Muller 1958)."""
    u = 1 - np.float64(uniform(counter, k0, k1))
    angle = 2 * np.pi * uniform(uint32(counter + uint32(1)), k0, k1)
    return np.sqrt(-2 * np.log(u)) * np.cos(angle)


@njit(cache=True)
def gather(codes, begin, start, t, x, y, p):
    """Decode recordings that begin at `begin` (B,) of codes into start[k] to start[k + 1] of t int32, x, y, p uint8."""
    for k in range(begin.shape[0]):
        for e in range(start[k], start[k + 1]):
            code = codes[begin[k] + e - start[k]]
            t[e] = code >> uint32(T_SHIFT)
            y[e] = (code >> uint32(Y_SHIFT)) & uint32(63)
            x[e] = (code >> uint32(X_SHIFT)) & uint32(63)
            p[e] = code & uint32(1)
