package pictures

import (
	"fmt"
	"io"

	"cloudcanvas/shared/pictures/tiff"
)

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
