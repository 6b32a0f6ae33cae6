package native

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/linktile"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// What is mutated in a child process, where a crash of a native library shows as one.
var outsideKinds = []string{"tile", "linktile", "png", "jpeg", "wkt"}

// A decoder that takes longer than this for a few hundred kilobytes does not end.
const stall = 30 * time.Second

// TestBytesFromOutsideNeverCrashADecoder gives the decoders of workers and mosaics bytes that were tiles,
// pictures and reference systems, mutated with their structure in mind. $CANVAS_SOAK does so for half an
// hour of each.
func TestBytesFromOutsideNeverCrashADecoder(t *testing.T) {
	span := 1500 * time.Millisecond
	if os.Getenv("CANVAS_SOAK") != "" {
		span = 30 * time.Minute
	}
	for _, kind := range outsideKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			seed := uint64(time.Now().UnixNano())
			cmd := exec.Command(os.Args[0], "-test.run=^TestOutsideChild$", "-test.timeout=0")
			cmd.Env = append(os.Environ(), fmt.Sprintf("CANVAS_OUTSIDE=%s %d %d", kind, seed, span))
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			var words bytes.Buffer
			cmd.Stderr = &words
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			// The child says the number of each input before it is given to the decoder.
			numbers := make(chan uint64)
			go func() {
				defer close(numbers)
				var n [8]byte
				for {
					if _, err := io.ReadFull(out, n[:]); err != nil {
						return
					}
					numbers <- binary.LittleEndian.Uint64(n[:])
				}
			}()
			last, count := uint64(0), 0
			for alive := true; alive; {
				select {
				case n, ok := <-numbers:
					if alive = ok; ok && n != done {
						last, count = n, count+1
					}
				case <-time.After(stall):
					cmd.Process.Kill()
					cmd.Wait()
					t.Fatalf("input %d of seed %d takes more than %s", last, seed, stall)
				}
			}
			if err := cmd.Wait(); err != nil {
				t.Fatalf("input %d of seed %d ended the process: %v\n%.2000s", last, seed, err, words.String())
			}
			t.Logf("%d inputs", count)
		})
	}
}

const done = ^uint64(0)

func TestOutsideChild(t *testing.T) {
	asked := strings.Fields(os.Getenv("CANVAS_OUTSIDE"))
	if len(asked) != 3 {
		t.Skip("only the child of another test")
	}
	seed, _ := strconv.ParseUint(asked[1], 10, 64)
	span, _ := strconv.ParseInt(asked[2], 10, 64)
	seeds, try := outside(t, asked[0])
	var number [8]byte
	for n, began := uint64(0), time.Now(); time.Since(began) < time.Duration(span); n++ {
		r := rand.New(rand.NewPCG(seed, n))
		data := mutate(r, seeds[r.IntN(len(seeds))])
		binary.LittleEndian.PutUint64(number[:], n)
		os.Stdout.Write(number[:])
		try(data)
	}
	binary.LittleEndian.PutUint64(number[:], done)
	os.Stdout.Write(number[:])
	os.Stdout.Close() // the test's own words are not for the parent
}

// outside are honest inputs of a kind, and what they are given to.
func outside(t *testing.T, kind string) (seeds [][]byte, try func([]byte)) {
	t.Helper()
	picture := image.NewRGBA(image.Rect(0, 0, 48, 32))
	for i := range picture.Pix {
		picture.Pix[i] = byte(i * 7)
	}
	decode := func(media string) func([]byte) {
		return func(data []byte) { Decoder{MaxPixels: 1 << 20}.Decode(media, data) }
	}
	var b bytes.Buffer
	switch kind {
	case "png":
		if err := png.Encode(&b, picture); err != nil {
			t.Fatal(err)
		}
		gray := image.NewGray16(image.Rect(0, 0, 9, 9))
		var g bytes.Buffer
		if err := png.Encode(&g, gray); err != nil {
			t.Fatal(err)
		}
		return [][]byte{b.Bytes(), g.Bytes()}, decode("image/png")
	case "jpeg":
		if err := jpeg.Encode(&b, picture, nil); err != nil {
			t.Fatal(err)
		}
		return [][]byte{b.Bytes()}, decode("image/jpeg")
	case "tile":
		g, err := raster.UTM(32, true, 500000, 5400000, 10)
		if err != nil {
			t.Fatal(err)
		}
		plane := make([]float32, 48*32)
		for i := range plane {
			plane[i] = float32(i%97) / 97
		}
		for _, c := range []raster.Coding{{}, {DataType: "Byte", Scalings: []raster.Scaling{{Scale: 0.1}, {Scale: 1}}}} {
			data, err := raster.EncodeTile(vision.Image{W: 48, H: 32, Bands: []string{"red", "nir"}, Planes: [][]float32{plane, plane}}, g, c)
			if err != nil {
				t.Fatal(err)
			}
			seeds = append(seeds, data)
		}
		return seeds, decode("image/tiff")
	}
	if kind == "linktile" {
		_, data := linkTile(t, "red", "nir")
		return [][]byte{data}, decode(linktile.MediaType)
	}
	for _, zone := range []int{1, 32} {
		g, err := raster.UTM(zone, true, 500000, 5400000, 10)
		if err != nil {
			t.Fatal(err)
		}
		seeds = append(seeds, []byte(g.WKT))
	}
	seeds = append(seeds, []byte(`GEOGCRS["WGS 84",DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,298.257223563]],CS[ellipsoidal,2],AXIS["lat",north],AXIS["lon",east],ANGLEUNIT["degree",0.0174532925199433],ID["EPSG",4326]]`))
	return seeds, func(data []byte) {
		g := raster.Georef{WKT: string(data), Transform: [6]float64{500000, 10, 0, 5400000, 0, -10}}
		if g.Check() == nil {
			raster.Footprint(g, raster.Window{W: 100, H: 100})
		}
	}
}

// mutate changes some bytes: most near the beginning, where headers are, and numbers to those that break
// arithmetic.
func mutate(r *rand.Rand, from []byte) []byte {
	data := bytes.Clone(from)
	for range 1 + r.IntN(6) {
		if len(data) == 0 {
			return data
		}
		at := r.IntN(len(data))
		if r.IntN(2) == 0 {
			at = r.IntN(min(len(data), 600))
		}
		switch r.IntN(7) {
		case 0:
			data[at] ^= 1 << r.IntN(8)
		case 1:
			data[at] = byte(r.Uint32())
		case 2:
			if at+4 <= len(data) {
				binary.LittleEndian.PutUint32(data[at:], []uint32{0, 1, 0x7fffffff, 0x80000000, 0xffffffff, uint32(len(data)), 65536}[r.IntN(7)])
			}
		case 3:
			if at+2 <= len(data) {
				binary.BigEndian.PutUint16(data[at:], []uint16{0, 1, 0x7fff, 0x8000, 0xffff, 257, 8}[r.IntN(7)])
			}
		case 4:
			data = data[:at]
		case 5: // a piece again
			end := min(len(data), at+1+r.IntN(64))
			data = append(data[:end:end], data[at:]...)
		case 6: // a piece less
			data = append(data[:at:at], data[min(len(data), at+1+r.IntN(32)):]...)
		}
	}
	return data
}
