"""Chirp scaling of raw radar echoes with NumPy and SciPy: the peer that `make bench` holds shared/sar against.

The same formulas as there (Cumming and Wong, Digital Processing of Synthetic Aperture Radar Data, 2005, chapter 7),
written as one writes them with whole arrays: complex64 data, phases in double precision, FFTs of all threads.

    sar.py FILE.yaml [--out image.npy] [--doppler-hz HZ] [--lines N] [--threads N] [--turns N]

It prints a JSON object: seconds (of the fastest turn, reading left out), samples, ms_per_s (megasamples a second).
"""
import argparse
import json
import os
import time

import numpy as np
import scipy.fft


def parameters(path):
    """The YAML's flat keys: no library is needed for these. An orbit is passed over."""
    found = {}
    for line in open(path):
        key, colon, value = line.split("#")[0].partition(":")
        if colon and key and not key[0].isspace():
            value = value.strip()
            try:
                found[key] = float(value)
            except ValueError:
                found[key] = value
    return found


def read(path, p, lines):
    kind = {"iq8": np.int8, "iq16": "<i2", "cf32": "<f4"}[p.get("format", "iq8")]
    samples = int(p["samples"])
    raw = np.fromfile(os.path.join(os.path.dirname(path), p["data"]), kind, lines * samples * 2).reshape(lines, samples, 2)
    x = np.empty((lines, samples), np.complex64)
    x.real, x.imag = raw[..., 0], raw[..., 1]
    if p.get("agc"):
        x *= (10 ** (np.loadtxt(os.path.join(os.path.dirname(path), p["agc"]))[:lines] / 20)).astype(np.float32)[:, None]
    return x


def turn(phase):
    """exp(j phase), the phase in double precision, reduced before it becomes single."""
    return np.exp(1j * np.remainder(phase, 2 * np.pi)).astype(np.complex64)


def focus(x, p, doppler, threads):
    """The image, and how many lines after row r's own its ground is nearest."""
    lines, samples = x.shape
    c, f0, prf, fs = p.get("speed_of_light_m_s", 299792458.0), p["carrier_hz"], p["prf_hz"], p["sampling_hz"]
    k, v, near, chirp = p["chirp_rate_hz_s"], p["effective_velocity_m_s"], p["first_sample_slant_range_m"], p["chirp_s"]
    reference = near + (samples - 1) / 2 * c / (2 * fs)
    sine = doppler * c / f0 / 2 / v
    offset = int(round(reference * sine / np.sqrt(1 - sine * sine) / v * prf))
    aperture = int(abs(prf * prf * c / f0 * reference / (2 * v * v) / (1 - sine * sine) ** 1.5)) + 1
    rows, columns = scipy.fft.next_fast_len(lines + aperture), scipy.fft.next_fast_len(samples + int(chirp * fs) + 1)
    late = chirp / 2 if p.get("pulse_reference") == "start" else 0.0
    tau = 2 * near / c + np.arange(columns) / fs

    x = scipy.fft.fft(x, rows, axis=0, workers=threads)
    hz = np.fft.fftfreq(rows, 1 / prf)
    hz = hz + prf * np.round((doppler - hz) / prf)
    d = np.sqrt(1 - (c * hz / (2 * v * f0)) ** 2)[:, None]
    km = k / (1 - k * c * reference * hz[:, None] ** 2 / (2 * v * v * f0**3 * d**3))
    padded = np.zeros((rows, columns), np.complex64)
    padded[:, :samples] = x
    x = padded
    x *= turn(np.pi * km * (1 / d - 1) * (tau - late - 2 * reference / (c * d)) ** 2)  # 7.30: curves become alike
    x = scipy.fft.fft(x, axis=1, overwrite_x=True, workers=threads)
    f = np.fft.fftfreq(columns, 1 / fs)
    x *= turn(np.pi * d / km * f**2 + 4 * np.pi / c * (1 / d - 1) * reference * f + 2 * np.pi * late * f)  # 7.32
    x = scipy.fft.ifft(x, axis=1, overwrite_x=True, workers=threads)[:, :samples]
    r0 = near + np.arange(samples) * c / (2 * fs)
    x *= turn(4 * np.pi * f0 / c * r0 * (d - 1) + np.pi / 4 * (1 - np.sign(k)) - 4 * np.pi * km / c**2 * (1 - d) * ((r0 - reference) / d) ** 2 + 2 * np.pi * hz[:, None] * offset / prf)  # 7.32
    edge = np.clip((np.abs(hz - doppler) / (prf / 2) - 0.98) / 0.02, 0, 1)  # the last hundredth of the PRF at each end
    x *= ((1 + np.cos(np.pi * edge)) / 2).astype(np.float32)[:, None]
    return scipy.fft.ifft(x, axis=0, overwrite_x=True, workers=threads)[:lines], offset


def main():
    a = argparse.ArgumentParser()
    a.add_argument("yaml")
    a.add_argument("--out")
    a.add_argument("--doppler-hz", type=float)
    a.add_argument("--lines", type=int)
    a.add_argument("--threads", type=int, default=os.cpu_count())
    a.add_argument("--turns", type=int, default=1)
    a = a.parse_args()
    p = parameters(a.yaml)
    lines = a.lines or int(p["lines"])
    doppler = p["doppler_centroid_hz"] if a.doppler_hz is None else a.doppler_hz
    raw, best = read(a.yaml, p, lines), float("inf")
    for _ in range(a.turns):
        began = time.perf_counter()
        image, offset = focus(raw, p, doppler, a.threads)
        best = min(best, time.perf_counter() - began)
    if a.out:
        np.save(a.out, image)
    print(json.dumps({"seconds": best, "samples": raw.size, "ms_per_s": raw.size / best / 1e6, "row_offset": offset}))


main()
