package raster

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"cloudcanvas/shared/linktile"
	"cloudcanvas/shared/vision"

	"github.com/airbusgeo/godal"
)

// BenchmarkLinkTile codes the middle of the scenes in CANVAS_LINK_SCENES, of at most 1024 pixels a side, cut into tiles of 512 pixels, in the ways in which they
// can travel, by turns: as the link's tiles without loss and with ±0.0005 of reflectance, as GeoTIFF with ZSTD, as
// JPEG 2000 without loss; and, where CANVAS_CODECS_PYTHON is a Python with imagecodecs, each band as one JPEG XL and
// JPEG-LS. With CANVAS_LINK_WHOLE scenes are coded whole, which takes minutes. Bytes are given as shares of the peers', times as seconds of the processor.
func BenchmarkLinkTile(b *testing.B) {
	scenes := filepath.SplitList(os.Getenv("CANVAS_LINK_SCENES"))
	if len(scenes) == 0 {
		b.Skip("CANVAS_LINK_SCENES names no scenes; deps/bench.sh does")
	}
	for _, path := range scenes {
		name := filepath.Base(path)
		if name == "scene.tif" {
			name = filepath.Base(filepath.Dir(path))
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				compareCodecs(b, path)
			}
		})
	}
}

type codec struct {
	name   string
	encode func(t linktile.Tile) ([]byte, error)
	decode func(data []byte) error

	bytes            int
	encoded, decoded time.Duration
}

func compareCodecs(b *testing.B, path string) {
	s, err := Open(path, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	coding, err := s.Coding(nil)
	if err != nil {
		b.Fatal(err)
	}
	readTile := func(data []byte) error { _, err := linktile.Decode(data, 1<<20); return err }
	most := 1024
	if os.Getenv("CANVAS_LINK_WHOLE") != "" {
		most = math.MaxInt
	}
	codecs := []*codec{
		{name: "link", encode: linktile.Tile.Encode, decode: readTile},
		{name: "near", encode: func(t linktile.Tile) ([]byte, error) {
			for _, s := range t.Scalings {
				t.Error = append(t.Error, int(0.0005/s.Scale+1e-9))
			}
			return t.Encode()
		}, decode: readTile},
		{name: "zstd", encode: func(t linktile.Tile) ([]byte, error) { return EncodeTile(planes(t), Georef{}, coding) },
			decode: func(data []byte) error { _, err := DecodeTile(data, 1<<20); return err }},
	}
	if _, ok := godal.RasterDriver("JP2OpenJPEG"); ok {
		codecs = append(codecs, &codec{name: "jp2", encode: jp2Encode, decode: jp2Decode})
	}
	info := s.Info()
	width, height := min(info.Width, most), min(info.Height, most)
	x0, y0, pixels := (info.Width-width)/2, (info.Height-height)/2, width*height
	scene := make([]uint16, pixels*len(info.Bands))
	const side = 512
	for y := 0; y < height; y += side {
		for x := 0; x < width; x += side {
			w := Window{X: x0 + x, Y: y0 + y, W: min(side, width-x), H: min(side, height-y)}
			t := tileOf(b, s, coding, w)
			for i, v := range t.Pix {
				band, at := i/(w.W*w.H), i%(w.W*w.H)
				scene[band*pixels+(y+at/w.W)*width+x+at%w.W] = v
			}
			for _, c := range codecs {
				c.turn(b, t)
			}
		}
	}
	megapixels := float64(pixels) / 1e6
	bytes := map[string]float64{}
	for _, c := range codecs {
		bytes[c.name] = float64(c.bytes)
		b.ReportMetric(c.encoded.Seconds()*1e3/megapixels, c.name+"_write_ms/MP")
		b.ReportMetric(c.decoded.Seconds()*1e3/megapixels, c.name+"_read_ms/MP")
	}
	for name, peer := range pythonCodecs(b, scene, len(info.Bands), height, width) {
		bytes[name] = peer.Bytes
		b.ReportMetric(peer.Encode*1e3/megapixels, name+"_write_ms/MP")
		b.ReportMetric(peer.Decode*1e3/megapixels, name+"_read_ms/MP")
	}
	b.ReportMetric(bytes["link"]*8/float64(len(scene)), "bits/number")
	for _, name := range []string{"zstd", "jp2", "jxl", "jls"} {
		if bytes[name] > 0 {
			b.ReportMetric(bytes["link"]/bytes[name], "of_"+name)
			b.ReportMetric(bytes["near"]/bytes[name], "near_of_"+name)
		}
	}
}

// turn codes a tile three times; the fastest counts.
func (c *codec) turn(b *testing.B, t linktile.Tile) {
	encoded, decoded, size := time.Hour, time.Hour, 0
	for range 3 {
		start := processor()
		data, err := c.encode(t)
		if err != nil {
			b.Fatal(c.name, err)
		}
		written := processor()
		if err := c.decode(data); err != nil {
			b.Fatal(c.name, err)
		}
		encoded, decoded = min(encoded, written-start), min(decoded, processor()-written)
		size = len(data)
	}
	c.bytes += size
	c.encoded += encoded
	c.decoded += decoded
}

// processor is the time that this process has had of the processor.
func processor() time.Duration {
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func tileOf(b *testing.B, s *Scene, c Coding, w Window) linktile.Tile {
	im, err := s.Read(w, nil)
	if err != nil {
		b.Fatal(err)
	}
	info := s.Info()
	t := linktile.Tile{Header: linktile.Header{W: w.W, H: w.H, Bands: info.Bands, DataType: c.DataType, NoData: c.NoData,
		Place: linktile.Place{SceneW: info.Width, SceneH: info.Height, X: w.X, Y: w.Y, Size: 256, Overlap: 24, Cols: 1, Rows: 1}}}
	for _, s := range c.Scalings {
		t.Scalings = append(t.Scalings, linktile.Scaling{Scale: s.Scale, Offset: s.Offset})
	}
	if c.DataType != "UInt16" {
		b.Skipf("numbers of type %q; the peers here take UInt16", c.DataType)
	}
	t.Pix = numbers[uint16](im, c)
	return t
}

// planes gives a tile's reflectance, as the edge gives it to EncodeTile.
func planes(t linktile.Tile) vision.Image {
	n := t.W * t.H
	im := vision.Image{W: t.W, H: t.H, Bands: t.Bands}
	for b, s := range t.Scalings {
		plane := make([]float32, n)
		for i, v := range t.Pix[b*n : (b+1)*n] {
			plane[i] = float32(float64(v)*s.Scale + s.Offset)
		}
		im.Planes = append(im.Planes, plane)
	}
	return im
}

func jp2Encode(t linktile.Tile) ([]byte, error) {
	started()
	ds, err := godal.Create(godal.Memory, "", len(t.Bands), godal.UInt16, t.W, t.H, reportErrors)
	if err != nil {
		return nil, err
	}
	defer ds.Close()
	if err := ds.Write(0, 0, t.Pix, t.W, t.H, godal.BandInterleaved(), reportErrors); err != nil {
		return nil, err
	}
	path := memoryFile()
	out, err := ds.Translate(path, []string{"-of", "JP2OpenJPEG"}, godal.CreationOption("QUALITY=100", "REVERSIBLE=YES", "YCC=NO", "GMLJP2=NO", "GeoJP2=NO"), reportErrors)
	if err != nil {
		return nil, err
	}
	if err := out.Close(reportErrors); err != nil {
		return nil, err
	}
	return takeMemory(path)
}

func jp2Decode(data []byte) error {
	path := memoryFile()
	release, err := putMemory(path, data)
	if err != nil {
		return err
	}
	defer release()
	ds, err := godal.Open(path, godal.Drivers("JP2OpenJPEG"), reportErrors)
	if err != nil {
		return err
	}
	defer ds.Close()
	st := ds.Structure()
	return ds.Read(0, 0, make([]uint16, st.SizeX*st.SizeY*st.NBands), st.SizeX, st.SizeY, godal.BandInterleaved(), reportErrors)
}

type pythonCodec struct{ Bytes, Encode, Decode float64 }

// pythonCodecs runs deps/peers/codecs/codecs.py over a scene's bands.
func pythonCodecs(b *testing.B, pix []uint16, bands, h, w int) (out map[string]pythonCodec) {
	python := os.Getenv("CANVAS_CODECS_PYTHON")
	if python == "" {
		return nil
	}
	head := fmt.Sprintf("{'descr': '<u2', 'fortran_order': False, 'shape': (%d, %d, %d), }", bands, h, w)
	head += fmt.Sprintf("%*s\n", 63-(10+len(head))%64, "")
	data := append(binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(head))), head...)
	for _, v := range pix {
		data = binary.LittleEndian.AppendUint16(data, v)
	}
	path := filepath.Join(b.TempDir(), "bands.npy")
	if err := os.WriteFile(path, slices.Clip(data), 0o600); err != nil {
		b.Fatal(err)
	}
	said, err := exec.Command(python, filepath.Join("..", "..", "deps", "peers", "codecs", "codecs.py"), path).Output()
	if err != nil {
		b.Fatalf("%s: %v", python, err)
	}
	if err := json.Unmarshal(said, &out); err != nil {
		b.Fatal(err)
	}
	return out
}
