#!/usr/bin/env python3
"""Trains the edge's small cloud networks: one each for RGB, RGB+NIR and six bands.

    python3 -m venv /tmp/train && /tmp/train/bin/pip install torch onnx onnxruntime numpy
    /tmp/train/bin/python models/train/clouds.py --patches DIR --csmask DIR --small FILE --out models

Labelled patches teach by their labels, all others by what two larger networks say of them; clear ground
also gets simulated clouds, whose opacity is known. Nothing of the scenes in evaluate.py is seen.
models/train/README.md tells the recipe and the figures.
"""
import argparse
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from network import Answer, CloudNet
from patches import Squares

BANDS = {
    "rgb": ["blue", "green", "red"],
    "rgbn": ["blue", "green", "red", "nir"],
    "6b": ["blue", "green", "red", "nir", "swir16", "swir22"],
}
SEED = 20
SIDE = 128  # of what is trained on at once


def loss_of(logits, want, known):
    """Cross entropy for each pixel, and overlap for the picture as a whole."""
    each = F.binary_cross_entropy_with_logits(logits, want, reduction="none")
    p = torch.sigmoid(logits) * known
    both = (p * want).sum((1, 2, 3))
    dice = 1 - (2 * both + 20) / (p.sum((1, 2, 3)) + (want * known).sum((1, 2, 3)) + 20)
    return (each * known).sum() / known.sum().clamp(min=1) + 0.5 * dice.mean()


def train(bands, squares, steps, batch, say):
    torch.manual_seed(SEED)
    net = CloudNet(bands).to(memory_format=torch.channels_last)
    average = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True)
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=0.02)
    pace = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps, pct_start=0.1)
    rng, running = np.random.default_rng(SEED), 0.0
    for step in range(1, steps + 1):
        x, want, known = (torch.from_numpy(a) for a in squares.batch(rng, bands, batch, SIDE))
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(x.contiguous(memory_format=torch.channels_last))
        loss = loss_of(logits.float(), want, known)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        pace.step()
        average.update_parameters(net)
        running += (loss.item() - running) / min(step, 100)
        if step % 250 == 0:
            say(f"  {step} of {steps} steps: loss {running:.4f}")
    return average.module.eval()


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--patches", required=True, type=pathlib.Path)
    p.add_argument("--csmask", required=True, help="folder of ukis-csmask's model_6b_l1c.onnx and .json")
    p.add_argument("--small", required=True, help="cloud_rgbiswir_256.onnx")
    p.add_argument("--out", required=True, type=pathlib.Path)
    p.add_argument("--keep", default="/tmp/canvas-squares", help="where the squares are kept between runs")
    p.add_argument("--squares", type=int, default=3000)
    p.add_argument("--steps", type=int, default=5000)
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--without", default="", help="leave out patches whose name begins so: a sensor held out")
    p.add_argument("--power", type=float, default=2, help="of the doubt by which labels count less that the teachers contradict")
    p.add_argument("--only", default="", help="one of " + ", ".join(BANDS))
    a = p.parse_args()
    squares = Squares(a.patches, (a.csmask, a.small), SEED, a.squares, a.without, a.power, a.keep)
    for name, bands in BANDS.items():
        if a.only and name != a.only:
            continue
        print(f"cloud_edge_{name}: {sum(q.numel() for q in CloudNet(bands).parameters())} parameters", flush=True)
        net = train(bands, squares, a.steps, a.batch, lambda s: print(s, flush=True)).to(memory_format=torch.contiguous_format)
        to = a.out / f"cloud_edge_{name}" / "1" / "model.onnx"
        to.parent.mkdir(parents=True, exist_ok=True)
        torch.onnx.export(Answer(net), torch.zeros(1, len(bands), 256, 256), to, input_names=["image"], output_names=["cloud"],
                          opset_version=13, dynamo=False)
        print(f"  {to}: {to.stat().st_size / 1024:.0f} KiB", flush=True)


if __name__ == "__main__":
    main()
