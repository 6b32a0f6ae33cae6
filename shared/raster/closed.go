package raster

/*
#include <stdlib.h>
#include <string.h>
#include <gdal.h>
#include <cpl_conv.h>
#include <cpl_http.h>
#include <cpl_string.h>
#include <cpl_vsi.h>
#include <ogr_srs_api.h>
#include "gate.h"

// It answers each request with a failure: where it gave none, GDAL would ask curl after all.
static CPLHTTPResult *canvas_no_fetch(const char *url, CSLConstList options, GDALProgressFunc progress, void *arg,
	CPLHTTPFetchWriteFunc write, void *write_arg, void *data) {
	CPLHTTPResult *refused = CPLCalloc(1, sizeof *refused);
	refused->nStatus = 1;
	refused->pszErrBuf = CPLStrdup("network access is closed");
	return refused;
}

static void *canvas_no_open(void *data, const char *name, const char *access) {
	CPLError(CE_Failure, CPLE_NotSupported, "this kind of file name is closed");
	return NULL;
}

static int canvas_no_stat(void *data, const char *name, VSIStatBufL *buffer, int flags) { return -1; }

static vsi_l_offset canvas_no_tell(void *file) { return 0; }
static int canvas_no_seek(void *file, vsi_l_offset offset, int whence) { return -1; }
static size_t canvas_no_read(void *file, void *buffer, size_t size, size_t count) { return 0; }

// canvas_local says whether names of a kind lead to memory or into an archive here; what is within an
// archive is again a name.
static int canvas_local(const char *prefix) {
	static const char *local[] = {"/vsimem", "/vsizip", "/vsitar", "/vsigzip", "/vsisubfile", NULL}; // by the last a tar is read
	for (const char **l = local; *l; l++)
		if (strncmp(prefix, *l, strlen(*l)) == 0) return 1;
	return 0;
}

// canvas_close_names lets every file name that leaves this machine lead nowhere.
static void canvas_close_names(void) {
	VSIFilesystemPluginCallbacksStruct *closed = VSIAllocFilesystemPluginCallbacksStruct();
	closed->open = canvas_no_open;
	closed->stat = canvas_no_stat;
	closed->tell = canvas_no_tell;
	closed->seek = canvas_no_seek;
	closed->read = canvas_no_read;
	char **prefixes = VSIGetFileSystemsPrefixes();
	for (char **p = prefixes; p && *p; p++)
		if (strncmp(*p, "/vsi", 4) == 0 && !canvas_local(*p))
			VSIInstallPluginHandler(*p, closed);
	CSLDestroy(prefixes);
	VSIFreeFilesystemPluginCallbacksStruct(closed);
}

static int canvas_listed(const char *name, const char **list) {
	for (; *list; list++)
		if (strcmp(name, *list) == 0) return 1;
	return 0;
}

static void canvas_close(const char **drivers) {
	CPLSetConfigOption("GDAL_DISABLE_READDIR_ON_OPEN", "EMPTY_DIR");
	CPLSetConfigOption("GDAL_PAM_ENABLED", "NO");
	CPLSetConfigOption("GDAL_NUM_THREADS", "1"); // reading a whole Sentinel-2 tile with JP2OpenJPEG's own crashed in GDAL once, and was not understood; blocks.go has others
	CPLSetConfigOption("GDAL_VRT_ENABLE_PYTHON", "NO");
	CPLSetConfigOption("GDAL_VRT_ENABLE_RAWRASTERBAND", "NO");
	CPLSetConfigOption("GDAL_DRIVER_PATH", "disable");
	CPLSetConfigOption("CPL_VSIL_CURL_ALLOWED_FILENAME", "closed");
	CPLSetConfigOption("PROJ_NETWORK", "OFF");
	OSRSetPROJEnableNetwork(0);
	CPLHTTPSetFetchCallback(canvas_no_fetch, NULL);
	GDALAllRegister();
	for (int i = GDALGetDriverCount() - 1; i >= 0; i--) {
		GDALDriverH driver = GDALGetDriver(i);
		const char *name = GDALGetDescription(driver);
		if (!canvas_listed(name, drivers) || !canvas_gate(name)) GDALDeregisterDriver(driver);
	}
	canvas_close_names();
}
*/
import "C"

import "unsafe"

// Formats are the formats that are read and written; all others of GDAL's are taken out of the process.
// Each keeps a picture in one file that names no other, but for VRT, whose names are looked at before it
// is opened (see vrt.go), and ENVI and EHdr, whose header has the picture's name. Left out are those that
// ask a network or a database, and those whose bytes name other files; but for HDF5 and netCDF, which stand
// behind a gate (see gate.go) and are not among these.
func Formats() []string {
	return []string{"GTiff", "COG", "VRT", "PNG", "JPEG", "GIF", "BIGGIF", "BMP", "WEBP", "HEIF", "JPEGXL", "JP2OpenJPEG",
		"NITF", "GRIB", "DTED", "SRTMHGT", "AAIGrid", "PNM", "RMF", "ENVI", "EHdr"}
}

// workFormats are those that outlines are made with.
var workFormats = []string{"MEM", "Memory", "FlatGeobuf"}

// restrictGDAL shuts what bytes from outside could reach beyond themselves: GDAL and PROJ neither fetch
// nor look for files beside the one that is named, and leave none there.
func restrictGDAL() {
	names := append(append(append(Formats(), workFormats...), gatedFormats...), "")
	list := make([]*C.char, len(names))
	for i, name := range names[:len(names)-1] {
		list[i] = C.CString(name)
		defer C.free(unsafe.Pointer(list[i]))
	}
	C.canvas_close(&list[0])
}
