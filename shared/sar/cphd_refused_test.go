package sar

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCPHDThatCannotBeFocusedIsRefused(t *testing.T) {
	base := func() collection {
		c := stripmap()
		c.lines, c.samples = 60, 890
		return c
	}
	replace := func(old, with string) func(c *collection) {
		return func(c *collection) {
			c.edit = func(xml string) string {
				if !strings.Contains(xml, old) {
					t.Fatalf("the test's XML has no %s", old)
				}
				return strings.Replace(xml, old, with, 1)
			}
		}
	}
	for says, change := range map[string]func(c *collection){
		"SPOTLIGHT":                func(c *collection) { c.mode = "SPOTLIGHT" },
		"steered along the track":  func(c *collection) { c.mode = "DYNAMIC STRIPMAP" },
		"only MONOSTATIC":          func(c *collection) { c.collect = "BISTATIC" },
		"it is CPHD \"0.3\"":       func(c *collection) { c.version = "0.3" },
		"SignalArrayFormat":        func(c *collection) { c.format = "CF16" },
		"DomainType":               func(c *collection) { c.domain = "TIME" },
		"SGN is 0":                 func(c *collection) { c.sgn = 0 },
		"SignalCompressionID":      replace("<NumBytesPVP>", "<SignalCompressionID>gzip</SignalCompressionID><NumBytesPVP>"),
		"NumCPHDChannels is 2":     replace("<NumCPHDChannels>1", "<NumCPHDChannels>2"),
		"NumVectors is 2000000000": replace("<NumVectors>60", "<NumVectors>2000000000"),
		"PVP_BLOCK_SIZE":           replace("<NumVectors>60", "<NumVectors>61"),
		"NumSamples is 1000000000": replace("<NumSamples>890", "<NumSamples>1000000000"),
		"SIGNAL_BLOCK_SIZE":        replace("<NumSamples>890", "<NumSamples>891"),
		"NumBytesPVP is 196":       replace("<NumBytesPVP>200", "<NumBytesPVP>196"),
		"lies beyond NumBytesPVP":  replace("<SCSS><Offset>23", "<SCSS><Offset>25"),
		"PVP: SCSS is 2 words":     replace("<SCSS><Offset>23</Offset><Size>1", "<SCSS><Offset>23</Offset><Size>2"),
		"it has no SC0":            replace("<SC0><Offset>22</Offset><Size>1</Size><Format>F8</Format></SC0>", ""),
		"PVPArrayByteOffset":       replace("<PVPArrayByteOffset>0", "<PVPArrayByteOffset>-8"),
		"reach beyond it":          replace("<SignalArrayByteOffset>0", "<SignalArrayByteOffset>9223372036854775807"),
		"CollectionStart":          replace("<CollectionStart>2024", "<CollectionStart>MMXXIV"),
		"its XML can't be read":    replace("</CollectorName>", "</Name>"),
		"vector 3: TOA1 is NaN":    func(c *collection) { c.change = func(i int, v map[string][]float64) { v["TOA1"][0] += nanAt(i, 3) } },
		"pulses are missing": func(c *collection) {
			c.change = func(i int, v map[string][]float64) { shift(v, float64(i/30)*3/c.prf) }
		},
		"not after those of": func(c *collection) { c.change = func(i int, v map[string][]float64) { shift(v, -2*float64(i)/c.prf) } },
		"looks like an aircraft": func(c *collection) {
			c.change = func(i int, v map[string][]float64) {
				v["TxPos"][0] += .02 * float64(i%7)
				v["RcvPos"][0] += .02 * float64(i%7)
			}
		},
		"differ from the first":     func(c *collection) { c.change = func(i int, v map[string][]float64) { v["SC0"][0] += float64(i) } },
		"it looks like a spotlight": func(c *collection) { c.change = walk },
		"s of light away":           func(c *collection) { c.change = func(i int, v map[string][]float64) { v["RcvTime"][0] += .01 } },
		"but SRPPos is 6":           func(c *collection) { c.change = func(i int, v map[string][]float64) { kilometres(v) } },
	} {
		c := base()
		change(&c)
		e, err := newCPHDEchoes(c.write(t))
		if err == nil {
			e.file.Close()
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

func TestCPHDWithNaNSignalNamesTheVector(t *testing.T) {
	c := stripmap()
	c.lines = 20
	path := c.write(t)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	binary.BigEndian.PutUint32(data[len(data)-8*c.samples*5:], 0x7fc00000)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := newCPHDEchoes(path)
	if err != nil {
		t.Fatal(err)
	}
	defer e.file.Close()
	if _, err := e.lines(0, 20); err == nil || !strings.Contains(err.Error(), "vector 15: ") {
		t.Error(err)
	}
	if _, err := e.lines(0, 15); err != nil {
		t.Error(err)
	}
	if err := os.Truncate(path, int64(len(data)-9)); err != nil {
		t.Fatal(err)
	}
	if _, err := newCPHDEchoes(path); err == nil || !strings.Contains(err.Error(), "it was cut off") {
		t.Error(err)
	}
}

func TestWhatLooksLikeEchoesIsRefusedWithWords(t *testing.T) {
	dir := t.TempDir()
	packet := make([]byte, 200)
	packet[0], packet[1] = 0x0c, 0x1c
	binary.BigEndian.PutUint32(packet[12:], 0x352EF853)
	for says, file := range map[string]struct {
		name string
		data []byte
	}{
		"level-0 product, whose packets": {"s1a-iw-raw-s-vv.dat", packet},
		"focused already":                {"image.nitf", []byte("NITF02.10 and more")},
		"HDF5":                           {"raw.h5", []byte("\x89HDF\r\n\x1a\n and more")},
		"is CRSD":                        {"x.crsd", []byte("CRSD/1.0\n")},
		"does not end within":            {"x.cphd", []byte("CPHD/1.1.0\nXML_BLOCK_SIZE := 3\n")},
	} {
		path := filepath.Join(dir, file.name)
		if err := os.WriteFile(path, file.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if e, err := foreign(path); e != nil || err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
	safe := filepath.Join(dir, "S1A_IW_RAW__0SDV_20240520T100000_20240520T100032_053953_068EDE_1234.SAFE")
	if err := os.Mkdir(safe, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := foreign(safe); err == nil || !strings.Contains(err.Error(), "decode them first") {
		t.Error(err)
	}
	plain := filepath.Join(dir, "a.yaml")
	if err := os.WriteFile(plain, []byte("lines: 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{plain, dir, filepath.Join(dir, "missing.yaml")} {
		if e, err := foreign(path); e != nil || err != nil {
			t.Error(path, err)
		}
	}
}

func FuzzCPHD(f *testing.F) {
	c := stripmap()
	c.lines, c.samples, c.band, c.format = 3, 200, 6e6, "CI2" // small, as inputs are made smaller before anything else
	data, err := os.ReadFile(c.write(f))
	if err != nil {
		f.Fatal(err)
	}
	head := bytes.Index(data, []byte("\f\n"))
	text, _ := c.xml()
	f.Add(data[:head+2], []byte(text), data[len(data)-3*200*2-3*200:])
	path := filepath.Join(f.TempDir(), "fuzzed.cphd")
	if e, err := newCPHDEchoes(c.write(f)); err != nil {
		f.Fatal("what is fuzzed is refused before: ", err)
	} else {
		e.file.Close()
	}
	f.Fuzz(func(t *testing.T, head, text, rest []byte) {
		// Places stay right, so that what is fuzzed is reached.
		all := make([]byte, 1024)
		copy(all, head)
		all = append(append(append(all, text...), "\f\n"...), rest...)
		if err := os.WriteFile(path, all, 0o600); err != nil {
			t.Fatal(err)
		}
		e, err := newCPHDEchoes(path)
		if err != nil {
			return
		}
		defer e.file.Close()
		if raw, err := e.lines(0, 1); err == nil && len(raw) != e.params.Samples*8 {
			t.Errorf("%d bytes of %d samples", len(raw), e.params.Samples)
		}
	})
}
