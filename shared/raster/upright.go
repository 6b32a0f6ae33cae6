package raster

import (
	"fmt"
	"strconv"

	"github.com/airbusgeo/godal"
)

// upright turns a photograph as its camera says that it was held (EXIF 2.32, Orientation), so that
// boxes and quicklooks stand as every viewer shows it. It gives ds itself where there is nothing to
// turn, else another in its place and what releases its memory.
func upright(ds *godal.Dataset) (*godal.Dataset, func(), error) {
	nothing := func() {}
	orientation, _ := strconv.Atoi(ds.Metadata("EXIF_Orientation"))
	st := ds.Structure()
	if orientation < 2 || orientation > 8 || int64(st.SizeX)*int64(st.SizeY) > maxPicturePixels || st.DataType != godal.Byte {
		return ds, nothing, nil
	}
	w, h := st.SizeX, st.SizeY
	turned := orientation >= 5
	tw, th := w, h
	if turned {
		tw, th = h, w
	}
	name := memoryFile()
	out, err := godal.Create(godal.GTiff, name, st.NBands, godal.Byte, tw, th, reportErrors, godal.CreationOption("TILED=YES", "INTERLEAVE=BAND"))
	if err != nil {
		return ds, nothing, fmt.Errorf("turn it upright: %w", brief(err))
	}
	release := func() { dropMemory(name) }
	from, to := make([]byte, w*h), make([]byte, w*h)
	for i, b := range ds.Bands() {
		err := b.Read(0, 0, from, w, h, reportErrors)
		if err == nil {
			turn(to, from, w, h, orientation)
			err = out.Bands()[i].Write(0, 0, to, tw, th, reportErrors)
		}
		if err == nil {
			err = out.Bands()[i].SetColorInterp(b.ColorInterp(), reportErrors)
		}
		if err != nil {
			out.Close(reportErrors)
			release()
			return ds, nothing, fmt.Errorf("turn it upright: %w", brief(err))
		}
	}
	ds.Close(reportErrors)
	return out, release, nil
}

// turn lays out a picture of w x h pixels as its orientation says: the number tells where row 0 and
// column 0 are (EXIF 2.32, table 4: 2 mirrored, 3 upside down, 6 turned to the right …).
func turn(to, from []byte, w, h, orientation int) {
	for y := range h {
		for x := range w {
			at := 0
			switch orientation {
			case 2:
				at = y*w + w - 1 - x
			case 3:
				at = (h-1-y)*w + w - 1 - x
			case 4:
				at = (h-1-y)*w + x
			case 5:
				at = x*h + y
			case 6:
				at = x*h + h - 1 - y
			case 7:
				at = (w-1-x)*h + h - 1 - y
			case 8:
				at = (w-1-x)*h + y
			}
			to[at] = from[y*w+x]
		}
	}
}
