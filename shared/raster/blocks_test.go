package raster

import (
	"container/list"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/airbusgeo/godal"
)

// jp2 writes a band of JPEG 2000.
func jp2(t *testing.T, path string, side int, metres float64, number func(x, y int) uint16, options ...string) {
	t.Helper()
	started()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	ds, err := godal.Create(godal.Memory, "", 1, godal.UInt16, side, side, reportErrors)
	if err != nil {
		t.Fatal(err)
	}
	defer ds.Close()
	pixels := make([]uint16, side*side)
	for i := range pixels {
		pixels[i] = number(i%side, i/side)
	}
	g, err := UTM(34, true, 300000, 6100020, metres)
	if err != nil {
		t.Fatal(err)
	}
	if err := ds.Bands()[0].Write(0, 0, pixels, side, side, reportErrors); err != nil {
		t.Fatal(err)
	}
	if err := g.place(ds); err != nil {
		t.Fatal(err)
	}
	switches := []string{"-of", "JP2OpenJPEG"}
	for _, o := range options {
		switches = append(switches, "-co", o)
	}
	out, err := ds.Translate(path, switches, reportErrors)
	if err != nil {
		t.Skip("GDAL here does not write JPEG 2000: ", err)
	}
	out.Close()
}

// jp2SAFE is a product of bands of 10 and 20 m in blocks of 64 pixels, whose numbers differ from pixel to pixel.
func jp2SAFE(t *testing.T) string {
	root := filepath.Join(t.TempDir(), "S2B_X.SAFE")
	putSAFE(t, root, func(path string, band int, metres int) {
		side := 3000 / metres
		jp2(t, path, side, float64(metres), func(x, y int) uint16 { return uint16(1000 + ((y*side+x)*7919+band*104729)%9000) },
			"QUALITY=100", "REVERSIBLE=YES", "BLOCKXSIZE=64", fmt.Sprintf("BLOCKYSIZE=%d", 64<<(3*(band%2))))
	})
	return root
}

// putSAFE makes a product's folder; write makes each of its bands.
func putSAFE(t *testing.T, root string, write func(path string, band, metres int)) {
	t.Helper()
	images := ""
	for i, id := range []string{"B02", "B03", "B04", "B08", "B11", "B12"} {
		metres := 10
		if i > 3 {
			metres = 20
		}
		image := "GRANULE/IMG_DATA/T34UCF_20230823T095559_" + id
		write(filepath.Join(root, image+".jp2"), i, metres)
		images += "<IMAGE_FILE>" + image + "</IMAGE_FILE>"
	}
	if err := os.WriteFile(filepath.Join(root, "MTD_MSIL1C.xml"), []byte(safeBegin+images+safeEnd), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestBlocksHaveWhatTheDatasetHas(t *testing.T) {
	s, err := Open(jp2SAFE(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.blocks == nil {
		t.Fatal("it is not read by blocks")
	}
	own := s.blocks
	for _, w := range []Window{{W: 300, H: 300}, {X: 63, Y: 65, W: 2, H: 131}, {X: 299, Y: 299, W: 1, H: 1}, {X: 101, Y: 7, W: 199, H: 64}} {
		for _, bands := range [][]string{nil, {"swir22", "blue"}, {"swir16"}} {
			got, err := s.Read(w, bands)
			if err != nil {
				t.Fatal(err)
			}
			s.blocks = nil
			want, err := s.Read(w, bands)
			s.blocks = own
			if err != nil {
				t.Fatal(err)
			}
			for i := range want.Planes {
				if !slices.Equal(got.Planes[i], want.Planes[i]) {
					t.Errorf("%s, %v: %s differs", w, bands, want.Bands[i])
				}
			}
		}
	}
}

func TestBlocksAreKeptWithinTheirBound(t *testing.T) {
	k := &blocks{kept: map[stripAt]*list.Element{}, order: list.New()}
	defer k.close()
	const each = 10 << 20 // pixels of two bytes
	for i := range 20 {
		b := &strip{at: stripAt{col: i}}
		if err := b.allocate(each); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			b.users = 1
		}
		k.keep(b)
	}
	if k.bytes > maxDecodedBytes || len(k.kept) != maxDecodedBytes/each/2 || k.order.Len() != len(k.kept) {
		t.Errorf("%d bytes in %d blocks", k.bytes, len(k.kept))
	}
	for _, col := range []int{0, 19} { // the one that is in use, and the latest
		if e, there := k.kept[stripAt{col: col}]; !there || e.Value.(*strip).pixels == nil {
			t.Errorf("block %d is not there", col)
		}
	}
}

func TestABrokenBlockCostsTheWindowsThatTouchIt(t *testing.T) {
	root := jp2SAFE(t)
	at := filepath.Join(root, "GRANULE/IMG_DATA/T34UCF_20230823T095559_B04.jp2")
	data, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(data) * 9 / 10; i < len(data); i++ { // the last of its blocks
		data[i] = 0xff
	}
	if err := os.WriteFile(at, data, 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := Open(root, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Read(Window{W: 64, H: 64}, nil); err != nil {
		t.Errorf("the first block: %v", err)
	}
	for range 2 {
		if _, err := s.Read(Window{X: 236, Y: 236, W: 64, H: 64}, nil); err == nil {
			t.Error("the last block is read")
		} else if !strings.Contains(fmt.Sprint(err), "read") {
			t.Errorf("%v", err)
		}
	}
	if _, err := s.Read(Window{X: 236, Y: 236, W: 64, H: 64}, []string{"blue"}); err != nil {
		t.Errorf("another band: %v", err)
	}
}
