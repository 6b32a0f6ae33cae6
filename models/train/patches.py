"""Training material: patches of several sensors, what is known of their clouds, and what is done to
them so that a network learns clouds and not the scenes."""
import dataclasses
import pathlib

import numpy as np
import onnxruntime

ALL = ["blue", "green", "red", "nir", "swir16", "swir22"]
SIDE = 128  # of what is trained on
# ukis-csmask's own normalisation, from its model_*.json.
TEACHER_SIDE = 256


@dataclasses.dataclass
class Patch:
    name: str
    image: np.ndarray  # 6 x H x W reflectance; bands that the sensor lacks are NaN
    cloud: np.ndarray  # H x W, 0 … 1
    known: np.ndarray  # H x W, 0 or 1
    labelled: bool
    share: float


def load(path):
    with np.load(path) as z:
        bands, pixels, label = list(z["bands"]), z["img"].astype(np.float32) / 1e4, z["cloud"]
    image = np.full((6, *pixels.shape[:2]), np.nan, np.float32)
    for i, b in enumerate(bands):
        image[ALL.index(b)] = pixels[..., i]
    return image, label, (pixels != 0).any(2)


class Teacher:
    """The heavy network, asked for the share of cloud in each pixel."""

    def __init__(self, folder):
        import json
        self.nets = {}
        for bands, level in (("6b", "l1c"), ("4b", "l2a")):
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3
            session = onnxruntime.InferenceSession(str(folder / f"model_{bands}_{level}.onnx"), options, providers=["CPUExecutionProvider"])
            data = json.loads((folder / f"model_{bands}_{level}.json").read_text())["data"]["dataset_statistics"]
            mean, std = (np.array(v, np.float32).reshape(-1, 1, 1) for v in data["img"][:2])
            self.nets[bands] = session, [ALL.index(b) for b in data["band_names"]], mean, std

    def ask(self, image):
        session, order, mean, std = self.nets["4b" if np.isnan(image[4:]).any() else "6b"]
        x = (image[order] - mean) / std
        h, w = x.shape[1:]
        out = np.zeros((h, w), np.float32)
        weight = np.zeros((h, w), np.float32)
        step = TEACHER_SIDE - 64
        margin = 33  # odd: its answers depend on where its first layer, which steps by two, begins
        for top in range(-margin, h - 32, step):
            for left in range(-margin, w - 32, step):
                ys, xs = mirrored(top, h), mirrored(left, w)
                tile = x[:, ys][:, :, xs]
                p = np.mean([turn(self.cloud(session, turn(tile, k)), k, back=True) for k in range(8)], 0)
                y0, x0, y1, x1 = max(top, 0), max(left, 0), min(top + TEACHER_SIDE, h), min(left + TEACHER_SIDE, w)
                out[y0:y1, x0:x1] += p[y0 - top:y1 - top, x0 - left:x1 - left]
                weight[y0:y1, x0:x1] += 1
        return out / weight

    @staticmethod
    def cloud(session, tile):
        logits = session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(tile[None])})[0][0]
        e = np.exp(logits - logits.max(0))
        return (e / e.sum(0))[1]


def mirrored(start, n):
    i = np.arange(start, start + TEACHER_SIDE) % (2 * n)
    return np.where(i < n, i, 2 * n - 1 - i)


def turn(a, k, back=False):
    """One of the eight ways to lay a square."""
    if back:
        a = np.rot90(a, -(k % 4), (-2, -1))
        return a[..., ::-1] if k >= 4 else a
    a = a[..., ::-1] if k >= 4 else a
    return np.rot90(a, k % 4, (-2, -1))


class Patches:
    def __init__(self, folder, teacher, without=""):
        teacher, cache = Teacher(pathlib.Path(teacher)), pathlib.Path("/tmp/canvas-teacher")
        cache.mkdir(exist_ok=True)
        self.all = []
        for path in sorted(pathlib.Path(folder).glob("*.npz")):
            if without and path.name.startswith(without):
                continue
            image, label, valid = load(path)
            labelled = bool((label != 255).any())
            kept = cache / (path.stem + ".npy")
            if labelled:
                cloud, known = (label == 1).astype(np.float32), valid & (label != 255)
            else:
                if not kept.exists():
                    np.save(kept, teacher.ask(image).astype(np.float16))
                cloud, known = np.load(kept).astype(np.float32), valid
            share = float(cloud[known].mean()) if known.any() else 0.0
            self.all.append(Patch(path.stem, image, cloud, known.astype(np.float32), labelled, share))
        group = np.array([0 if p.share < 0.02 else 1 if p.share < 0.6 else 2 for p in self.all])
        each = np.array([3.0 if p.labelled else 1.0 for p in self.all])
        for g, total in enumerate((0.40, 0.38, 0.22)):
            each[group == g] *= total / max(each[group == g].sum(), 1e-9)
        self.weight = each / each.sum()

    def batch(self, rng, bands, n):
        """n pictures of SIDE x SIDE: reflectance, cloud, and where it is known."""
        use = [ALL.index(b) for b in bands]
        x, want, known = (np.zeros((n, c, SIDE, SIDE), np.float32) for c in (len(use), 1, 1))
        i = 0
        while i < n:
            p = self.all[rng.choice(len(self.all), p=self.weight)]
            if np.isnan(p.image[use]).any():
                continue
            image, cloud, sure = cut(rng, p, use)
            if p.share < 0.02:
                if rng.random() < 0.25:
                    image = covered(rng, image, bands)
                if rng.random() < 0.6:
                    image, cloud = overcast(rng, image, cloud, bands)
            x[i], want[i, 0], known[i, 0] = weathered(rng, image), cloud, sure
            i += 1
        return x, want, known


def cut(rng, p, use):
    """A square at a random place, scale and turn."""
    h, w = p.cloud.shape
    side = int(min(h, w, round(SIDE * 2 ** rng.uniform(-1, 1.2))))
    top, left = rng.integers(0, h - side + 1), rng.integers(0, w - side + 1)
    at = ((np.arange(SIDE) + 0.5) * side / SIDE).astype(int)
    grid = np.ix_(top + at, left + at)
    k = int(rng.integers(8))
    image = np.stack([p.image[c][grid] for c in use])
    if side > 1.5 * SIDE:  # a coarser sensor sees the mean, not a point
        near = np.minimum(at + side // (2 * SIDE), side - 1)
        image = (image + np.stack([p.image[c][np.ix_(top + near, left + near)] for c in use])) / 2
    return turn(image, k), turn(p.cloud[grid], k), turn(p.known[grid], k)


def noise(rng, octaves):
    """Smooth noise of several octaves, 0 … 1 with mean about a half."""
    total, out = 0.0, np.zeros((SIDE, SIDE), np.float32)
    for o in octaves:
        n = 2 ** o + 1
        coarse = rng.random((n, n)).astype(np.float32)
        at = np.linspace(0, n - 1.001, SIDE)
        i, f = at.astype(int), (at % 1).astype(np.float32)
        f = f * f * (3 - 2 * f)
        rows = coarse[i] * (1 - f)[:, None] + coarse[i + 1] * f[:, None]
        gain = 0.55 ** o
        out += gain * (rows[:, i] * (1 - f) + rows[:, i + 1] * f)
        total += gain
    return out / total


# What ground can be that the patches hardly show, from dark to bright: reflectance in each band.
COVERS = (
    (0.35, [0.55, 0.50, 0.50, 0.45, 0.06, 0.05], [0.95, 0.90, 0.92, 0.88, 0.22, 0.24]),  # snow and ice
    (0.65, [0.10, 0.11, 0.14, 0.22, 0.26, 0.20], [0.22, 0.30, 0.42, 0.50, 0.60, 0.55]),  # bare soil and sand
)


def covered(rng, image, bands):
    """Clear ground under snow or turned into bare soil, in patches or all over."""
    use = [ALL.index(b) for b in bands]
    _, dark, bright = COVERS[int(rng.random() > COVERS[0][0])]
    dark, bright = np.array(dark, np.float32)[use, None, None], np.array(bright, np.float32)[use, None, None]
    field = noise(rng, range(1, 7))
    share = np.clip((field - np.quantile(field, max(0.0, rng.uniform(-0.5, 0.7)))) / rng.uniform(0.02, 0.2), 0, 1) * rng.uniform(0.6, 1)
    height = np.clip(rng.uniform(0, 1) + 0.25 * (noise(rng, range(2, 7)) - 0.5) + 0.5 * (image[:1] - image[:1].mean()), 0, 1.1)
    return image * (1 - share) + share * (dark + height * (bright - dark))


def overcast(rng, image, cloud, bands):
    """Clouds over clear ground, from haze that counts as clear to thick ones, with their shadows."""
    field = noise(rng, range(int(rng.integers(1, 3)), 7))
    level, soft = np.quantile(field, rng.uniform(0.15, 0.95)), rng.uniform(0.03, 0.2)
    opacity = np.clip((field - level) / soft, 0, 1) * rng.uniform(0.35, 1)
    bright = rng.uniform(0.28, 0.95) * (0.8 + 0.4 * noise(rng, range(2, 6)))
    tint = np.array([1.0, 0.98, 0.97, 1.02, rng.uniform(0.55, 1.0), rng.uniform(0.4, 0.85)], np.float32)[[ALL.index(b) for b in bands]]
    tint *= rng.normal(1, 0.03, len(tint))
    if rng.random() < 0.6:  # shadow falls some way off, and is ground all the same
        off = rng.integers(-24, 25, 2)
        image = image * (1 - rng.uniform(0.2, 0.6) * np.roll(opacity, off, (0, 1)))
    image = image * (1 - opacity) + opacity * bright * tint[:, None, None]
    return image.astype(np.float32), np.maximum(cloud, np.clip((opacity - 0.25) / 0.2, 0, 1))


def weathered(rng, image):
    """The same ground under another sun, by another sensor."""
    c = len(image)
    image = image * np.exp(rng.normal(0, 0.10)) * rng.normal(1, 0.04, (c, 1, 1))
    air = abs(rng.normal(0, 0.02)) * np.array([1.0, 0.6, 0.35, 0.15, 0.05, 0.03])[:c, None, None]
    image = image + air * rng.choice([-0.7, 1]) + rng.normal(0, 0.004, (c, 1, 1))
    if rng.random() < 0.3:
        image = image + rng.normal(0, rng.uniform(0.002, 0.012), image.shape)
    return np.clip(image, 0, 1.6).astype(np.float32)
