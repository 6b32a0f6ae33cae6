#!/usr/bin/env python3
"""Computes what the tests of shared/infer compare with, by other means: Python's ONNX Runtime, cv2's
resize and NMS, numpy decoders written from the networks' own demos, ukis-csmask's own numbers.

    python3 -m venv /tmp/ref && /tmp/ref/bin/pip install onnxruntime numpy opencv-python-headless
    /tmp/ref/bin/python shared/infer/testdata/reference.py ASSETS DEPS_MODELS UKIS_WHEEL_UNPACKED
"""
import json
import pathlib
import subprocess
import sys

import cv2
import numpy as np
import onnxruntime

OUT = pathlib.Path(__file__).parent
FLOOR, IOU = 0.05, 0.45


def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    s = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = s.get_inputs()[0].name
    return lambda x: s.run(None, {name: x})


def nms(boxes, scores, classes, iou=IOU):
    """Class by class with cv2.dnn.NMSBoxes, best first."""
    kept = []
    for c in np.unique(classes):
        at = np.nonzero(classes == c)[0]
        rects = [[float(v) for v in boxes[i]] for i in at]
        for k in np.array(cv2.dnn.NMSBoxes(rects, [float(scores[i]) for i in at], FLOOR, iou)).reshape(-1):
            kept.append(at[k])
    kept.sort(key=lambda i: -scores[i])
    return [{"class": int(classes[i]), "score": round(float(scores[i]), 5),
             "box": [round(float(v), 3) for v in boxes[i]]} for i in kept]


def best(scores):
    c = scores.argmax(1)
    return c, scores[np.arange(len(c)), c]


def top_left(im, size, pad):
    h, w = im.shape[:2]
    r = min(size / h, size / w)
    x = np.full((size, size, 3), pad, np.uint8)
    small = cv2.resize(im, (int(w * r), int(h * r)), interpolation=cv2.INTER_LINEAR)
    x[: small.shape[0], : small.shape[1]] = small
    return x.transpose(2, 0, 1)[None].astype(np.float32), r


def yolox(run, im, size):
    x, r = top_left(im, size, 114)
    o = run(x)[0][0]
    grid, stride = [], []
    for s in (8, 16, 32):
        n = size // s
        xv, yv = np.meshgrid(np.arange(n), np.arange(n))
        grid.append(np.stack((xv, yv), 2).reshape(-1, 2))
        stride.append(np.full((n * n, 1), s))
    grid, stride = np.concatenate(grid), np.concatenate(stride)
    xy, wh = (o[:, :2] + grid) * stride, np.exp(o[:, 2:4]) * stride
    c, s = best(o[:, 4:5] * o[:, 5:])
    keep = s > FLOOR
    return nms((np.concatenate([xy - wh / 2, wh], 1) / r)[keep], s[keep], c[keep])


def picodet(run, im, size):
    h, w = im.shape[:2]
    rgb = cv2.cvtColor(cv2.resize(im, (size, size)), cv2.COLOR_BGR2RGB).astype(np.float32)
    x = (rgb - np.float32([123.675, 116.28, 103.53])) / np.float32([58.395, 57.12, 57.375])
    o = run(x.transpose(2, 0, 1)[None])
    boxes, scores, classes = [], [], []
    for level, s in enumerate((8, 16, 32, 64)):
        cols = -(-size // s)
        sides = o[4 + level][0].reshape(-1, 4, 8)
        e = np.exp(sides - sides.max(2, keepdims=True))
        d = (e / e.sum(2, keepdims=True) * np.arange(8)).sum(2) * s
        i = np.arange(len(d))
        cx, cy = (i % cols + 0.5) * s, (i // cols + 0.5) * s
        fx, fy = w / size, h / size
        boxes.append(np.stack([(cx - d[:, 0]) * fx, (cy - d[:, 1]) * fy, (d[:, 0] + d[:, 2]) * fx, (d[:, 1] + d[:, 3]) * fy], 1))
        c, p = best(o[level][0])
        scores.append(p)
        classes.append(c)
    boxes, scores, classes = np.concatenate(boxes), np.concatenate(scores), np.concatenate(classes)
    keep = scores > FLOOR
    return nms(boxes[keep], scores[keep], classes[keep])


def fastestdet(run, im, size):
    h, w = im.shape[:2]
    x = cv2.resize(im, (size, size)).transpose(2, 0, 1)[None].astype(np.float32) / 255
    o = run(x)[0][0]
    rows, cols = o.shape[1:]
    boxes, scores, classes = [], [], []
    for y in range(rows):
        for x in range(cols):
            a = o[:, y, x]
            k = int(a[5:].argmax())
            score = a[0] ** 0.6 * a[5 + k] ** 0.4
            if score > FLOOR:
                bw, bh = w / (1 + np.exp(-a[3])), h / (1 + np.exp(-a[4]))
                cx, cy = (x + np.tanh(a[1])) / cols * w, (y + np.tanh(a[2])) / rows * h
                boxes.append([cx - bw / 2, cy - bh / 2, bw, bh])
                scores.append(score)
                classes.append(k)
    return nms(np.array(boxes), np.array(scores), np.array(classes))


def yunet(path, im, size):
    """OpenCV's own FaceDetectorYN, on the letterboxed picture."""
    x, r = top_left(im, size, 0)
    net = cv2.FaceDetectorYN.create(str(path), "", (size, size), FLOOR, 0.3, 5000)
    _, faces = net.detect(np.ascontiguousarray(x[0].transpose(1, 2, 0)).astype(np.uint8))
    faces = [] if faces is None else faces
    return [{"class": 0, "score": round(float(f[14]), 5), "box": [round(float(v / r), 3) for v in f[:4]],
             "points": [round(float(v / r), 3) for v in f[4:14]]} for f in faces]


def frames(video, wanted):
    p = subprocess.Popen(["ffmpeg", "-v", "error", "-i", str(video), "-f", "rawvideo", "-pix_fmt", "bgr24", "-"], stdout=subprocess.PIPE)
    for i in range(max(wanted) + 1):
        data = p.stdout.read(768 * 576 * 3)
        if i in wanted:
            yield i, np.frombuffer(data, np.uint8).reshape(576, 768, 3)
    p.kill()


def pictures(assets):
    for name in ("sahi_terrain2.png", "skimage_astronaut.png", "skimage_motorcycle_left.png", "small-vehicles1.jpeg"):
        yield name, cv2.imread(str(assets / "images" / name))
    for i, f in frames(assets / "videos/vtest.avi", (0, 20)):
        yield f"vtest.avi:{i}", f


def detections(assets):
    models = assets / "models"
    runs = {
        "yolox_nano": lambda im, run=session(models / "yolox_nano.onnx"): yolox(run, im, 416),
        "light_person": lambda im, run=session(models / "light_person.onnx"): yolox(run, im, 192),
        "picodet_s_416": lambda im, run=session(models / "picodet_s_416.onnx"): picodet(run, im, 416),
        "fastestdet": lambda im, run=session(models / "fastestdet.onnx"): fastestdet(run, im, 352),
        "yunet_n_320": lambda im: yunet(models / "yunet_n_320.onnx", im, 320),
    }
    found = {}
    for name, im in pictures(assets):
        for model, run in runs.items():
            found.setdefault(model, {})[name] = run(im)
            print(model, name, len(found[model][name]))
    (OUT / "detections.json").write_text(json.dumps(found, separators=(",", ":")) + "\n")


def masks(assets, deps, wheel):
    """The windows of sentinel2.npz, each seen by itself, as the network's own classes are mapped."""
    im = np.load(assets / "scenes/sentinel2.npz")["img"].astype(np.float32)
    names = [f"ukis_csmask_{bands}_{level}" for bands in ("4b", "6b") for level in ("l1c", "l2a")] + ["cloud_rgbiswir_256"]
    for name, windows in ((n, [(x, y) for y in (0, 256) for x in (0, 256)]) for n in names):
        ukis = name.startswith("ukis")
        run = session(deps / name / "1/model.onnx" if ukis else assets / "models" / f"{name}.onnx")
        for x, y in windows:
            tile = im[y : y + 256, x : x + 256]
            if ukis:
                spec = json.loads((wheel / "ukis_csmask" / f"model_{name[12:]}.json").read_text())["data"]
                bands = len(spec["dataset_statistics"]["band_names"])
                mean, std = np.float32(spec["dataset_statistics"]["img"])
                o = run(((tile[:, :, :bands] - mean) / std).transpose(2, 0, 1)[None])[0][0]
                mask = np.uint8([0, 2, 1])[o.argmax(0)]
            else:
                mask = np.where(run(tile.transpose(2, 0, 1)[None])[0][0, 0] > 0.5, 2, 0).astype(np.uint8)
            cv2.imwrite(str(OUT / f"{name}_{x}_{y}.png"), mask)
            print(name, x, y, np.bincount(mask.reshape(-1), minlength=3))


if __name__ == "__main__":
    assets, deps, wheel = map(pathlib.Path, sys.argv[1:4])
    masks(assets, deps, wheel)
    detections(assets)
