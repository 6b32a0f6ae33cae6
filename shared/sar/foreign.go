package sar

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
)

// safeRaw is how Sentinel-1 calls its level-0 products (S1-RS-MDA-52-7440, section 4).
var safeRaw = regexp.MustCompile(`^S1[A-D]_.._RAW__0`)

// foreign looks whether a file is echoes, or something like it, in a format that others write. It is nil, nil for what
// may be a file of parameters.
func foreign(path string) (*cphdEchoes, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil // told by who opens it
	}
	const level0 = "it is a Sentinel-1 level-0 product, whose packets (FDBAQ-coded) are not read: decode them first, for example with sentinel1decoder, into complex floats, and describe those in a file of parameters"
	if safeRaw.MatchString(filepath.Base(path)) || info.IsDir() && safeRaw.MatchString(filepath.Base(filepath.Clean(path))) {
		return nil, fmt.Errorf("open echoes %s: %s", path, level0)
	}
	if !info.Mode().IsRegular() {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil
	}
	head := make([]byte, 64)
	n, err := io.ReadFull(f, head)
	f.Close()
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("open echoes %s: %w", path, err)
	}
	switch head = head[:n]; {
	case bytes.HasPrefix(head, cphdMagic):
		return newCPHDEchoes(path)
	case spacePacket(head):
		return nil, fmt.Errorf("open echoes %s: %s", path, level0)
	case bytes.HasPrefix(head, []byte("NITF")):
		return nil, fmt.Errorf("open echoes %s: it is a NITF file, which holds images (SICD, SIDD) that are focused already: give it as a scene", path)
	case bytes.HasPrefix(head, []byte("CRSD/")):
		return nil, fmt.Errorf("open echoes %s: it is CRSD, signals as they were received, which are not read: give CPHD 1.x, or the samples with a file of parameters", path)
	case bytes.HasPrefix(head, []byte("\x89HDF\r\n\x1a\n")):
		return nil, fmt.Errorf("open echoes %s: it is an HDF5 file, of which no layout of echoes is read: give CPHD 1.x, or the samples with a file of parameters", path)
	}
	return nil, nil
}

// spacePacket says whether a file begins with a Sentinel-1 instrument packet: a CCSDS header with the instrument's
// process number, and the synchronisation marker 352EF853 after the time.
func spacePacket(head []byte) bool {
	return len(head) >= 16 && binary.BigEndian.Uint16(head)>>11 == 1 && binary.BigEndian.Uint32(head[12:]) == 0x352EF853
}
