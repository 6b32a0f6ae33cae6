#!/usr/bin/env python3
"""Trains the edge's small cloud networks: one each for RGB, RGB+NIR and six bands.

    python3 -m venv /tmp/train && /tmp/train/bin/pip install torch onnx onnxruntime numpy
    /tmp/train/bin/python models/train/clouds.py --patches DIR --teacher DIR_OF_UKIS_CSMASK_ONNX --out models

Labelled patches teach by their labels, all others by what the heavy network says of them, averaged
over eight flips and turns; clear ground also gets simulated clouds, whose opacity is known. Nothing of
the scenes in evaluate.py is seen. models/train/README.md tells the recipe and the figures.
"""
import argparse
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from patches import Patches

BANDS = {
    "rgb": ["blue", "green", "red"],
    "rgbn": ["blue", "green", "red", "nir"],
    "6b": ["blue", "green", "red", "nir", "swir16", "swir22"],
}
SEED = 20


class Spectrum(nn.Module):
    """What a pixel's bands say beside their height: ratios that neither sun nor sensor scales."""

    def __init__(self, bands):
        super().__init__()
        at = {b: i for i, b in enumerate(bands)}
        pairs = [("blue", "red"), ("green", "red")]
        if "nir" in at:
            pairs += [("nir", "red"), ("green", "nir")]
        if "swir16" in at:
            pairs += [("green", "swir16"), ("nir", "swir16"), ("swir16", "swir22")]
        self.a = [at[a] for a, _ in pairs]
        self.b = [at[b] for _, b in pairs]
        self.features = len(bands) + len(pairs) + 1

    def forward(self, x):
        x = x.clamp(0, 1.6)
        a = torch.cat([x[:, i:i + 1] for i in self.a], 1)
        b = torch.cat([x[:, i:i + 1] for i in self.b], 1)
        ratios = (a - b) / (a + b + 0.02)
        haze = x[:, 0:1] - 0.5 * x[:, 2:3] - 0.08  # the haze optimised transform (Zhu & Woodcock 2012)
        return torch.cat([3 * x - 0.6, ratios, 4 * haze], 1)


def conv(i, o, stride=1, groups=1, size=3):
    return nn.Sequential(nn.Conv2d(i, o, size, stride, size // 2, groups=groups, bias=False), nn.BatchNorm2d(o), nn.ReLU())


class Block(nn.Module):
    """Depthwise, then pointwise, with a way around."""

    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(conv(width, width, groups=width, size=5), conv(width, width, size=1))

    def forward(self, x):
        return x + self.body(x)


class CloudNet(nn.Module):
    """A shallow U over a quarter of the resolution; its pixels are lifted by a path that only looks
    at single pixels, so that edges stay sharp and thresholds are cheap to learn."""

    def __init__(self, bands, widths=(24, 40, 64)):
        super().__init__()
        self.spectrum = Spectrum(bands)
        n = self.spectrum.features
        self.pixel = nn.Sequential(conv(n, 12, size=1), conv(12, 8, size=1))
        self.stem = nn.Sequential(conv(n, 16, stride=2), conv(16, widths[0], stride=2))
        self.level = nn.ModuleList([nn.Sequential(Block(w), Block(w)) for w in widths])
        self.down = nn.ModuleList([conv(a, b, stride=2) for a, b in zip(widths, widths[1:])])
        self.up = nn.ModuleList([conv(b, a, size=1) for a, b in zip(widths, widths[1:])])
        self.join = nn.ModuleList([Block(w) for w in widths[:-1]])
        self.context = nn.Conv2d(widths[0], 8, 1)
        self.head = nn.Sequential(conv(16, 12, size=1), nn.Conv2d(12, 1, 1))

    def forward(self, x):
        s = self.spectrum(x)
        y, skips = self.stem(s), []
        for i, level in enumerate(self.level):
            y = level(self.down[i - 1](y) if i else y)
            skips.append(y)
        for i in reversed(range(len(self.up))):
            y = F.interpolate(self.up[i](y), scale_factor=2, mode="nearest")
            y = self.join[i](y + skips[i])
        y = F.interpolate(self.context(y), scale_factor=4, mode="bilinear", align_corners=False)
        return self.head(torch.cat([self.pixel(s), y], 1))


def loss_of(logits, want, known):
    """Cross entropy for each pixel, and overlap for the picture as a whole."""
    each = F.binary_cross_entropy_with_logits(logits, want, reduction="none")
    p = torch.sigmoid(logits) * known
    both = (p * want).sum((1, 2, 3))
    dice = 1 - (2 * both + 20) / (p.sum((1, 2, 3)) + (want * known).sum((1, 2, 3)) + 20)
    return (each * known).sum() / known.sum().clamp(min=1) + 0.5 * dice.mean()


def train(bands, data, steps, batch, say):
    torch.manual_seed(SEED)
    net = CloudNet(bands)
    average = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True)
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=0.02)
    pace = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps, pct_start=0.1)
    rng, running = np.random.default_rng(SEED), 0.0
    for step in range(1, steps + 1):
        x, want, known = (torch.from_numpy(a) for a in data.batch(rng, bands, batch))
        loss = loss_of(net(x), want, known)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        pace.step()
        average.update_parameters(net)
        running += (float(loss) - running) / min(step, 100)
        if step % 250 == 0:
            say(f"  {step} of {steps} steps: loss {running:.4f}")
    return average.module.eval()


class Answer(nn.Module):
    """The network as it is shipped: a probability."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return torch.sigmoid(self.net(x))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--patches", required=True, type=pathlib.Path)
    p.add_argument("--teacher", required=True, type=pathlib.Path, help="folder of ukis-csmask's model_*.onnx")
    p.add_argument("--out", required=True, type=pathlib.Path)
    p.add_argument("--steps", type=int, default=4000)
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--without", default="", help="leave out patches whose name begins so: a sensor held out")
    p.add_argument("--only", default="", help="one of " + ", ".join(BANDS))
    a = p.parse_args()
    data = Patches(a.patches, a.teacher, a.without)
    print(f"{len(data.all)} patches, {sum(p.labelled for p in data.all)} of them labelled")
    for name, bands in BANDS.items():
        if a.only and name != a.only:
            continue
        print(f"cloud_edge_{name}: {sum(q.numel() for q in CloudNet(bands).parameters())} parameters", flush=True)
        net = train(bands, data, a.steps, a.batch, lambda s: print(s, flush=True))
        to = a.out / f"cloud_edge_{name}" / "1" / "model.onnx"
        to.parent.mkdir(parents=True, exist_ok=True)
        torch.onnx.export(Answer(net), torch.zeros(1, len(bands), 256, 256), to, input_names=["image"], output_names=["cloud"],
                          opset_version=13, dynamo=False)
        print(f"  {to}: {to.stat().st_size / 1024:.0f} KiB", flush=True)


if __name__ == "__main__":
    main()
