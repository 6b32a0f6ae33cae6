# The build's environment: source deps/env.sh to call go by hand. Native libraries are found at
# build time through pkg-config, at run time through each program's RPATH ($ORIGIN/../.deps/lib).
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PKG_CONFIG_PATH=$root/.deps/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
export CGO_ENABLED=1
export GOFLAGS="-tags=gocv_specific_modules,gocv_dnn,gocv_objdetect -buildvcs=false"
# cgo wants the RPATH spelled at link time only, so that the build cache serves every checkout.
export CANVAS_LDFLAGS="-r \$ORIGIN/../.deps/lib:$root/.deps/lib"
# For `go test` and `go run`, whose programs lie elsewhere.
export LD_LIBRARY_PATH=$root/.deps/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export CANVAS_HOME=$root/.deps
