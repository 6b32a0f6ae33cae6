"""Training material: squares cut from labelled and unlabelled patches at random scales, with what is
known of their clouds, and what is done to them so that a network learns clouds and not the scenes."""
import collections
import dataclasses
import multiprocessing
import os
import pathlib

import numpy as np

from simulate import covered, overcast
from teachers import ALL, SIDE, Both, mirrored, turn

MIX = {"clear": 0.40, "snow": 0.08, "mixed": 0.36, "cloudy": 0.16}  # of all squares


@dataclasses.dataclass
class Patch:
    name: str
    image: np.ndarray  # 6 x H x W reflectance at the top of the atmosphere
    cloud: np.ndarray  # H x W, 0 … 1: a person's label, or what the teachers say
    known: np.ndarray  # H x W, 0 or 1
    labelled: bool
    kind: str = ""


def load(path):
    with np.load(path) as z:
        bands, pixels, label = list(z["bands"]), z["img"].astype(np.float32) / 1e4, z["cloud"]
    if bands != ALL:
        return None
    return Patch(path.stem, np.ascontiguousarray(pixels.transpose(2, 0, 1)), (label == 1).astype(np.float32),
                 ((label != 255) & (pixels != 0).any(2)).astype(np.float32), bool((label != 255).any()))


def kind(patch, cloud):
    """Which of MIX a patch counts as."""
    h, w = (min(SIDE, n) for n in patch.cloud.shape)
    image, cloud = patch.image[:, :h, :w], cloud[:h, :w]
    seen = (image != 0).any(0)
    share, (_, green, _, _, swir, _) = cloud[seen].mean(), image[:, seen]
    if share < 0.05:
        return "snow" if np.mean((green > 0.3) & (green - swir > 0.4 * (green + swir))) > 0.3 else "clear"
    return "mixed" if share < 0.6 else "cloudy"


def sure(p):
    """What the teachers' mean is taken for. It agrees best with the labelled patches when cut between 0.6
    and 0.7; what lies far from that is certain."""
    return np.clip((p - 0.5) / 0.3, 0, 1)


def begin(teachers):
    """Each process has teachers of its own."""
    global ask
    ask = Both(*teachers)


def loaded(path):
    patch = load(path)
    if patch:
        h, w = patch.cloud.shape
        patch.kind = kind(patch, patch.cloud if patch.labelled else sure(ask(patch.image[:, mirrored(0, h)][:, :, mirrored(0, w)])))
    return patch


def drawn(seed, i, patch):
    return np.concatenate(square(np.random.default_rng((seed, i)), patch), dtype=np.float16)


def sampler(rng, n, scale):
    """SIDE x n: the weights with which pixels of a line make up those of a square, as a coarser or finer
    sensor would see it. Beyond the patch lies its mirror image."""
    at = rng.uniform(0, n) + (np.arange(SIDE) + 0.5) * scale - 0.5
    out, taps = np.zeros((SIDE, n), np.float32), max(1, round(2 * scale))
    for t in range(taps):
        x = at + ((t + 0.5) / taps - 0.5) * scale
        low = np.floor(x).astype(int)
        for i, weight in ((low, 1 - (x - low)), (low + 1, x - low)):
            j = i % (2 * n)
            np.add.at(out, (np.arange(SIDE), np.where(j < n, j, 2 * n - 1 - j)), weight / taps)
    return out


def square(rng, p):
    """One square of a patch: reflectance, cloud, and how much each pixel counts."""
    scale = 2 ** rng.uniform(-0.8, 1)
    rows, columns = sampler(rng, p.cloud.shape[0], scale), sampler(rng, p.cloud.shape[1], scale)
    image, known = weathered(rng, rows @ p.image @ columns.T), (rows @ p.known @ columns.T > 0.99).astype(np.float32)
    if p.labelled:
        cloud = rows @ p.cloud @ columns.T
        # One patch is not to outweigh the teachers where six bands hardly tell: cold cloud and snow.
        known *= (1 - np.abs(cloud - ask(image))) ** 2
    else:
        known = (rows @ (p.image != 0).all(0).astype(np.float32) @ columns.T > 0.99).astype(np.float32)
        cloud = sure(ask(image))
    if p.kind in ("clear", "snow"):
        if p.kind == "clear" and rng.random() < 0.3:
            image, cloud = covered(rng, image), 0 * cloud
        if rng.random() < 0.5:
            image, opacity = overcast(rng, image)
            cloud = np.maximum(cloud, np.clip((opacity - 0.25) / 0.2, 0, 1))
            known *= np.where((opacity > 0.12) & (opacity < 0.4), 0.3, 1)
    return image, cloud[None], known[None]


class Squares:
    """count squares, made once and kept in a folder. In batches those of patches whose name begins with
    without are left out, and labels that the teachers contradict count by this power of their doubt."""

    def __init__(self, folder, teachers, seed, count, without, power, keep):
        keep = pathlib.Path(keep)
        keep.mkdir(parents=True, exist_ok=True)
        path, names = keep / f"squares-{seed}-{count}.npy", keep / f"squares-{seed}-{count}.txt"
        if not path.exists():
            of, squares = self.make(sorted(pathlib.Path(folder).glob("*.npz")), teachers, seed, count)
            names.write_text("\n".join(of))
            np.save(path, squares)
        self.all = np.load(path, mmap_mode="r")
        of = [line.split() for line in names.read_text().split("\n")]
        self.used = [i for i, (name, _) in enumerate(of) if not (without and name.startswith(without))]
        self.power = [power / 2 if kind == "labelled" else 1 for _, kind in of]

    @staticmethod
    def make(files, teachers, seed, count):
        with multiprocessing.get_context("spawn").Pool(os.cpu_count(), begin, (teachers,)) as pool:
            patches = [p for p in pool.map(loaded, files) if p]
            print(collections.Counter(p.kind for p in patches), flush=True)
            n = collections.Counter((p.kind, p.labelled) for p in patches)
            weight = np.array([MIX[p.kind] * (3 if p.labelled else 1) / (3 * n[p.kind, True] + n[p.kind, False]) for p in patches])
            chosen = np.random.default_rng(seed).choice(len(patches), count, p=weight / weight.sum())
            of = [f"{patches[c].name} {'labelled' if patches[c].labelled else 'taught'}" for c in chosen]
            return of, np.stack(pool.starmap(drawn, [(seed, i, patches[c]) for i, c in enumerate(chosen)], chunksize=16))

    def batch(self, rng, bands, n, side):
        """n pictures of side x side: reflectance, cloud, and how much each pixel counts."""
        use = [ALL.index(b) for b in bands]
        x, want, known = (np.zeros((n, c, side, side), np.float32) for c in (len(use), 1, 1))
        for i in range(n):
            top, left = rng.integers(0, SIDE - side + 1, 2)
            at = self.used[rng.integers(len(self.used))]
            s = turn(self.all[at, :, top:top + side, left:left + side], int(rng.integers(8))).astype(np.float32)
            x[i], want[i, 0], known[i, 0] = noisy(rng, s[use]), s[6], s[7] ** self.power[at]
        return x, want, known


def weathered(rng, image):
    """The same ground under another sun, through other air, by another sensor."""
    air = rng.normal(0, 0.015) * np.array([1.0, 0.6, 0.35, 0.15, 0.05, 0.03])
    gain = np.exp(rng.normal(0, 0.12)) * rng.normal(1, 0.03, 6)
    return np.clip(image * gain[:, None, None] + air[:, None, None], 0, 1.6).astype(np.float32)


def noisy(rng, image):
    """The same square taken again."""
    image = image * rng.normal(1, 0.01, (len(image), 1, 1))
    return np.clip(image + rng.normal(0, rng.uniform(0, 0.006), image.shape), 0, 1.6).astype(np.float32)
