#!/usr/bin/env python3
"""Makes models/<name>/golden.json: an input given by a formula, and what Python's ONNX Runtime
computes from it at sampled places. The expected values thus come from another program than the one
they check. The formula is that of GoldenInput.Fill in shared/model/golden.go.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install onnxruntime numpy pyyaml
    /tmp/golden/bin/python models/golden.py DIR_WITH_ONNX_FILES ...
"""
import hashlib
import json
import pathlib
import sys

import numpy as np
import onnxruntime
import yaml

CELL = 8      # side of the squares of one value
QUIET = 0.1   # a network whose largest value is below it has seen nothing
SAMPLES = 48  # a tensor: half where it is largest, half spread over it


def hashed(k):
    u = k.astype(np.uint32) * np.uint32(2654435761) + np.uint32(97)
    u ^= u >> np.uint32(15)
    u *= np.uint32(2246822519)
    u ^= u >> np.uint32(13)
    return (u >> np.uint32(8)).astype(np.float32) / np.float32(1 << 24)


def golden_input(shape, low, high):
    n, c, h, w = shape
    rows, cols = -(-h // CELL), -(-w // CELL)
    i = np.arange(n * c).reshape(n, c, 1, 1)
    y = (np.arange(h) // CELL).reshape(1, 1, h, 1)
    x = (np.arange(w) // CELL).reshape(1, 1, 1, w)
    low, high = np.float32(low), np.float32(high)
    return low + (high - low) * hashed((i * rows + y) * cols + x)


def value_range(spec):
    """What the network sees of ordinary pixels: 0 to 255, or reflectance 0 to 1."""
    top = 1.0 if spec.get("bands") else 255.0
    scale = spec.get("scale", 1.0)
    mean, std = np.mean(spec.get("mean", [0])), np.mean(spec.get("std", [1]))
    return round(float((0 - mean) / std), 3), round(float((top * scale - mean) / std), 3)


def sampled(name, tensor):
    flat = tensor.reshape(-1)
    spread = hashed(np.arange(SAMPLES // 2)) * np.float32(flat.size)
    largest = np.argsort(-np.abs(flat), kind="stable")[: SAMPLES // 2]
    at = sorted({int(i) for i in spread} | {int(i) for i in largest})
    return {"name": name, "shape": list(tensor.shape), "at": at,
            "values": [float(f"{flat[i]:.7g}") for i in at]}


def main(folders):
    here = pathlib.Path(__file__).parent
    files = {hashlib.sha256(p.read_bytes()).hexdigest(): p
             for folder in folders for p in sorted(pathlib.Path(folder).rglob("*.onnx"))}
    for path in sorted(here.glob("*/model.yaml")):
        manifest = yaml.safe_load(path.read_text())
        weights = files.get(manifest.get("sha256"))
        if weights is None:
            print(f"{manifest['name']}: no file with its sha256, left as it is")
            continue
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
        spec = manifest["input"]
        channels = len(spec["bands"]) if spec.get("bands") else 3
        width, height = spec.get("size") or [max(320, spec["multiple_of"])] * 2
        shape = [1, channels, height, width]
        low, high = value_range(spec)
        reach = 0.0
        while reach < QUIET:  # a detector of text sees nothing in the squares until they are loud
            tensors = session.run(None, {session.get_inputs()[0].name: golden_input(shape, low, high)})
            reach = max(float(np.abs(t).max()) for t in tensors)
            if reach < QUIET:
                low, high = 4 * low, 4 * high
        outputs = [sampled(o.name, t) for o, t in zip(session.get_outputs(), tensors)]
        case = {
            "input": {"shape": shape, "low": low, "high": high, "layout": "nchw"},
            "outputs": outputs,
            # Engines differ by the order of their sums: up to 0.4 % of the largest value was seen
            # between ONNX Runtime and OpenCV, whose convolutions are Winograd's.
            "tolerance": {"abs": 1e-4, "share": 5e-3, "rel": 5e-3},
            "tolerance_fp16": {"abs": 2e-3, "share": 4e-2, "rel": 5e-2},
            "made_with": f"onnxruntime {onnxruntime.__version__}, models/golden.py",
        }
        path.with_name("golden.json").write_text(json.dumps(case) + "\n")
        print(f"{manifest['name']}: {len(outputs)} outputs, largest value {reach:.4g}")


if __name__ == "__main__":
    main(sys.argv[1:])
