#!/usr/bin/env python3
"""Intersection over union of cloud, on labelled scenes that no network here was trained on.

    /tmp/train/bin/pip install rasterio
    /tmp/train/bin/python models/train/evaluate.py --scenes DIR --models models [--teacher DIR]

DIR holds l8biome_*.tif with *_mask.tif (Landsat 8; 192 and more is cloud) and sentinel2.npz (Sentinel-2;
4 is cloud). Beside the networks stand a plain threshold on blue, fitted to nothing here, and the heavy
network where it is given. Each network's own threshold comes from its manifest.
"""
import argparse
import pathlib

import numpy as np
import onnxruntime
import rasterio

from patches import ALL, Teacher, mirrored
from clouds import BANDS

BLUE = 0.22  # reflectance; what does best on the labelled training patches


def scenes(folder):
    for path in sorted(folder.glob("l8biome_*_mask.tif")):
        with rasterio.open(str(path).replace("_mask", "")) as d, rasterio.open(path) as m:
            label = m.read(1)
            yield "Landsat 8", path.stem[8:-5], d.read()[:6].astype(np.float32), label >= 192, label > 0
    with np.load(folder / "sentinel2.npz") as z:
        image, label = z["img"].transpose(2, 0, 1).astype(np.float32), z["msk"][..., 0]
        yield "Sentinel-2", "sentinel2", image, label == 4, np.ones(label.shape, bool)


def ask(session, image, side=256, margin=32):
    h, w = image.shape[1:]
    out = np.zeros((h, w), np.float32)
    step = side - 2 * margin
    for top in range(-margin, h - margin, step):
        for left in range(-margin, w - margin, step):
            tile = image[:, mirrored(top, h)][:, :, mirrored(left, w)]
            p = session.run(None, {session.get_inputs()[0].name: tile[None]})[0][0, 0]
            y0, x0 = top + margin, left + margin
            y1, x1 = min(y0 + step, h), min(x0 + step, w)
            out[y0:y1, x0:x1] = p[margin:margin + y1 - y0, margin:margin + x1 - x0]
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--scenes", required=True, type=pathlib.Path)
    p.add_argument("--models", required=True, type=pathlib.Path)
    p.add_argument("--teacher", type=pathlib.Path)
    p.add_argument("--threshold", type=float, default=0.5)
    a = p.parse_args()
    judges = {"blue": lambda im: im[0] >= BLUE}
    for name, bands in BANDS.items():
        path = a.models / f"cloud_edge_{name}" / "1" / "model.onnx"
        if path.exists():
            session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            use = [ALL.index(b) for b in bands]
            judges[name] = lambda im, s=session, u=use: ask(s, im[u]) >= a.threshold
    if a.teacher:
        teacher = Teacher(a.teacher)
        judges["heavy"] = lambda im: teacher.ask(im) >= 0.5
    total = {}
    print(f"{'scene':24}" + "".join(f"{j:>8}" for j in judges))
    for sensor, name, image, cloud, known in scenes(a.scenes):
        line = f"{name:24}"
        for j, judge in judges.items():
            got = judge(image)
            both, any_ = (got & cloud & known).sum(), ((got | cloud) & known).sum()
            for key in (sensor, "pooled"):
                t = total.setdefault((key, j), [0, 0])
                t[0] += both
                t[1] += any_
            line += f"{both / any_:8.3f}" if cloud[known].any() else f"{any_ / known.sum():7.1%}*"
        print(line, flush=True)
    for key in ("Landsat 8", "Sentinel-2", "pooled"):
        print(f"{key:24}" + "".join(f"{total[key, j][0] / max(total[key, j][1], 1):8.3f}" for j in judges))
    print("* no cloud there: the share of the scene that is called cloud")


if __name__ == "__main__":
    main()
