"""The emulated camera: physics against closed forms, seeds, likeness to the real recordings, files and labels."""

import json
import math
import os
import subprocess
import sys
from dataclasses import replace

import numba
import numpy as np
import pytest
import torch

from neurobench.config.bounds import BoundsError
from neurobench.data.camera import emulation, recordings
from neurobench.data.camera.emulation import emulate, stored
from neurobench.data.camera.likeness import likeness, pairs, summary
from neurobench.data.camera.parameters import Camera, as_json, prepare, read
from neurobench.data.camera.recordings import recorded, write
from neurobench.data.dataset import DataError
from neurobench.kernels.camera import lateness
from tests.specs import spec

IDEAL = Camera(  # no noise, pixels that follow the light at once; the view moves right by 6 pixels in 100 ms
    gamma=1.0,
    black=0.1,
    blur=0.2,
    brighter=0.3,
    darker=0.3,
    mismatch=0.0,
    refractory=0.1,
    refractory_darker=0.1,
    refractory_tail=0.0,
    delay=0.0,
    rate=1e3,
    rate_gain=0.0,
    threshold_noise=0.0,
    lost=0.0,
    background=0.0,
    turn=((1.0, 0.0), (0.0, 1.0)),
    knots=(0.0, 100_000.0, 120_000.0),
    row=(3.0, 3.0, 3.0),
    column=(0.0, 6.0, 6.0),
)
EDGE = np.zeros((1, 28, 28), np.uint8)
EDGE[0, :, 14:] = 255  # dark on the left, white on the right


def fields(codes):
    return codes >> 13, codes >> 1 & 63, codes >> 7 & 63, codes & 1


def test_a_passing_edge_makes_as_many_events_as_thresholds_fit_into_its_contrast():
    codes, counts = emulate(IDEAL, 0, EDGE, [0])
    _, x, y, p = fields(codes)
    inside = (y > 6) & (y < 28)
    contrast = math.log(1.1 / 0.1)
    n = np.bincount(x[inside & (p == 1)], minlength=34) / 21
    # The edge moves right: columns 14 to 19 go from white to dark. References begin anywhere within a threshold.
    for column in range(15, 19):
        assert contrast / 0.3 - 1 <= n[column] <= contrast / 0.3 + 1
    assert n[:13].sum() == 0
    # The right end of the white on the screen is a second edge, dark to its right; only there does anything brighten.
    assert (x[inside & (p == 0)] >= 27).all()
    assert counts.sum() == len(codes)


def test_an_edge_reaches_each_column_at_the_time_given_by_the_path():
    t, x, y, p = fields(emulate(IDEAL, 0, EDGE, [0])[0])
    for column in (15, 17, 18):
        seen = np.median(t[(x == column) & (p == 1) & (y > 6) & (y < 28)])
        # The edge is at 13.5 in the image and at 13.5 + 6 t / 100 ms on the sensor; its middle in log luminance lies
        # where luminance is the geometric mean, within a fifth of a pixel (the blur) and a point of the fine grid.
        assert seen == pytest.approx((column - 13.5) / 6 * 100_000, abs=0.55 / 6 * 100_000)


def test_a_refractory_pixel_is_silent_and_catches_up():
    slow = replace(IDEAL, refractory=3000.0, refractory_darker=5000.0)
    t, x, y, p = fields(emulate(slow, 0, EDGE, [0])[0])
    for bit, least in ((0, 3000), (1, 5000)):
        gaps = [
            np.diff(t[(x == column) & (y == row) & (p == bit)].astype(int)) for row in (12, 18) for column in range(34)
        ]
        gaps = np.concatenate(gaps)
        assert len(gaps)
        assert gaps.min() >= least - 2
    dark = (p == 1) & (y > 6) & (y < 28) & (x == 15)
    assert dark.sum() / 21 == pytest.approx(math.log(11) / 0.3, abs=1)


def test_a_still_view_of_any_image_causes_only_background_events():
    still = replace(IDEAL, column=(3.0, 3.0, 3.0), background=0.001, hot=((3.0,) * 1156, (1.0,) * 1156))
    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8)
    codes, counts = emulate(still, 0, images, range(40))
    assert counts.mean() == pytest.approx(120, abs=4 * math.sqrt(120 / 40))
    t, x, y, p = fields(codes)
    assert p.mean() == pytest.approx(0.25, abs=0.03)
    assert (x.max(), y.max(), t.max() < 120_000) == (33, 33, True)


def test_a_pixel_does_not_catch_up_on_changes_lost_while_it_is_blind():
    """If all is lost, there is at most one event per refractory time, and none for motion during it."""
    slow = replace(IDEAL, refractory=8000.0, refractory_darker=8000.0)
    n = [len(emulate(replace(slow, lost=lost), 0, EDGE, [0])[0]) for lost in (0.0, 0.5, 1.0)]
    assert n[0] > n[1] > n[2] > 0
    _, x, y, p = fields(emulate(replace(slow, lost=1.0), 0, EDGE, [0])[0])
    # An edge passes a column within 17 ms, most of them while the pixel is blind: at most 3 of 8 thresholds are seen.
    assert ((p == 1) & (x == 15) & (y > 6) & (y < 28)).sum() <= 3 * 21


def test_a_late_saccade_makes_the_same_events_later():
    """Two saccades with a rest between; the second is 4 ms late in one recording and on time in the other."""
    camera = replace(
        IDEAL,
        knots=(0.0, 50_000.0, 100_000.0, 150_000.0, 170_000.0),
        row=(3.0,) * 5,
        column=(0.0, 3.0, 3.0, 6.0, 6.0),
        rests=((60_000.0, 90_000.0),),
        late=(2000.0,),
    )
    images = np.repeat(EDGE, 2, axis=0)
    codes, counts = emulate(camera, 0, images, [0, 0], np.array([[0.0], [4000.0]]))
    one, other = (fields(part)[0].astype(int) for part in np.split(codes, counts[:1]))
    assert counts[0] == counts[1]
    first = one < 75_000
    assert np.array_equal(one[first], other[first])
    assert np.abs(other[~first] - one[~first] - 4000).max() <= 1
    drawn = lateness(np.arange(20_000, dtype=np.uint32).reshape(-1, 2), np.array([2000.0, 500.0]))
    assert drawn.mean(0) == pytest.approx([0, 0], abs=60)
    assert drawn.std(0) == pytest.approx([2000, 500], rel=0.03)
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.04


def test_a_pixels_own_thresholds_decide_how_many_events_it_sends():
    logs = np.zeros((2, 34, 34))
    logs[:, :, 16] = math.log(2)
    camera = replace(IDEAL, pattern=tuple(map(tuple, logs.reshape(2, -1).tolist())))
    plain, own = (fields(emulate(c, 0, EDGE, [0])[0]) for c in (IDEAL, camera))
    of = [[((x == column) & (y > 6) & (y < 28)).sum() for column in (15, 16)] for _, x, y, _ in (plain, own)]
    assert of[1][0] == of[0][0]
    assert of[1][1] == pytest.approx(of[0][1] / 2, rel=0.15)
    with pytest.raises(BoundsError, match="expected none or 2 rows of 1156"):
        replace(IDEAL, pattern=((0.0,), (0.0,)))


def test_the_same_seed_gives_the_same_bytes_whatever_the_threads_and_the_other_images():
    images = np.random.default_rng(1).integers(0, 256, (9, 28, 28), np.uint8)
    camera = read(None)
    codes, counts = emulate(camera, 0, images, range(9))
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        again, _ = emulate(camera, 0, images, range(9))
        alone, n = emulate(camera, 0, images[4:5], [4])
    finally:
        numba.set_num_threads(before)
    assert np.array_equal(codes, again)
    first = counts[:4].sum()
    assert np.array_equal(codes[first : first + n[0]], alone)
    assert not np.array_equal(emulate(camera, 1, images[4:5], [4])[0], alone)
    assert not np.array_equal(emulate(camera, 0, images[4:5], [5])[0], alone)


def test_a_buffer_that_is_too_small_loses_nothing(monkeypatch):
    images = np.random.default_rng(1).integers(0, 256, (3, 28, 28), np.uint8)
    wide = emulate(read(None), 0, images, range(3))
    monkeypatch.setattr(emulation, "ROOM", 50)
    narrow = emulate(read(None), 0, images, range(3))
    assert all(np.array_equal(one, other) for one, other in zip(wide, narrow, strict=True))


def test_stored_recordings_equal_the_emulated_ones_and_are_made_only_once(cache, monkeypatch):
    images = np.random.default_rng(2).integers(0, 256, (7, 28, 28), np.uint8)
    camera = read(None)
    codes, counts = emulate(camera, 0, images, range(7))
    monkeypatch.setattr(emulation, "BLOCK", 3)
    kept = stored(camera, 0, images, range(7))
    assert kept.events.length.tolist() == counts.tolist()
    chosen = kept.events[torch.tensor([6, 0])]
    ends = counts.cumsum()
    expected = np.concatenate([codes[ends[5] :], codes[: ends[0]]])
    for got, want in zip((chosen.t, chosen.x, chosen.y, chosen.p), fields(expected), strict=True):
        assert np.array_equal(got.numpy(), want)
    assert chosen.start.tolist() == [0, counts[6], counts[6] + counts[0]]
    assert torch.equal(kept.events.only(np.array([6, 2]))[0:1].t, chosen[0:1].t)
    monkeypatch.setattr(emulation, "_make", lambda *_: pytest.fail("made twice"))
    assert stored(camera, 0, images, range(7)).sha256 == kept.sha256
    folder = next(path for path in (cache / "emulated").iterdir() if len(np.load(path / "length.npy")) == 7)
    (folder / "codes.u32").write_bytes(b"1234")
    with pytest.raises(DataError, match=r"contains 1 events, expected .* Remove it"):
        stored(camera, 0, images, range(7))


DAMAGE = [
    ("length.npy", b""), ("length.npy", b"\x93NUMPY"), ("codes.u32", b""), ("made.json", b""), ("made.json", b"[]"),
    ("made.json", b"{}"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content"), DAMAGE)
def test_damaged_files_of_stored_recordings_are_refused_with_their_folder_and_the_remedy(
    name, content, tmp_path, monkeypatch
):
    monkeypatch.setenv("NEUROBENCH_DATA", str(tmp_path))
    images = np.zeros((2, 28, 28), np.uint8)
    stored(read(None), 0, images, range(2))
    folder = next((tmp_path / "emulated").iterdir())
    (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{folder}: is damaged \(.+\)\. Remove it; it will be made again"):
        stored(read(None), 0, images, range(2))


def test_two_processes_that_make_the_same_recordings_both_read_them(tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROBENCH_DATA", str(tmp_path))
    images = np.zeros((2, 28, 28), np.uint8)
    first = stored(read(None), 0, images, range(2))
    folder = next((tmp_path / "emulated").iterdir())
    emulation._make(folder, read(None), 0, images, range(2))  # began before the other had finished
    assert [path.name for path in (tmp_path / "emulated").iterdir()] == [folder.name]
    assert stored(read(None), 0, images, range(2)).sha256 == first.sha256


def test_a_full_disk_is_named_as_the_reason_that_recordings_cannot_be_stored(tmp_path):
    program = (
        "import resource, numpy as np\n"
        "from neurobench.data.camera.emulation import stored\n"
        "from neurobench.data.camera.parameters import read\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "images = np.random.default_rng(0).integers(0, 256, (9, 28, 28), np.uint8)\n"
        "stored(read(None), 0, images, range(9))\n"
    )
    environment = {**os.environ, "NEUROBENCH_DATA": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert "emulated recordings cannot be written (File too large; 0 MB are needed). Make room" in run.stderr
    assert [*(tmp_path / "emulated").iterdir()] == []


def test_recordings_are_made_on_the_fastest_device_and_record_its_name(cache, monkeypatch):
    """A GPU makes the same bytes (tests/kernels/test_interpreted.py), so the folder does not depend on the device."""
    images = np.random.default_rng(3).integers(0, 256, (2, 28, 28), np.uint8)
    camera, launched = read(None), []
    monkeypatch.setattr(emulation, "fastest", lambda: "cuda")
    monkeypatch.setattr(emulation, "emulate", lambda *args, device: launched.append(device) or emulate(*args))
    kept = stored(camera, 0, images, range(2))
    assert launched == ["cuda"]
    assert kept.events.length.tolist() == emulate(camera, 0, images, range(2))[1].tolist()
    records = [json.loads(path.read_text()) for path in (cache / "emulated").glob("*/made.json")]
    assert [each["device"] for each in records if each["sha256"] == kept.sha256] == ["cuda"]
    monkeypatch.setattr(emulation, "fastest", lambda: "cpu")
    assert stored(camera, 0, images, range(2)).sha256 == kept.sha256
    assert launched == ["cuda"]


@pytest.fixture(scope="module")
def both():
    return pairs(train=True, n=120)


def test_the_shipped_cameras_similarity_to_the_real_recordings_is_as_the_readme_states(both):
    real, made = (summary(each) for each in both)
    assert made.events.mean() == pytest.approx(real.events.mean(), rel=0.03)
    assert np.abs(made.curve.sum(0) - real.curve.sum(0)).sum() < 0.06 * real.curve.sum()
    assert np.abs(made.pixels.sum(0) - real.pixels.sum(0)).sum() < 0.08 * real.pixels.sum()
    rows = {row[0].strip(): row[3] for row in likeness(real, made)}
    assert float(rows["polarities together"].split()[-1]) > 0.97
    assert float(rows["maps of 10 ms"].split()[-1]) > 0.74


def test_polarity_bit_1_means_darker_in_the_real_recordings(both):
    """If it were the other way round, the polarities of real and emulated events would not agree at all."""
    real, made = (summary(each).maps.reshape(120, 32, 2, -1) for each in both)
    signed = [(maps[:, :, 0] - maps[:, :, 1]).ravel() for maps in (real, made)]
    assert np.corrcoef(*signed)[0, 1] > 0.6


def test_files_are_read_back_as_emulated_recordings(tmp_path):
    write(str(tmp_path), 12, 3, 0)
    splits = spec("dataset/nmnist", root=str(tmp_path), validation=2).load(0)
    assert splits.emulated
    assert splits.evaluated_on == "emulated recordings, the first 3 of the 10,000 official test recordings"
    _, made = pairs(train=True, n=12)
    for k, number in enumerate(splits.train.ids.tolist()):
        one, other = splits.train.x[k : k + 1], made[number : number + 1]
        assert torch.equal(one.t, other.t)
        assert torch.equal(one.p, other.p)
    with pytest.raises(DataError, match="is not empty"):
        write(str(tmp_path), 1, 1, 0)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("nmnist_folds", {"root": ""}),
        ("events_folder", {"root": "NMNIST"}),
        ("events_folder", {"root": "NMNIST/Train"}),
        ("tonic", {"root": "", "set": "NMNIST"}),
    ],
)
@pytest.mark.filterwarnings("ignore:.*(other files are ignored|no test sample is of class)")
def test_emulated_recordings_are_labelled_as_such_whatever_data_set_reads_them(name, fields, emulated_root):
    splits = spec(f"dataset/{name}", **{**fields, "root": str(emulated_root / fields["root"])}).load(0)
    assert splits.emulated
    assert splits.evaluated_on.startswith("emulated recordings, ")


@pytest.fixture(scope="module")
def emulated_root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("emulated")
    write(str(folder), 60, 20, 0)
    return folder


def test_real_recordings_may_be_tested_only_if_their_images_are_left_out_of_training():
    with pytest.raises(BoundsError, match="leave out 1000"):
        spec("dataset/nmnist_emulated", leave_out=999)
    assert spec("dataset/nmnist_emulated", leave_out=0, recorded=False).leave_out == 0
    with pytest.raises(BoundsError, match="validation=59000 is not below 59000"):
        spec("dataset/nmnist_emulated", validation=59_000)
    real = recorded()
    assert len(real) == 1100
    one, two = spec("dataset/nmnist", validation=0).load(0).train, spec("dataset/nmnist", validation=0).load(0).test
    assert torch.equal(real.x[1000:1001].t, two.x[0:1].t)
    assert torch.equal(real.x[999:1000].t, one.x[999:1000].t)
    assert torch.equal(real.y, torch.cat([one.y, two.y]))


def test_emulated_splits_are_labelled_as_such_and_contain_no_recorded_image(monkeypatch):
    """The data set itself, at a fiftieth of its size."""
    whole = recordings.read_mnist

    def few(root, train):
        images, labels = whole(root, train)
        return (images[:1200], labels[:1200]) if train else (images[:200], labels[:200])

    monkeypatch.setattr(recordings, "read_mnist", few)
    monkeypatch.setattr(recordings, "N_TRAIN", 1200)
    monkeypatch.setattr(recordings, "N_TEST", 200)
    splits = spec("dataset/nmnist_emulated", validation=50).load(0)
    assert splits.emulated
    assert "emulated" in splits.source
    assert "emulated" in splits.evaluated_on
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (150, 50, 200)
    shown = torch.cat([splits.train.ids, splits.validation.ids])
    assert sorted(shown.tolist()) == list(range(1000, 1200))
    batch = splits.train.batch(torch.tensor([5, 1]))
    assert len(batch.x) == 2


def test_a_camera_is_read_back_from_its_file_and_an_incomplete_file_is_refused(tmp_path):
    file = tmp_path / "camera.json"
    file.write_text(as_json(read(None)))
    assert read(str(file)) == read(None)
    file.write_text('{"gamma": 1}')
    with pytest.raises(DataError, match="is not a camera"):
        read(str(file))
    assert prepare(IDEAL, 0).path.shape == (61, 2)
