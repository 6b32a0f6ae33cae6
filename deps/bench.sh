#!/usr/bin/env bash
# The project's benchmarks, each as a ratio to a limit or a peer measured in the same run; called by
# `make bench`, which sets the environment. Nothing else should run meanwhile.
#   BENCH_SIDE   side of the large scene whose memory is measured   (default 10980)
#   BENCH_LINES  lines of 8192 samples of the radar's acquisition that goes the whole way (default 8192; 65536 takes
#                15 GB of disk)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
out=$root/.bench
rm -rf "$out/run"; mkdir -p "$out/run"
models=${CANVAS_ASSETS:-$root/../shared/assets}/models

# pick NAME: the largest value of a metric among benchmark lines on stdin.
pick() { awk -v unit="$1" '{for (i = 2; i <= NF; i++) if ($i == unit && $(i-1) > best) best = $(i-1)} END {print best + 0}'; }
# bench LABEL PACKAGE PATTERN TIME: the lines of Go benchmarks; of one that fails, what it said.
failed=0
bench() {
  (cd "$root" && go test "$2" -run '^$' -bench "$3" -benchtime "$4" -timeout 30m) >"$out/bench.log" 2>&1 || { echo "$1: failed"; tail -30 "$out/bench.log"; failed=1; }
  awk -v label="$1" '/^Benchmark.*ns\/op/ {print label ":", $0}' "$out/bench.log"
}
# forward PATTERN: the best layout's forward passes a second, of the engines on a CPU.
forward() { (cd "$root" && go test ./shared/infer -run '^$' -bench "Forward/$1/(onnxruntime|openvino)" -benchtime "$2" | pick images/s); }

echo "machine: $(nproc) cores, $(awk '/MemTotal/ {printf "%.0f GiB", $2 / 1048576}' /proc/meminfo), $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2)"

if [ -f "$models/yolox_nano.onnx" ]; then
  turns=()
  for turn in 1 2 3; do # by turns, since the machine's speed drifts
    turns+=("$(forward yolox_nano 2s)")
    "$root/bin/canvas" process --out "$out/run/camera-$turn" --video "$root/.deps/samples/vtest.avi" --detector yolox_nano --models "$models" >/dev/null
  done
  python3 - "$out/run" "${turns[@]}" <<'PY'
import json, statistics, sys
run, forward = sys.argv[1], [float(f) for f in sys.argv[2:]]
rates, found = [], set()
for turn in range(1, len(forward) + 1):
    rates.append(json.load(open(f"{run}/camera-{turn}/summary.json"))["cameras"][0]["frames_per_second"])
    found.add(sum(d["score"] >= 0.3 for d in json.load(open(f"{run}/camera-{turn}/vtest/detections.json"))))
ratio = statistics.median(r / f for r, f in zip(rates, forward))
print(f"camera, medians of {len(forward)} turns: {statistics.median(rates):.1f} frames/s, {found} detections at 0.3/0.45; forward only, best layout and engine: {statistics.median(forward):.1f}; ratio {ratio:.2f}")
PY
else
  echo "camera: skipped, $models/yolox_nano.onnx is not here"
fi
peer=$out/peers/python
if { [ -x "$peer/bin/pip" ] || python3 -m venv "$peer"; } >"$out/python.log" 2>&1 &&
  "$peer/bin/pip" install -q --disable-pip-version-check -r "$root/deps/peers/python/requirements.txt" >>"$out/python.log" 2>&1; then
  CANVAS_PEER_PYTHON=$peer/bin/python bench "camera beside Python" ./cmd/integration 'Camera$' 1x
else
  echo "camera beside Python: skipped, pip can't bring what deps/peers/python/requirements.txt lists; set PIP_INDEX_URL to an index that this machine reaches. It said: $(grep -m1 -i error "$out/python.log" || tail -1 "$out/python.log")"
fi

for peer_side in 2048 4096; do
  "$root/bin/canvas" simulate scene --out "$out/run/sim-$peer_side" --width $peer_side --height $peer_side --clouds 0.3 --seed 7 >/dev/null
done
if [ -x "$peer/bin/pip" ] && "$peer/bin/pip" install -q --disable-pip-version-check -r "$root/deps/peers/codecs/requirements.txt" >>"$out/python.log" 2>&1; then
  export CANVAS_CODECS_PYTHON=$peer/bin/python
else
  echo "tiles of the link: no JPEG XL and JPEG-LS beside them, pip can't bring what deps/peers/codecs/requirements.txt lists"
fi
CANVAS_LINK_SCENES=$root/.deps/samples/sentinel2.tif:$root/.deps/samples/landsat8.tif:$out/run/sim-2048/scene.tif \
  bench "tiles of the link" ./shared/raster 'LinkTile$' 1x
"$root/bin/canvas" process --out "$out/run/first" --scene "$out/run/sim-2048/scene.tif" --keep-everything >/dev/null # tries the engines, where this machine has not yet
limit=$(forward ukis_csmask_6b_l1c 3s)
if [ ! -x "$out/venv/bin/python" ]; then
  python3 -m venv "$out/venv"
  "$out/venv/bin/pip" install -q --disable-pip-version-check onnxruntime numpy scipy rasterio "${CANVAS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cloudcanvas}"/packages/ukis_csmask-*.whl
fi
"$out/venv/bin/python" - "$root" "$out/run" "$limit" <<'PY'
import json, os, statistics, subprocess, sys, numpy, rasterio
root, run, forward = sys.argv[1], sys.argv[2], float(sys.argv[3])

def ours(scene, to):
    child = subprocess.Popen([root + "/bin/canvas", "process", "--out", to, "--scene", scene, "--keep-everything"], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    assert status == 0
    return json.load(open(to + "/summary.json")), used.ru_maxrss / 1024

def theirs(scene, to):
    return json.loads(subprocess.check_output([sys.executable, root + "/deps/peers/csmask/csmask.py", scene, to + "/peer.npy"]))

for side in (2048, 4096):
    scene, rates, peers, memory, peak = f"{run}/sim-{side}/scene.tif", [], [], [], []
    for turn in range(3): # by turns, since the machine's speed drifts
        to = f"{run}/scene-{side}-{turn}"
        summary, mib = ours(scene, to)
        done, peer = summary["scenes"][0], theirs(scene, to)
        megapixels = done["width"] * done["height"] / 1e6
        rates.append(megapixels / done["seconds"])
        peers.append(megapixels / peer["seconds"])
        memory.append(mib)
        peak.append(peer["peak_mib"])
    got = rasterio.open(to + "/scene/mask.tif").read(1)
    same = ((got == 2) == numpy.load(to + "/peer.npy"))[got != 255].mean()
    limit, rate, peer, tiles = megapixels / (done["tiles"]["total"] / forward), statistics.median(rates), statistics.median(peers), done["tiles"]["total"]
    ratio = statistics.median(r / p for r, p in zip(rates, peers))
    print(f"scene of {side} x {side}, {summary['engines'][0]['engine']}, medians of three turns: {rate:.2f} megapixels/s the whole way; forward only of the same {tiles} tiles: {limit:.2f}; ratio {rate / limit:.2f}; ukis-csmask's package: {peer:.2f}; ratio {ratio:.2f}; cloud or not agrees on {100 * same:.2f} %; peak MiB: {max(memory):.0f}, the package's {max(peak):.0f}")
PY

CANVAS_SAR_PYTHON=$out/venv/bin/python bench "radar beside NumPy" ./lab/simulate 'FocusBesideNumPy$' 1x
bench "radar: a block of the full swath" ./shared/sar 'Focus$' 5x >"$out/run/focus.txt"; cat "$out/run/focus.txt"
bench "radar: 65,536 lines of 8,192 samples, file to packed rows" ./shared/sar 'LongAcquisition$' 1x
lines=${BENCH_LINES:-8192}
"$root/bin/canvas" simulate echoes --out "$out/run/echoes" --name bench --samples 8192 --lines "$lines" >/dev/null
python3 - "$root/bin/canvas" "$out/run" "$lines" <<'PY'
import json, os, statistics, subprocess, sys
canvas, run, lines = sys.argv[1], sys.argv[2], int(sys.argv[3])
words = open(run + "/focus.txt").read().split()
alone, of_processor = (float(words[words.index(unit) - 1]) for unit in ("Ms/s", "Ms/s/processor"))
rates, processor, peak = [], [], []
for turn in range(3 if lines <= 8192 else 1):
    child = subprocess.Popen([canvas, "process", "--out", run + "/radar", "--echoes", run + "/echoes/bench.yaml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    assert status == 0
    done = json.load(open(run + "/radar/summary.json"))["radar"][0]
    assert done["complete"] and done["focused_rows"] == lines
    megasamples = done["lines"] * done["samples"] / 1e6
    rates.append(megasamples / done["seconds"])
    processor.append(megasamples / (used.ru_utime + used.ru_stime))
    peak.append(used.ru_maxrss / 1024)
    subprocess.run(["rm", "-rf", run + "/radar"], check=True)
rate, spent = statistics.median(rates), statistics.median(processor)
print(f"radar, {lines} lines of 8192 samples, file to COG, simulated: {rate:.1f} megasamples/s, of focusing alone {rate / alone:.2f}; {spent:.1f} a second of a processor, of focusing alone {spent / of_processor:.2f}; {max(peak):.0f} MiB at most, all rooms in one process")
PY
rm -rf "$out/run/echoes"

scenes=${CANVAS_ASSETS:-$root/../shared/assets}/scenes
if ls "$scenes"/l8biome_*_mask.tif >/dev/null 2>&1; then
  one=$(cd "$root" && go test ./shared/infer -run '^$' -bench "Forward/cloud_edge_6b/onnxruntime-cpu/1x$(nproc)" -benchtime 3s | pick images/s)
  labelled=()
  for mask in "$scenes"/l8biome_*_mask.tif; do labelled+=(--scene "${mask%_mask.tif}.tif" --labels "$mask"); done
  "$root/bin/canvas" eval cascade mask --edge cloud_edge_6b --cloud ukis_csmask_6b_l1c "${labelled[@]}" --legend l8biome \
    --bands blue,green,red,nir,swir16,swir22,cirrus,lwir --json >"$out/run/cascade.json"
  python3 - "$out/run/cascade.json" "$one" <<'PY'
import json, sys
r = json.load(open(sys.argv[1]))
e, c = r["edge"], r["cloud"]
curve = ", ".join(f"{p['quality']:.3f} at {100 * p['bytes']:.0f} %" for p in r["points"])
print(f"edge model: {1000 / float(sys.argv[2]):.1f} ms a tile on all cores; IoU of cloud {e:.3f} of the heavy one's {c:.3f}; ratio {e / c:.2f}; IoU against bytes: {curve}; {'pays' if r['pays'] else 'does not pay'}")
PY
else
  echo "edge model: skipped, no labelled scenes are here"
fi

side=${BENCH_SIDE:-10980}
"$root/bin/canvas" simulate scene --out "$out/run/large" --width "$side" --height "$side" --clouds 0.3 --seed 7 >/dev/null
python3 - "$root/bin/canvas" "$out/run" "$side" <<'PY'
import json, resource, subprocess, sys
canvas, run, side = sys.argv[1], sys.argv[2], int(sys.argv[3])
subprocess.run([canvas, "process", "--out", run + "/big", "--scene", run + "/large/scene.tif"], check=True, stdout=subprocess.DEVNULL)
l = json.load(open(run + "/big/summary.json"))["scenes"][0]
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(f"memory: {peak:.0f} MiB at most, all rooms in one process, for {side} x {side} x 6 in {l['seconds']:.0f} s ({side * side / 1e6 / l['seconds']:.2f} megapixels/s, {l['tiles']['sent']} of {l['tiles']['total']} tiles sent, complete: {l['complete']})")
PY
rm -rf "$out/run/large" "$out/run/big"

# A Sentinel-2 product of JPEG 2000: reading it against a plain read of the same windows, by turns in processes of
# their own, and the memory of the whole way.
safe=$out/run/S2B_X.SAFE
if (cd "$root" && go test -c -o "$out/raster.test" ./shared/raster) && CANVAS_MAKE_SAFE=$safe CANVAS_SAFE_SIDE=$side "$out/raster.test" -test.run '^TestMakeSAFE$' -test.v | grep -q '^--- PASS'; then
  for turn in 1 2 3; do
    for kind in SAFE PlainSAFE; do
      CANVAS_SAFE=$safe "$out/raster.test" -test.run '^$' -test.bench "^Benchmark$kind\$" -test.benchtime 1x -test.timeout 30m | awk -v kind=$kind '/ns\/op/ {print kind, $3 / 1e9}'
    done
  done >"$out/safe.txt"
  python3 - "$root/bin/canvas" "$out/run" "$out/safe.txt" "$side" <<'PY'
import json, resource, statistics, subprocess, sys
canvas, run, times, side = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
took = {"SAFE": [], "PlainSAFE": []}
for line in open(times):
    kind, seconds = line.split()
    took[kind].append(float(seconds))
ratio = statistics.median(p / s for s, p in zip(took["SAFE"], took["PlainSAFE"]))
subprocess.run([canvas, "process", "--out", run + "/safe", "--scene", run + "/S2B_X.SAFE"], check=True, stdout=subprocess.DEVNULL)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(f"SAFE of {side} x {side}, medians of three turns: reading all tiles {statistics.median(took['SAFE']):.1f} s; the same windows with GDAL alone {statistics.median(took['PlainSAFE']):.1f} s; ratio {ratio:.2f}; the whole way in {peak:.0f} MiB at most")
PY
else
  echo "SAFE: skipped, GDAL here does not write JPEG 2000"
fi
rm -rf "$safe" "$out/run/safe"

CANVAS_FFT_PYTHON=$out/venv/bin/python bench "transforms" ./shared/fft 'Block|Peers' 5x # of a processor's time, the shortest
bench outbox ./edge/outbox Commit 2s
# Telegraf is a module of its own; where it can't be had, the bridge is held against the plain one only.
if (cd "$root/deps/peers/telegraf" && GOFLAGS= CGO_ENABLED=0 go build -o "$out/telegraf" . 2>"$out/telegraf.log"); then
  export CANVAS_TELEGRAF=$out/telegraf
else
  echo "bridge: no Telegraf beside it: $(tail -1 "$out/telegraf.log")"
fi
bench bridge ./cloud/bridge Bridge 1x
bench worker ./cloud/worker/native Worker 1x
bench drain ./edge Drain 1x
bench idle ./cmd/integration Idle 1x
bench console ./cloud/console 'FirstView|RecordToPixel|MapTiles' 3x
bench "event to pixel" ./cmd/integration EventToPixel 3x
bench "objects" ./cloud/store Put 100x # beside write, fsync, rename and fsync of the folder by hand, by turns
bench latency ./cmd/integration Latency 1x
"$root/bin/canvas" simulate pass | grep '^simulated, canvas over FIFO'
exit $failed
