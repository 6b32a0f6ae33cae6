#!/usr/bin/env bash
# What a GPU does here; called by `make gpu`. Where there is one it sets the CUDA builds up, compares
# each CUDA engine, and focusing of radar echoes, with the CPU, measures it, and writes all that to .bench/gpu.txt. Where there is none
# it says so, and nothing else.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
if ! command -v nvidia-smi >/dev/null || ! devices=$(nvidia-smi -L 2>&1); then
  echo "gpu: there is none here (${devices:-nvidia-smi is not installed}); nothing was checked"
  exit 0
fi
CANVAS_GPU=1 "$root/deps/setup.sh"
source "$root/deps/env.sh"
mkdir -p "$root/.bench"
cd "$root"
{
  echo "$devices"
  nvidia-smi --query-gpu=driver_version,memory.total --format=csv,noheader
  go test ./shared/infer -run 'OnTheGPU' -count=1 -v
  go test ./shared/infer -run '^$' -bench 'Forward|GPU' -benchtime 3x
  go test ./shared/fft/gpu ./shared/sar -run 'OnTheGPU' -count=1 -v
  go test ./shared/fft/gpu -run '^$' -bench GPU -benchtime 5x
} 2>&1 | tee .bench/gpu.txt
