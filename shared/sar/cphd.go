package sar

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// CPHD is NGA's format of compensated phase histories (NGA.STND.0068-1, versions 1.0.1 and 1.1.0): a header of lines
// KEY := VALUE, a block of XML, a block of parameters of each vector (PVP), and a block of the signal, big endian:
//
//	CPHD/1.1.0 ⏎ XML_BLOCK_SIZE := 9000 ⏎ … ␌⏎ │ XML ␌⏎ │ support │ PVP: NumVectors x NumBytesPVP │ signal
//
// A vector is an echo with the pulse compressed, moved in time so that a reference point (SRP) on the ground lies at
// zero. cphd_lines.go undoes that.
type cphd struct {
	file *os.File
	at   cphdBlocks
	meta cphdMeta
	pvp  map[string]cphdField
}

// cphdBlocks are sizes and places of the file's blocks.
type cphdBlocks struct {
	xmlSize, xmlAt       int64
	pvpSize, pvpAt       int64
	signalSize, signalAt int64
	fileSize             int64
}

// Bounds of what a header may ask for.
const (
	maxCPHDHeader  = 64 << 10
	maxCPHDXML     = 16 << 20
	maxCPHDVectors = 1 << 20
	maxCPHDSamples = 1 << 17
	maxCPHDPVP     = 4096 // bytes of a vector's parameters; those of the standard take some 400
)

var cphdMagic = []byte("CPHD/")

// parseCPHDHeader reads the lines of the header and holds the blocks against the file's size.
func parseCPHDHeader(head []byte, fileSize int64) (b cphdBlocks, err error) {
	version, rest, ok := bytes.Cut(head, []byte("\n"))
	if !ok || !bytes.HasPrefix(version, cphdMagic) {
		return b, errors.New("it does not begin as a CPHD file does")
	}
	if v := string(version[len(cphdMagic):]); !strings.HasPrefix(v, "1.") {
		return b, fmt.Errorf("it is CPHD %.20q; versions 1.0.1 and 1.1.0 are read: ask its provider for one of those", v)
	}
	lines, _, ok := bytes.Cut(rest, []byte("\f\n"))
	if !ok {
		return b, fmt.Errorf("its header does not end within %d bytes", maxCPHDHeader)
	}
	values := map[string]string{}
	for line := range bytes.Lines(lines) {
		key, value, ok := strings.Cut(strings.TrimRight(string(line), "\r\n"), " := ")
		if !ok {
			return b, fmt.Errorf("its header has the line %.40q, not KEY := VALUE", line)
		}
		if _, twice := values[key]; twice {
			return b, fmt.Errorf("its header gives %.40q twice", key)
		}
		values[key] = value
	}
	b.fileSize = fileSize
	for _, f := range []struct {
		name     string
		size, at *int64
	}{{"XML", &b.xmlSize, &b.xmlAt}, {"PVP", &b.pvpSize, &b.pvpAt}, {"SIGNAL", &b.signalSize, &b.signalAt}} {
		for key, to := range map[string]*int64{"_BLOCK_SIZE": f.size, "_BLOCK_BYTE_OFFSET": f.at} {
			text, ok := values[f.name+key]
			if !ok {
				return b, fmt.Errorf("its header has no %s%s", f.name, key)
			}
			if *to, err = strconv.ParseInt(strings.TrimSpace(text), 10, 64); err != nil || *to <= 0 {
				return b, fmt.Errorf("its header says %s%s := %.40q, which is no number above 0", f.name, key, text)
			}
		}
		if *f.size > fileSize || *f.at > fileSize-*f.size {
			return b, fmt.Errorf("%s_BLOCK: %d bytes at %d reach beyond the file's %d: it was cut off, fetch it again", f.name, *f.size, *f.at, fileSize)
		}
	}
	if b.xmlSize > maxCPHDXML {
		return b, fmt.Errorf("XML_BLOCK_SIZE is %d, at most %d are read", b.xmlSize, maxCPHDXML)
	}
	return b, nil
}

// openCPHD reads what a CPHD file says of itself, and refuses what it can't be true of.
func openCPHD(f *os.File) (*cphd, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	head := make([]byte, min(maxCPHDHeader, info.Size()))
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	c := &cphd{file: f}
	if c.at, err = parseCPHDHeader(head, info.Size()); err != nil {
		return nil, err
	}
	text := make([]byte, c.at.xmlSize)
	if _, err := f.ReadAt(text, c.at.xmlAt); err != nil {
		return nil, fmt.Errorf("read its XML: %w", err)
	}
	if err := xml.Unmarshal(text, &c.meta); err != nil {
		return nil, fmt.Errorf("its XML can't be read: %w", err)
	}
	if err := c.meta.check(); err != nil {
		return nil, err
	}
	if c.pvp, err = c.meta.fields(); err != nil {
		return nil, err
	}
	ch := c.meta.Data.Channel[0]
	vectors, width := int64(ch.NumVectors), int64(c.meta.Data.NumBytesPVP)
	if ch.PVPArrayByteOffset > c.at.pvpSize || vectors*width > c.at.pvpSize-ch.PVPArrayByteOffset {
		return nil, fmt.Errorf("PVP_BLOCK_SIZE is %d, but %d vectors of %d bytes (NumBytesPVP) at %d reach beyond it", c.at.pvpSize, vectors, width, ch.PVPArrayByteOffset)
	}
	line := int64(ch.NumSamples) * int64(c.meta.sampleBytes())
	if ch.SignalArrayByteOffset > c.at.signalSize || vectors*line > c.at.signalSize-ch.SignalArrayByteOffset {
		return nil, fmt.Errorf("SIGNAL_BLOCK_SIZE is %d, but %d vectors of %d samples in %s at %d reach beyond it", c.at.signalSize, vectors, ch.NumSamples, c.meta.Data.SignalArrayFormat, ch.SignalArrayByteOffset)
	}
	return c, nil
}

// signal reads the samples of vectors as the file has them.
func (c *cphd) signal(from, vectors int) ([]byte, error) {
	ch := c.meta.Data.Channel[0]
	line := ch.NumSamples * c.meta.sampleBytes()
	raw := make([]byte, vectors*line)
	if _, err := c.file.ReadAt(raw, c.at.signalAt+ch.SignalArrayByteOffset+int64(from)*int64(line)); err != nil {
		return nil, fmt.Errorf("read vectors %d to %d: %w", from, from+vectors-1, err)
	}
	return raw, nil
}
