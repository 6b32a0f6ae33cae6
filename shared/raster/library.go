package raster

/*
#cgo pkg-config: gdal
#include <stdlib.h>
#include <gdal.h>
#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_vsi.h>

static void canvas_start(long long cache) {
	CPLSetErrorHandler(CPLQuietErrorHandler);
	GDALSetCacheMax64(cache);
}
*/
import "C"

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"unsafe"

	"github.com/airbusgeo/godal"
)

// blockCacheBytes bounds GDAL's cache of decoded blocks, which all scenes of a process share. It
// holds one row of 512-pixel blocks of a 10,980 pixel wide scene of 6 bands of 16 bits (67 MB), so
// that walking tile by tile decodes each block once.
const blockCacheBytes = 96 << 20

// started is the one piece of state: GDAL itself is one per process.
var started = sync.OnceFunc(func() {
	C.canvas_start(C.longlong(blockCacheBytes))
	restrictGDAL()
})

// failures is handed to each call into GDAL: what GDAL reports goes into that call's error, not to
// stderr. Warnings (an odd tag, a missing optional part) do not fail a call.
func failures(category godal.ErrorCategory, _ int, message string) error {
	if category < godal.CE_Failure {
		return nil
	}
	return errors.New(message)
}

var reportErrors = godal.ErrLogger(failures)

// brief is what GDAL said, cut to what a person reads: a broken file can bring a line per block.
func brief(err error) error {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	// GDAL begins most lines with the file's name, which the caller says as well.
	if file, rest, ok := strings.Cut(lines[0], ": "); ok && strings.ContainsRune(file, '/') {
		lines[0] = rest
	}
	if len(lines) == 1 {
		return errors.New(lines[0])
	}
	return fmt.Errorf("%s (and %d messages more)", lines[0], len(lines)-1)
}

// memoryFile gives a name in GDAL's in-memory file system that nobody else uses.
func memoryFile() string { return fmt.Sprintf("/vsimem/canvas/%016x.tif", rand.Uint64()) }

// putMemory makes data readable under name. release must be called.
func putMemory(name string, data []byte) (release func(), err error) {
	cname := C.CString(name)
	bytes := C.CBytes(data)
	file := C.VSIFileFromMemBuffer(cname, (*C.GByte)(bytes), C.vsi_l_offset(len(data)), 1)
	if file == nil {
		C.free(unsafe.Pointer(cname))
		C.free(bytes)
		return nil, errors.New("no memory for the file")
	}
	C.VSIFCloseL(file)
	return func() {
		C.VSIUnlink(cname)
		C.free(unsafe.Pointer(cname))
	}, nil
}

// takeMemory gives the bytes of name and removes it.
func takeMemory(name string) ([]byte, error) {
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	var size C.vsi_l_offset
	bytes := C.VSIGetMemFileBuffer(cname, &size, 1)
	if bytes == nil {
		return nil, errors.New("nothing was written")
	}
	defer C.VSIFree(unsafe.Pointer(bytes))
	if size > 1<<31-1 {
		return nil, errors.New("more than 2 GiB were written")
	}
	return C.GoBytes(unsafe.Pointer(bytes), C.int(size)), nil
}

// dropMemory removes name if it is there.
func dropMemory(name string) {
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	C.VSIUnlink(cname)
}
