#!/usr/bin/env bash
# Prints NOTICE: what is linked into the programs, what set-up brings, and under which licences.
# deps/notice.sh > NOTICE after a module or a package has changed; make lint says when that is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
source deps/env.sh
licence() { # of a module's folder
  local text; text=$(cat "$1"/LICEN[SC]E* "$1"/COPYING* 2>/dev/null | head -60 | tr '\n' ' ' | tr -s ' ')
  case "$text" in
    *"Apache License"*) echo Apache-2.0 ;;
    *"Eclipse Public License"*) echo "EPL-2.0 or EDL-1.0" ;;
    *"Mozilla Public License"*) echo MPL-2.0 ;;
    *"Permission is hereby granted, free of charge"*) echo MIT ;;
    *"Redistributions of source code"*"either the name of"*|*"Redistributions of source code"*"names of its contributors"*) echo BSD-3-Clause ;;
    *"Redistributions of source code"*) echo BSD-2-Clause ;;
    *) echo "see its source" ;;
  esac
}
cat <<'TEXT'
Cloud Canvas
Copyright the Cloud Canvas authors

Licensed under the Apache License, Version 2.0 (LICENSE).

The programs are linked with, or load, or run:

  OpenCV                       Apache-2.0
  OpenBLAS                     BSD-3-Clause
  ONNX Runtime                 MIT
  OpenVINO                     Apache-2.0
  GDAL and PROJ                MIT (and what their builds link: PROJ, GEOS LGPL-2.1, libheif LGPL-3.0, …)
  FFmpeg                       LGPL-2.1 or GPL-2.0, as it was built; a program of its own, not linked
  Apache Kafka, Apache ZooKeeper  Apache-2.0; programs of their own
  Eclipse Mosquitto            EPL-2.0 or EDL-1.0; a program of its own

Networks and samples that set-up fetches have licences of their own: models/*/model.yaml and
`canvas-edge models ls` name that of each network.

Go modules in the programs:

TEXT
go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}}	{{.Dir}}{{end}}{{end}}' ./cmd/... | sort -u | while IFS=$'\t' read -r path dir; do
  [ -n "$path" ] && printf '  %-78s %s\n' "$path" "$(licence "$dir")"
done
