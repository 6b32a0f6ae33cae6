"""Ground and clouds that the patches show too seldom, laid over clear squares."""
import numpy as np

from teachers import SIDE

# What ground can be, from dark to bright: share of squares, reflectance in each band. How bright snow is
# in the short waves goes by its dirt, in the long ones by its grains, so that each has a height of its own.
COVERS = (
    (0.6, [0.35, 0.32, 0.32, 0.32, 0.02, 0.02], [1.00, 0.92, 0.95, 0.96, 0.26, 0.28]),  # snow and ice
    (0.4, [0.10, 0.11, 0.14, 0.22, 0.26, 0.20], [0.22, 0.30, 0.42, 0.50, 0.60, 0.55]),  # bare soil and sand
)


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


def covered(rng, image):
    """Clear ground under snow or turned into bare soil, in patches or all over."""
    _, dark, bright = COVERS[rng.choice(len(COVERS), p=[c[0] for c in COVERS])]
    dark, bright = np.array(dark, np.float32)[:, None, None], np.array(bright, np.float32)[:, None, None]
    field = noise(rng, range(1, 8))
    share = np.clip((field - np.quantile(field, max(0.0, rng.uniform(-0.5, 0.7)))) / rng.uniform(0.02, 0.2), 0, 1) * min(1, rng.uniform(0.7, 1.3))
    rough = rng.uniform(0, 0.7, 2) ** 2  # a field of snow may be as even as a sheet of cloud
    rough = rough[0] * (noise(rng, range(2, 8)) - 0.5) + rough[1] * (image[0] - image[0].mean())
    height = np.clip(np.repeat(rng.uniform(0, 1, 2), (4, 2))[:, None, None] + rough, 0, 1.1)
    tint = rng.normal(1, 0.08, (6, 1, 1))  # else the simulation would be known by its shape, and real snow not
    return image * (1 - share) + share * tint * (dark + height * (bright - dark))


def overcast(rng, image):
    """Clouds from haze, which counts as clear, to thick ones, with their shadows, and their opacity."""
    field = noise(rng, range(int(rng.integers(1, 4)), 8))
    level, soft = np.quantile(field, rng.uniform(0.15, 0.95)), rng.uniform(0.03, 0.2)
    opacity = np.clip((field - level) / soft, 0, 1) * rng.uniform(0.35, 1)
    bright = rng.uniform(0.28, 0.95) * (0.8 + 0.4 * noise(rng, range(2, 7)))
    tint = np.array([1.0, 0.98, 0.97, 0.98, rng.uniform(0.55, 1.0), rng.uniform(0.4, 0.85)], np.float32) * rng.normal(1, 0.06, 6)
    if rng.random() < 0.6:  # a shadow falls some way off, and is ground all the same
        image = image * (1 - rng.uniform(0.2, 0.6) * np.roll(opacity, rng.integers(-48, 49, 2), (0, 1)))
    return image * (1 - opacity) + opacity * bright * tint[:, None, None], opacity
