"""The edge's cloud network: three bands or more of reflectance in, a probability for each pixel out."""
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

PAIRS = [("blue", "red"), ("green", "red"), ("nir", "red"), ("green", "nir"), ("green", "swir16"), ("nir", "swir16"), ("swir16", "swir22")]


class Spectrum(nn.Module):
    """Bands and their normalised differences, which neither sun nor sensor scales. Each two by two pixels
    become one of four times the channels: nothing is lost, and what follows costs a quarter."""

    def __init__(self, bands):
        super().__init__()
        at = {b: i for i, b in enumerate(bands)}
        pairs = [(at[a], at[b]) for a, b in PAIRS if a in at and b in at]
        one = torch.eye(len(bands))
        first, second = (one[[p[i] for p in pairs]] for i in (0, 1))
        for name, mix in (("each", 3 * one), ("minus", first - second), ("plus", first + second)):
            # A kernel that sees one pixel of the four: four times as many as there are mixes.
            kernel = mix[:, None, :, None] * torch.eye(4)[None, :, None, :]
            self.register_buffer(name, kernel.reshape(4 * len(mix), len(bands), 2, 2))
        self.register_buffer("dark", torch.full((len(self.each),), -0.6))
        self.register_buffer("apart", torch.full((len(self.plus),), 0.02))
        self.features = len(self.each) + len(self.plus)

    def forward(self, x):
        x = x.clamp(0, 1.6)
        ratios = F.conv2d(x, self.minus, stride=2) / F.conv2d(x, self.plus, self.apart, stride=2)
        return torch.cat([F.conv2d(x, self.each, self.dark, stride=2), ratios], 1)


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
    """A U over a quarter of the resolution, which knows what lies around, and a path that looks at single
    pixels, which keeps edges sharp and makes thresholds cheap to learn."""

    def __init__(self, bands, widths=(32, 64, 128), near=32):
        super().__init__()
        self.spectrum = Spectrum(bands)
        self.pixel = nn.Sequential(conv(self.spectrum.features, near, size=1), conv(near, near, size=1))
        self.stem = conv(near, widths[0], stride=2)
        self.level = nn.ModuleList([nn.Sequential(Block(w), Block(w)) for w in widths])
        self.down = nn.ModuleList([conv(a, b, stride=2) for a, b in zip(widths, widths[1:])])
        self.up = nn.ModuleList([conv(b, a, size=1) for a, b in zip(widths, widths[1:])])
        self.join = nn.ModuleList([Block(w) for w in widths[:-1]])
        self.context = nn.Conv2d(widths[0], near, 1)
        self.head = nn.Sequential(conv(near, near, groups=near), conv(near, near, size=1), nn.Conv2d(near, 4, 1))

    def forward(self, x):
        return self.around(self.pixel(self.spectrum(x)))

    def around(self, pixel):
        y, skips = self.stem(pixel), []
        for i, level in enumerate(self.level):
            y = level(self.down[i - 1](y) if i else y)
            skips.append(y)
        for i in reversed(range(len(self.up))):
            y = self.join[i](F.interpolate(self.up[i](y), scale_factor=2, mode="nearest") + skips[i])
        y = F.interpolate(self.context(y), scale_factor=2, mode="bilinear", align_corners=False)
        return F.pixel_shuffle(self.head(F.relu(pixel + y)), 2)


class Answer(nn.Module):
    """The network as it is shipped: a probability. Its first layer takes bands and ratios by two by two
    pixels itself, which is the same sum and saves a fifth of the whole time: nothing is made of four
    times the channels first."""

    def __init__(self, net):
        super().__init__()
        self.net = net.eval()
        spectrum, (first, norm, _) = net.spectrum, net.pixel[0]
        whole = fuse_conv_bn_eval(first, norm)
        bands, near = spectrum.each.shape[1], first.out_channels
        weight = whole.weight.detach().reshape(near, -1, 2, 2)
        self.bands = nn.Conv2d(bands, near, 2, 2)
        self.bands.weight.data = 3 * weight[:, :bands]
        self.bands.bias.data = whole.bias.detach() + spectrum.dark[0] * weight[:, :bands].sum((1, 2, 3))
        self.ratios = nn.Conv2d(weight.shape[1] - bands, near, 2, 2, bias=False)
        self.ratios.weight.data = weight[:, bands:].contiguous()
        for name in "minus", "plus":
            self.register_buffer(name, getattr(spectrum, name)[::4, :, 0, 0].contiguous())  # the mixes of one pixel

    def forward(self, x):
        x = x.clamp(0, 1.6)
        flat = x.reshape(x.shape[1], -1)  # one tile at a time
        ratios = (self.minus @ flat) / (self.plus @ flat + self.net.spectrum.apart[0])
        pixel = F.relu(self.bands(x) + self.ratios(ratios.reshape(1, -1, *x.shape[2:])))
        return torch.sigmoid(self.net.around(self.net.pixel[1](pixel)))
