package raster

/*
#include <stdlib.h>
#include <string.h>
#include <cpl_conv.h>
#include <ogr_api.h>
#include <ogr_srs_api.h>

static OGRGeometryH canvas_geometry(const void *wkb, int n) {
	OGRGeometryH g = NULL;
	if (OGR_G_CreateFromWkb(wkb, NULL, &g, n) != OGRERR_NONE) return NULL;
	return g;
}

static void *canvas_bytes(OGRGeometryH g, int *n) {
	if (g == NULL) return NULL;
	*n = OGR_G_WkbSize(g);
	unsigned char *out = malloc(*n);
	if (out != NULL && OGR_G_ExportToWkb(g, wkbNDR, out) != OGRERR_NONE) { free(out); out = NULL; }
	return out;
}

static int canvas_valid(const void *wkb, int n) {
	OGRGeometryH g = canvas_geometry(wkb, n);
	if (g == NULL) return 0;
	int ok = OGR_G_IsValid(g);
	OGR_G_DestroyGeometry(g);
	return ok;
}

// What is made valid of a, without b (which may be missing), within c (likewise).
static void *canvas_overlay(const void *a, int na, const void *b, int nb, const void *c, int nc, int *n) {
	OGRGeometryH whole = canvas_geometry(a, na);
	if (whole == NULL) return NULL;
	OGRGeometryH now = OGR_G_MakeValid(whole);
	OGR_G_DestroyGeometry(whole);
	const void *with[2] = {b, c};
	int size[2] = {nb, nc};
	for (int i = 0; i < 2 && now != NULL; i++) {
		if (size[i] == 0) continue;
		OGRGeometryH other = canvas_geometry(with[i], size[i]), valid = other == NULL ? NULL : OGR_G_MakeValid(other);
		OGRGeometryH next = valid == NULL ? NULL : i == 0 ? OGR_G_Difference(now, valid) : OGR_G_Intersection(now, valid);
		if (valid != NULL) OGR_G_DestroyGeometry(valid);
		if (other != NULL) OGR_G_DestroyGeometry(other);
		OGR_G_DestroyGeometry(now);
		now = next;
	}
	void *out = canvas_bytes(now, n);
	if (now != NULL) OGR_G_DestroyGeometry(now);
	return out;
}

static void *canvas_union(const void *wkb, int len, int *n) {
	OGRGeometryH g = canvas_geometry(wkb, len);
	if (g == NULL) return NULL;
	OGRGeometryH u = OGR_G_UnionCascaded(g);
	OGR_G_DestroyGeometry(g);
	void *out = canvas_bytes(u, n);
	if (u != NULL) OGR_G_DestroyGeometry(u);
	return out;
}

static char *canvas_wkt2(const char *wkt) {
	OGRSpatialReferenceH s = OSRNewSpatialReference(wkt);
	if (s == NULL) return NULL;
	const char *options[] = {"FORMAT=WKT2_2019", NULL};
	char *out = NULL;
	if (OSRExportToWktEx(s, &out, options) != OGRERR_NONE) { CPLFree(out); out = NULL; }
	OSRDestroySpatialReference(s);
	return out;
}
*/
import "C"

import (
	"encoding/binary"
	"errors"
	"math"
	"unsafe"
)

// polygon is an outline: its rings, closed, the exterior first.
type polygon = [][][2]float64

var errOverlay = errors.New("the outline can't be made valid")

// valid says whether polygons are valid by the rules of OGC's simple features.
func valid(polygons []polygon) bool {
	b := appendWKB(nil, polygons)
	return C.canvas_valid(unsafe.Pointer(&b[0]), C.int(len(b))) == 1
}

// overlay gives the valid part of a, without b, within c; either may be empty.
func overlay(a, b, c []polygon) ([]polygon, error) {
	arguments := make([][]byte, 3)
	pointers := make([]unsafe.Pointer, 3)
	for i, p := range [][]polygon{a, b, c} {
		if len(p) > 0 {
			arguments[i] = appendWKB(nil, p)
			pointers[i] = C.CBytes(arguments[i])
			defer C.free(pointers[i])
		}
	}
	var n C.int
	out := C.canvas_overlay(pointers[0], C.int(len(arguments[0])), pointers[1], C.int(len(arguments[1])), pointers[2], C.int(len(arguments[2])), &n)
	return taken(out, n)
}

// union is one outline of many that touch or overlap.
func union(of []polygon) ([]polygon, error) {
	b := appendWKB(nil, of)
	var n C.int
	return taken(C.canvas_union(unsafe.Pointer(&b[0]), C.int(len(b)), &n), n)
}

func taken(wkb unsafe.Pointer, n C.int) ([]polygon, error) {
	if wkb == nil {
		return nil, errOverlay
	}
	defer C.free(wkb)
	return parseWKB(C.GoBytes(wkb, n))
}

// appendWKB writes a multipolygon (OGC 06-103r4, 8.2).
func appendWKB(b []byte, polygons []polygon) []byte {
	head := func(kind uint32, n int) {
		b = append(b, 1)
		b = binary.LittleEndian.AppendUint32(b, kind)
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	head(6, len(polygons))
	for _, rings := range polygons {
		head(3, len(rings))
		for _, ring := range rings {
			b = binary.LittleEndian.AppendUint32(b, uint32(len(ring)))
			for _, p := range ring {
				b = binary.LittleEndian.AppendUint64(b, math.Float64bits(p[0]))
				b = binary.LittleEndian.AppendUint64(b, math.Float64bits(p[1]))
			}
		}
	}
	return b
}

// WKT2 is the reference system in the words of ISO 19162:2019; "" where there is none that parses.
func (g Georef) WKT2() string {
	if g.WKT == "" {
		return ""
	}
	system, err := systemOf(g.WKT)
	if err != nil {
		return ""
	}
	defer system.Close()
	text, err := system.WKT() // as it was found to be safe
	if err != nil {
		return ""
	}
	wkt := C.CString(text)
	defer C.free(unsafe.Pointer(wkt))
	out := C.canvas_wkt2(wkt)
	if out == nil {
		return ""
	}
	defer C.VSIFree(unsafe.Pointer(out))
	return C.GoString(out)
}
