#!/usr/bin/env bash
# Installs the programs, with all that they need and a distribution does not bring:
#   deps/install.sh ROOT     ROOT is put before every path; empty: this machine
# The one list of what is installed, and where; deps/package.sh packs what it makes.
#   /usr/bin                    canvas-edge, canvas-cloud, canvas
#   /usr/lib/canvas             OpenCV, OpenBLAS, ONNX Runtime, OpenVINO; models/
#   /usr/lib/systemd/system     the units; sysusers.d and tmpfiles.d beside them
#   /usr/share/canvas           samples of configurations, packs, rules for monitoring
#   /usr/share/man, completions, /usr/share/doc/canvas
#   /etc/canvas                 edge.env, cloud.env
set -euo pipefail
cd "$(dirname "$0")/.."
root=${1-}
bin=$root/usr/bin lib=$root/usr/lib/canvas share=$root/usr/share doc=$root/usr/share/doc/canvas
version=$(git describe --tags --always --dirty 2>/dev/null || echo dev)

# Programs that know no folder of the machine they were built on: no paths, no symbols, any address.
install -d "$bin"
go build -trimpath -buildmode=pie -ldflags "-s -w -r \$ORIGIN/../lib/canvas -X main.version=$version" -o "$bin/" ./cmd/canvas ./cmd/canvas-edge ./cmd/canvas-cloud

install -d "$lib"
for file in .deps/lib/*.so*; do
  case $file in *.so) [ -L "$file" ] && [ "$(basename "$file")" != libopenvino_c.so ] && continue ;; esac # links are for building only
  cp -P "$file" "$lib/"
done
chmod 0644 "$lib"/*.so*
for file in .deps/models/*/*/model.onnx; do install -D -m 0644 "$file" "$lib/${file#.deps/}"; done

install -d "$root/usr/lib/systemd/system"
install -m 0644 systemd/*.service systemd/*.timer "$root/usr/lib/systemd/system/"
install -D -m 0644 systemd/canvas.sysusers.conf "$root/usr/lib/sysusers.d/canvas.conf"
install -D -m 0644 systemd/canvas.tmpfiles.conf "$root/usr/lib/tmpfiles.d/canvas.conf"
install -d "$root/etc/canvas"
install -m 0644 systemd/edge.env systemd/cloud.env "$root/etc/canvas/"

install -d "$share/canvas" "$doc"
for folder in profiles packs mosquitto prometheus grafana kubernetes; do cp -R "firmware-configs/$folder" "$share/canvas/"; done
install -m 0644 firmware-configs/*.yaml "$share/canvas/"
install -m 0644 LICENSE NOTICE README.md CHANGELOG.md SECURITY.md docs/*.md "$doc/"
mv "$doc/LICENSE" "$doc/copyright"

# The pages and completions that the programs themselves print.
run() { LD_LIBRARY_PATH=$lib "$bin/$@"; }
for program in canvas canvas-edge canvas-cloud; do
  install -d "$share/man/man1" "$share/bash-completion/completions" "$share/zsh/vendor-completions" "$share/fish/vendor_completions.d"
  run $program man | gzip -9n > "$share/man/man1/$program.1.gz"
  run $program completion bash > "$share/bash-completion/completions/$program"
  run $program completion zsh > "$share/zsh/vendor-completions/_$program"
  run $program completion fish > "$share/fish/vendor_completions.d/$program.fish"
done
find "$root/usr" "$root/etc/canvas" -path "$share/canvas*" -type f -exec chmod 0644 {} + 2>/dev/null || true
