package raster

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A VRT is a list of other files, and its author need not be whoever named it: it may have come with a
// download into a watched folder. So its names are looked at before GDAL opens the first of them: all lie
// below the folder of the file that was named, and they are not so many, or so deep, that reading a window
// never ends.
const (
	maxVRT      = 16 << 20 // bytes of one
	maxVRTDepth = 4        // VRTs within VRTs
	maxVRTNames = 10_000   // files that are opened for one, those of VRTs within counted each time
)

var asEPSG = regexp.MustCompile(`^(?i)\s*EPSG:\d{1,7}\s*$`)

// checkNames refuses a VRT whose names lead where they should not. Other files have no names to look at.
func checkNames(path string) error {
	root, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err == nil {
		root, err = filepath.Abs(root)
	}
	if err != nil {
		return err
	}
	v := vrtCheck{root: root}
	return v.file(path)
}

type vrtCheck struct {
	root  string   // all names lie below it
	above []string // the VRTs around the one that is looked at
	names int
}

func (v *vrtCheck) file(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 64<<10)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return err
	}
	if head = head[:n]; !bytes.Contains(bytes.ToLower(head), []byte("<vrt")) {
		return nil
	}
	if len(v.above) >= maxVRTDepth {
		return fmt.Errorf("it is a VRT of VRTs more than %d deep (%s); make one file of it: gdal_translate IN.vrt OUT.tif", maxVRTDepth, filepath.Base(path))
	}
	text, err := io.ReadAll(io.LimitReader(io.MultiReader(bytes.NewReader(head), f), maxVRT+1))
	if err != nil {
		return err
	}
	if len(text) > maxVRT {
		return fmt.Errorf("%s is a VRT of more than %d bytes", filepath.Base(path), maxVRT)
	}
	v.above = append(v.above, path)
	err = v.text(filepath.Dir(path), text)
	v.above = v.above[:len(v.above)-1]
	return err
}

// text looks at every word of a VRT.
func (v *vrtCheck) text(dir string, text []byte) error {
	d := xml.NewDecoder(bytes.NewReader(text))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	type element struct {
		name     string
		relative bool
		words    strings.Builder
	}
	var open []*element
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("it is a VRT that can't be read: %w", err)
		}
		switch t := token.(type) {
		case xml.Directive:
			return errors.New("it is a VRT with a document type of its own; write it without")
		case xml.StartElement:
			e := &element{name: strings.ToLower(t.Name.Local)}
			for _, a := range t.Attr {
				if strings.EqualFold(a.Name.Local, "relativeToVRT") {
					e.relative = strings.TrimSpace(a.Value) == "1"
				} else if err := v.word(e.name, a.Value); err != nil {
					return err
				}
			}
			open = append(open, e)
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].words.Write(t)
			}
		case xml.EndElement:
			e := open[len(open)-1]
			open = open[:len(open)-1]
			said := e.words.String()
			if namesAFile(e.name) {
				err = v.name(dir, said, e.relative)
			} else if !slices.ContainsFunc(open, func(e *element) bool { return e.name == "metadata" }) {
				err = v.word(e.name, said)
			}
			if err != nil {
				return err
			}
		}
	}
}

func namesAFile(element string) bool {
	return element != "vrtdataset" && (strings.Contains(element, "filename") || strings.HasSuffix(element, "dataset"))
}

// word refuses what looks like the name of a file or an address where none should stand.
func (v *vrtCheck) word(element, said string) error {
	said = strings.TrimSpace(said)
	if element == "srs" || element == "gcpprojection" || strings.HasSuffix(element, "srs") {
		if said == "" || asEPSG.MatchString(said) {
			return nil
		}
		if beginsAsWKT.MatchString(said) || len(said) > 64 {
			return CheckWKT(said)
		}
	}
	low := strings.ToLower(said)
	if strings.HasPrefix(said, "/") || strings.Contains(low, "/vsi") || strings.Contains(said, "://") || strings.Contains(said, "<") || strings.Contains(said, "../") {
		return fmt.Errorf("it is a VRT whose <%s> is %.60q: nothing of it may be an address or lie outside its folder", element, said)
	}
	return nil
}

// name follows the name of a file.
func (v *vrtCheck) name(dir, said string, relative bool) error {
	if said == "" {
		return nil
	}
	if v.names++; v.names > maxVRTNames {
		return fmt.Errorf("it is a VRT of more than %d files; make one file of it: gdal_translate IN.vrt OUT.tif", maxVRTNames)
	}
	path := said
	if relative && !filepath.IsAbs(said) {
		path = filepath.Join(dir, said)
	}
	path, err := filepath.Abs(path)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return fmt.Errorf("it is a VRT that names %.80q, which is no file here: %w", said, errors.Unwrap(err))
	}
	if within, err := filepath.Rel(v.root, path); err != nil || !filepath.IsLocal(within) {
		return fmt.Errorf("it is a VRT that names %.80q, outside its folder %s: put the files beside it, or make one of them: gdal_translate IN.vrt OUT.tif", said, v.root)
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return fmt.Errorf("it is a VRT that names %.80q, which is no plain file", said)
	}
	for _, above := range v.above {
		if same, err := filepath.EvalSymlinks(above); err == nil && mustAbs(same) == path {
			return fmt.Errorf("it is a VRT that names itself (%.80q)", said)
		}
	}
	return v.file(path)
}

func mustAbs(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	return abs
}
