package raster

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// gdalName is a name of GDAL's that is no file's: DRIVER:…, /vsizip/….
var gdalName = regexp.MustCompile(`^(?:/vsi(?:zip|tar|subfile)/|[A-Z][A-Z0-9_]+:)`)

var (
	// virtualFile is where GDAL leaves the file system; other names that begin so are folders' own.
	virtualFile = regexp.MustCompile(`/vsi(zip|tar|gzip|7z|rar|mem|stdin|stdout|stdout_redirect|subfile|sparse|crypt|cached|chunked|hdfs|webhdfs|(?:curl|s3|gs|az|adls|oss|swift)(?:_streaming)?)[/?]`)
	driverName  = regexp.MustCompile(`^([A-Z][A-Z0-9_]+):`)
	archiveFile = regexp.MustCompile(`(?i)^(?:[A-Z0-9_]+:(?:\d+:)?)?(?:/vsi(?:zip|tar)/\{?)+(.+?\.(?:zip|tar))(?:[}/]|$)`)
	// archivePart is the archive alone, its folder, or a product's metadata in it.
	archivePart = regexp.MustCompile(`^/vsi(?:zip|tar)/\{?([^{}]+?\.(?i:zip|tar))\}?(?:/(?:.*(?i:\.SAFE/?|MTD_MSIL1C\.XML|MTD_MSIL2A\.XML|MTD_TL\.XML|_MTL\.TXT|_MTL\.XML|_MTL\.JSON))?)?$`)
)

// maxArchives bounds archives within archives, each of which is looked through for every window.
const maxArchives = 3

// openHandlers are the kinds of names that lead into a file of this machine, and can be read by windows.
var openHandlers = map[string]bool{"zip": true, "tar": true, "subfile": true}

// checkReach refuses one of GDAL's names that leads off this machine, or to what can't be read by windows.
func checkReach(name string) error {
	var handlers [][]string
	if strings.HasPrefix(name, "/vsi") || driverName.MatchString(name) { // else it is how a folder is called
		handlers = virtualFile.FindAllStringSubmatch(name, -1)
	}
	for _, h := range handlers {
		switch kind := h[1]; {
		case openHandlers[kind]:
		case kind == "gzip" || kind == "7z" || kind == "rar":
			return fmt.Errorf("what is compressed as a whole (/vsi%s/) can't be read by windows; unpack it and give the file", kind)
		case kind == "stdin":
			return errors.New("a scene is read by windows, which standard input can't be; give a file")
		default:
			return fmt.Errorf("/vsi%s is no file of this machine; copy it here first", kind)
		}
	}
	if strings.Contains(name, "://") {
		return errors.New("it is no file of this machine; copy it here first")
	}
	if len(handlers) > maxArchives {
		return fmt.Errorf("it lies in more than %d archives, one in the other; unpack them", maxArchives)
	}
	return nil
}

// elsewhere says whether a name is an address, or one of GDAL's names for what is not opened.
func elsewhere(path string) bool { return checkReach(path) != nil }

// notOpened is why GDAL did not open a name of its own.
func notOpened(name string, err error) error {
	said := brief(err).Error()
	missing := strings.Contains(said, "does not exist") || strings.Contains(said, "No such file")
	driver := driverName.FindStringSubmatch(name)
	switch {
	case strings.HasPrefix(name, "/vsi") && missing:
		return errors.New("nothing is there; for what lies in an archive give the archive, or /vsizip/{ARCHIVE.zip}/FILE (/vsitar/{ARCHIVE.tar}/FILE)")
	case driver != nil && missing:
		return fmt.Errorf("there is no file of this name, and names of %s are not opened here; if GDAL opens it elsewhere, make a file of it there: gdal_translate '%s' OUT.tif", driver[1], name)
	}
	return fmt.Errorf("%s; if it was cut off, copy it again", said)
}

// fileSize is the size of a file on disk; of what lies within archives that of the outermost.
func fileSize(name string) int64 {
	if m := archiveFile.FindStringSubmatch(name); m != nil {
		name = m[1]
	} else if m := gdalPart.FindStringSubmatch(name); m != nil {
		name = m[1]
	}
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	return info.Size()
}

// gdalPart is a part of a file: DRIVER:number:file.
var gdalPart = regexp.MustCompile(`^[A-Z][A-Z0-9_]+:\d+:(.+)$`)
