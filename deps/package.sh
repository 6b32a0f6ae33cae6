#!/usr/bin/env bash
# Makes Debian packages of what deps/install.sh installs, for the distribution that it runs on:
#   canvas-runtime   the libraries and models that all programs share
#   canvas-edge      the agent of a device, its unit
#   canvas-cloud     the cloud's processes and commands, and `canvas`, the whole way on one machine
# They lie in dist/. A package needs what its programs are linked with, in the versions of this distribution.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in dpkg-deb dpkg-shlibdeps; do
  command -v "$tool" >/dev/null || { echo "$tool is not here: apt-get install dpkg-dev" >&2; exit 1; }
done
described=$(git describe --tags --always --dirty 2>/dev/null || echo dev)
case $described in v[0-9]*|[0-9]*.[0-9]*) version=${described#v} ;; *) version=0~$(git log -1 --format=%cd --date=format:%Y%m%d%H%M 2>/dev/null || echo 0).$described ;; esac
version=${version//-/+}
arch=$(dpkg --print-architecture)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
deps/install.sh "$work/all"
mkdir -p dist

take() { # package, paths below the root …
  local package=$1 path; shift
  for path in "$@"; do
    mkdir -p "$work/$package$(dirname "$path")"
    mv "$work/all$path" "$work/$package$path"
  done
}
u=/usr/lib/systemd/system s=/usr/share
of() { echo "/usr/bin/$1" "$s/man/man1/$1.1.gz" "$s/bash-completion/completions/$1" "$s/zsh/vendor-completions/_$1" "$s/fish/vendor_completions.d/$1.fish"; }
take canvas-edge $(of canvas-edge) $u/canvas-edge.service $u/canvas-edge-renew.service $u/canvas-edge-renew.timer /etc/canvas/edge.env
take canvas-cloud $(of canvas-cloud) $(of canvas) $u/canvas-bridge.service $u/canvas-console.service $u/canvas-mosaic.service $u/canvas-worker@.service /etc/canvas/cloud.env
find "$work/all" -depth -type d -empty -delete
mv "$work/all" "$work/canvas-runtime"

# What the programs and libraries of a package need of the distribution.
needs() {
  mkdir -p "$work/source/debian"
  printf 'Source: canvas\n\nPackage: %s\nArchitecture: any\n' "$1" > "$work/source/debian/control"
  local files; mapfile -t files < <(find "$work/$1" -type f \( -path '*/bin/*' -o -name '*.so*' \))
  [ ${#files[@]} -eq 0 ] && return
  (cd "$work/source" && dpkg-shlibdeps -O --ignore-missing-info -l"$work/canvas-runtime/usr/lib/canvas" "${files[@]}" 2>"$work/shlibdeps.log") | sed -n 's/^shlibs:Depends=//p'
}

pack() { # package, what it needs beside libraries, summary, description
  local package=$1 more=$2 depends dir=$work/$1
  depends=$(needs "$package")
  mkdir -p "$dir/DEBIAN"
  cat > "$dir/DEBIAN/control" <<CONTROL
Package: $package
Version: $version
Architecture: $arch
Maintainer: Cloud Canvas authors <noreply@invalid>
Installed-Size: $(du -sk --exclude=DEBIAN "$dir" | cut -f1)
Depends: $(echo "$more${more:+${depends:+, }}$depends")
Section: science
Priority: optional
Description: $3
 $4
CONTROL
  (cd "$dir" && find . -path './etc/*' -type f -printf '/%P\n' > DEBIAN/conffiles
   find . -path './DEBIAN' -prune -o -type f -printf '%P\n' | sort | xargs md5sum > DEBIAN/md5sums)
  [ -s "$dir/DEBIAN/conffiles" ] || rm "$dir/DEBIAN/conffiles"
  local script
  for script in postinst prerm postrm; do
    [ ! -f "deps/debian/$package.$script" ] || install -m 0755 "deps/debian/$package.$script" "$dir/DEBIAN/$script"
  done
  dpkg-deb --root-owner-group -Zxz -z"${CANVAS_XZ:-6}" --build "$dir" "dist/${package}_${version}_$arch.deb"
}
pack canvas-runtime "" "what the programs of Cloud Canvas share" "OpenCV, ONNX Runtime and OpenVINO as they were tested with, and networks."
pack canvas-edge "canvas-runtime (= $version), ffmpeg, systemd" "agent of Cloud Canvas for devices" "Takes pictures from cameras, sensors and scenes, and sends the best first."
pack canvas-cloud "canvas-runtime (= $version), systemd" "cloud processes and commands of Cloud Canvas" "Bridge, workers, mosaic and console, and canvas, the whole way on one machine."
