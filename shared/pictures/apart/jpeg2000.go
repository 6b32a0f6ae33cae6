package apart

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/airbusgeo/godal"
)

// jpeg2000 is a codestream that GDAL has open.
type jpeg2000 struct {
	set     *godal.Dataset
	samples int
	kind    godal.DataType
}

func openJPEG2000(data []byte) (*jpeg2000, error) {
	if !bytes.HasPrefix(data, []byte("\xFF\x4F\xFF\x51")) {
		return nil, errors.New("it does not begin as a codestream does") // a file around one may name other files
	}
	fd, err := unix.MemfdCreate("picture", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := unix.Ftruncate(fd, int64(len(data))); err != nil {
		return nil, err
	}
	at, err := unix.Mmap(fd, 0, len(data), unix.PROT_WRITE, unix.MAP_SHARED) // what is written to files is bounded
	if err != nil {
		return nil, err
	}
	copy(at, data)
	unix.Munmap(at)
	if err := godal.RegisterRaster("JP2OpenJPEG"); err != nil {
		return nil, fmt.Errorf("GDAL of this machine has no driver for JPEG 2000: %w", err)
	}
	set, err := godal.Open(fmt.Sprintf("/proc/self/fd/%d", fd), godal.RasterOnly(), godal.Drivers("JP2OpenJPEG"), gdalErrors)
	if err != nil {
		return nil, err
	}
	s := set.Structure()
	if s.NBands != 1 && s.NBands != 3 && s.NBands != 4 {
		return nil, fmt.Errorf("it has %d bands", s.NBands)
	}
	switch s.DataType {
	case godal.Byte, godal.UInt16, godal.Int16:
	default:
		return nil, fmt.Errorf("its samples are of %s", s.DataType)
	}
	return &jpeg2000{set, s.NBands, s.DataType}, nil
}

var gdalErrors = godal.ErrLogger(func(category godal.ErrorCategory, _ int, message string) error {
	if category < godal.CE_Failure {
		return nil
	}
	return errors.New(message)
})

func (f *jpeg2000) header() Header {
	s := f.set.Structure()
	h := Header{W: s.SizeX, H: s.SizeY, Samples: f.samples, Bits: 8, Pictures: 1}
	if f.kind != godal.Byte {
		h.Bits, h.Deep, h.Signed = 16, true, f.kind == godal.Int16
	}
	return h
}

func (f *jpeg2000) decode() ([]byte, error) {
	h := f.header()
	n := h.W * h.H * h.Samples
	if f.kind == godal.Byte {
		pix := make([]byte, n)
		return pix, f.set.Read(0, 0, pix, h.W, h.H, gdalErrors)
	}
	pix := make([]byte, 0, 2*n)
	if f.kind == godal.Int16 {
		samples := make([]int16, n)
		err := f.set.Read(0, 0, samples, h.W, h.H, gdalErrors)
		for _, s := range samples {
			pix = binary.NativeEndian.AppendUint16(pix, uint16(s))
		}
		return pix, err
	}
	samples := make([]uint16, n)
	err := f.set.Read(0, 0, samples, h.W, h.H, gdalErrors)
	for _, s := range samples {
		pix = binary.NativeEndian.AppendUint16(pix, s)
	}
	return pix, err
}
