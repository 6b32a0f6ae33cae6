// Package pictures recognises what kind of picture a file is by its first bytes, whatever its name says.
package pictures

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"cloudcanvas/shared/pictures/dicom"
	"cloudcanvas/shared/pictures/nifti"
	"cloudcanvas/shared/pictures/tiff"
)

// Kind is what a file's first bytes say that it is.
type Kind struct {
	Name   string // JPEG, PNG, …; empty where they say nothing
	Read   bool   // it is one that album.Open reads
	Advice string // what to do with one that it does not read
}

// Names of kinds that have a reader of their own.
const (
	HEIC     = "HEIC picture"
	AVIF     = "AVIF picture"
	GIF      = "GIF"
	TIFF     = "TIFF"
	BigTIFF  = "BigTIFF"
	JPEG2000 = "JPEG 2000 picture"
	DICOM    = "DICOM file"
	NIfTI    = "NIfTI volume"
)

// HeadBytes are enough of a file's beginning for Of.
const HeadBytes = 512

const convert = "convert it to JPEG or PNG first, as with `magick FILE FILE.png`"

const inWindows = "give it as a scene, as with `canvas detect --scene FILE`, which looks at it window by window"

// magics are tried in this order. At is where the bytes stand.
var magics = []struct {
	at    int
	bytes string
	kind  Kind
}{
	{0, "\xFF\xD8\xFF", Kind{Name: "JPEG", Read: true}},
	{0, "\x89PNG\r\n\x1a\n", Kind{Name: "PNG", Read: true}},
	{8, "CR\x02\x00", Kind{Name: "raw file of a Canon camera", Advice: "take the JPEG that the camera wrote beside it, or develop it first, as with darktable-cli"}},
	{0, "II*\x00", Kind{Name: "TIFF", Read: true}},
	{0, "MM\x00*", Kind{Name: "TIFF", Read: true}},
	{0, "II+\x00", Kind{Name: BigTIFF, Advice: inWindows}},
	{0, "MM\x00+", Kind{Name: BigTIFF, Advice: inWindows}},
	{0, "GIF8", Kind{Name: GIF, Read: true}},
	{0, "\xFF\x0A", Kind{Name: "JPEG XL picture", Advice: convert}},
	{0, "\x00\x00\x00\x0CJXL \r\n\x87\n", Kind{Name: "JPEG XL picture", Advice: convert}},
	{0, "\x00\x00\x00\x0CjP  \r\n\x87\n", Kind{Name: JPEG2000, Advice: "give it as a scene"}},
	{0, "8BPS", Kind{Name: "Photoshop file", Advice: "export it as JPEG or PNG"}},
	{0, "\x1A\x45\xDF\xA3", film},
}

var film = Kind{Name: "film", Advice: "give it as a video"}

// brands of ISO's container, after its size and "ftyp".
var brands = map[string]Kind{}

func init() {
	heic := Kind{Name: HEIC, Read: true}
	for _, b := range []string{"heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1", "mif2", "miaf"} {
		brands[b] = heic
	}
	avif := Kind{Name: AVIF, Read: true}
	brands["avif"], brands["avis"] = avif, avif
}

// Kinds are those that are read, for people.
const Kinds = "JPEG, PNG, BMP, GIF, WebP, TIFF, HEIC, AVIF, DICOM or NIfTI"

// Of is the kind of a file that begins with head.
func Of(head []byte) Kind {
	if dicom.Is(head) { // before those that a file may be besides
		return Kind{Name: DICOM, Read: true}
	}
	for _, m := range magics {
		if len(head) >= m.at && bytes.HasPrefix(head[m.at:], []byte(m.bytes)) {
			return m.kind
		}
	}
	if is, pair := nifti.Is(head); is {
		return Kind{Name: NIfTI, Read: true}
	} else if pair {
		return Kind{Name: "NIfTI header", Advice: "its voxels lie in a file of their own: join them, as with `fslchfiletype NIFTI FILE` or nibabel"}
	}
	switch {
	case len(head) >= 12 && string(head[4:8]) == "ftyp":
		return container(head)
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		return Kind{Name: "WebP", Read: true}
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "AVI ":
		return film
	case bitmap(head):
		return Kind{Name: "BMP", Read: true}
	}
	return Kind{}
}

// container tells one that holds a picture from a film: by its brand, or by those that it agrees with where
// the brand says only that it holds pictures.
func container(head []byte) Kind {
	brand := string(head[8:12])
	k, ok := brands[brand]
	if !ok {
		return film
	}
	if brand == "mif1" || brand == "msf1" {
		end := min(len(head), int(head[2])<<8|int(head[3]))
		for at := 16; at+4 <= end; at += 4 {
			if other := string(head[at : at+4]); other == "avif" || other == "avis" {
				return brands[other]
			}
		}
	}
	return k
}

// bitmap says whether it is a BMP: two letters alone begin many a text, so its header's size must be one of those
// that there are.
func bitmap(head []byte) bool {
	if len(head) < 18 || head[0] != 'B' || head[1] != 'M' || head[15]|head[16]|head[17] != 0 {
		return false
	}
	switch head[14] {
	case 12, 16, 40, 52, 56, 64, 108, 124:
		return true
	}
	return false
}

// Why says why a picture of this kind is not read.
func (k Kind) Why() error {
	switch {
	case k.Name == "":
		return fmt.Errorf("it is no %s; is the file whole?", Kinds)
	case k.Read:
		return fmt.Errorf("it is a %s, where only what OpenCV reads is taken; %s", k.Name, convert)
	}
	return fmt.Errorf("it is a %s, which is not read; %s", k.Name, k.Advice)
}

// OfFile is the kind of a file. One that can't be read has none.
func OfFile(path string) Kind {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return Kind{}
	}
	f, err := os.Open(path)
	if err != nil {
		return Kind{}
	}
	defer f.Close()
	head := make([]byte, HeadBytes)
	n := 0
	for n < len(head) {
		more, err := f.Read(head[n:])
		n += more
		if err != nil {
			break
		}
	}
	return Of(head[:n])
}

// Meant says whether a file is meant to be a picture or a film: by what it is, else by its name.
func Meant(path string) bool {
	return OfFile(path).Name != "" || named[strings.ToLower(filepath.Ext(path))] || strings.HasSuffix(strings.ToLower(path), ".nii.gz")
}

// named are the endings of pictures, of those that are read and of those that are refused with advice.
var named = map[string]bool{}

func init() {
	for _, ending := range strings.Fields(".jpg .jpeg .jpe .jfif .png .bmp .dib .webp .tif .tiff .heic .heif .avif .gif .jxl .jp2 .dcm .nii") {
		named[ending] = true
	}
}

// Windows says of a TIFF that is made to be looked at in windows how that is done; empty where it is another file, or
// one that can as well be taken whole.
func Windows(r io.ReaderAt, size int64, maxPixels int) string {
	f, err := tiff.Read(r, size)
	if err != nil {
		return ""
	}
	first := f.Pages[0]
	what := fmt.Sprintf("a TIFF of %d x %d pixels", first.W, first.H)
	if f.Pyramid() {
		what += ", in tiles and with smaller copies, as slide scanners and maps have"
	}
	switch {
	case f.Foreign():
		return what + " in the form of a slide scanner, which is not read; make a plain pyramid of it, as with `vips tiffsave FILE FILE.tif --tile --pyramid --bigtiff --compression jpeg`, and give that to `canvas detect --scene`"
	case f.Slide() || first.W > 0 && first.H > maxPixels/first.W || f.Big:
		return what + ", which is not taken as one picture; `canvas detect --scene FILE` looks at it window by window"
	}
	return ""
}
