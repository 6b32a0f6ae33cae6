"""The heavy networks that say where clouds are on ground that nobody labelled."""
import json
import pathlib

import numpy as np
import onnxruntime

ALL = ["blue", "green", "red", "nir", "swir16", "swir22"]
SIDE = 256  # of what both teachers look at


def session(path, threads=1):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class Csmask:
    """ukis-csmask, six bands, level 1: rarely misses a cloud, calls bright soil one."""

    def __init__(self, folder, threads=1):
        self.net = session(pathlib.Path(folder) / "model_6b_l1c.onnx", threads)
        data = json.loads((pathlib.Path(folder) / "model_6b_l1c.json").read_text())["data"]["dataset_statistics"]
        self.mean, self.std = (np.array(v, np.float32).reshape(-1, 1, 1) for v in data["img"][:2])

    def __call__(self, square):
        x = np.ascontiguousarray(((square - self.mean) / self.std)[None], np.float32)
        logits = self.net.run(None, {self.net.get_inputs()[0].name: x})[0][0]
        e = np.exp(logits - logits.max(0))
        return (e / e.sum(0))[1]


class Small:
    """A network that takes six bands of reflectance and gives one probability: cloud_rgbiswir_256 as
    well as those trained here."""

    def __init__(self, path, threads=1):
        self.net = session(path, threads)

    def __call__(self, square):
        x = np.ascontiguousarray(square[None], np.float32)
        return self.net.run(None, {self.net.get_inputs()[0].name: x})[0][0, 0]


class Both:
    """The mean of the two. They err on different ground, so that the mean is better than either."""

    def __init__(self, csmask, small, threads=1):
        self.teachers = Csmask(csmask, threads), Small(small, threads)

    def __call__(self, square):
        return np.mean([t(square) for t in self.teachers], 0)


def over(ask, image, margin=33):
    """One teacher's answer on a whole scene: windows that overlap, the scene mirrored at its edges."""
    h, w = image.shape[1:]
    out, weight = np.zeros((h, w), np.float32), np.zeros((h, w), np.float32)
    for top in range(-margin, h - margin + 1, SIDE - 2 * margin + 2):
        for left in range(-margin, w - margin + 1, SIDE - 2 * margin + 2):
            p = ask(image[:, mirrored(top, h)][:, :, mirrored(left, w)])
            y0, x0, y1, x1 = max(top, 0), max(left, 0), min(top + SIDE, h), min(left + SIDE, w)
            out[y0:y1, x0:x1] += p[y0 - top:y1 - top, x0 - left:x1 - left]
            weight[y0:y1, x0:x1] += 1
    return out / weight


def mirrored(start, n):
    i = np.arange(start, start + SIDE) % (2 * n)
    return np.where(i < n, i, 2 * n - 1 - i)


def turn(a, k, back=False):
    """One of the eight ways to lay a square."""
    if back:
        a = np.rot90(a, -(k % 4), (-2, -1))
        return a[..., ::-1] if k >= 4 else a
    a = a[..., ::-1] if k >= 4 else a
    return np.rot90(a, k % 4, (-2, -1))
