#!/usr/bin/env python3
"""Intersection over union of cloud, on labelled scenes that no network here was trained on.

    /tmp/train/bin/pip install rasterio
    /tmp/train/bin/python models/train/evaluate.py --scenes DIR --models models --csmask DIR --small FILE

DIR holds l8biome_*.tif with *_mask.tif (Landsat 8; 192 and more is cloud) and sentinel2.npz (Sentinel-2;
4 is cloud). Beside the networks stand a plain threshold on blue, which does best on the labelled training
patches, and the teachers. Every probability is cut at --threshold.
"""
import argparse
import pathlib

import numpy as np
import rasterio

from clouds import BANDS
from teachers import ALL, Csmask, Small, over

BLUE = 0.22
THIN = 192  # Landsat 8's labels: 192 is thin cloud, 255 is thick


def scenes(folder):
    for path in sorted(folder.glob("l8biome_*_mask.tif")):
        with rasterio.open(str(path).replace("_mask", "")) as d, rasterio.open(path) as m:
            label = m.read(1)
            yield "Landsat 8", path.stem[8:-5], d.read()[:6].astype(np.float32), label >= THIN, label == THIN, label > 0
    with np.load(folder / "sentinel2.npz") as z:
        image, label = z["img"].transpose(2, 0, 1).astype(np.float32), z["msk"][..., 0]
        yield "Sentinel-2", "sentinel2", image, label == 4, np.zeros(label.shape, bool), np.ones(label.shape, bool)


def judges(a):
    out = {"blue": lambda im: (im[0] >= BLUE).astype(np.float32)}
    for name, bands in BANDS.items():
        path = a.models / f"cloud_edge_{name}" / "1" / "model.onnx"
        if path.exists():
            out[name] = lambda im, ask=Small(path), use=[ALL.index(b) for b in bands]: over(ask, im[use])
    if a.csmask:
        out["csmask"] = lambda im, ask=Csmask(a.csmask): over(ask, im)
    if a.small:
        out["small"] = lambda im, ask=Small(a.small): over(ask, im)
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--scenes", required=True, type=pathlib.Path)
    p.add_argument("--models", required=True, type=pathlib.Path)
    p.add_argument("--csmask")
    p.add_argument("--small")
    p.add_argument("--threshold", type=float, default=0.5)
    a = p.parse_args()
    total, ask = {}, judges(a)
    print(f"{'scene':24}" + "".join(f"{j:>8}" for j in ask))
    for sensor, name, image, cloud, thin, known in scenes(a.scenes):
        line = f"{name:24}"
        for j, judge in ask.items():
            got = judge(image) >= a.threshold
            both, either = (got & cloud & known).sum(), ((got | cloud) & known).sum()
            for key, x, y in ((sensor, both, either), ("pooled", both, either), ("thin cloud found", (got & thin).sum(), thin.sum())):
                t = total.setdefault((key, j), [0, 0])
                t[0], t[1] = t[0] + x, t[1] + y
            line += f"{both / either:8.3f}" if cloud[known].any() else f"{either / known.sum():7.1%}*"
        print(line, flush=True)
    for key in ("Landsat 8", "Sentinel-2", "pooled", "thin cloud found"):
        print(f"{key:24}" + "".join(f"{total[key, j][0] / max(total[key, j][1], 1):8.3f}" for j in ask))
    print("* no cloud there: the share of the scene that is called cloud")


if __name__ == "__main__":
    main()
