package sar

import (
	"bytes"
	"errors"
	"math"
	"math/cmplx"
	"testing"
)

// unevenSpeckle are samples of a rectangle whose mean differs by 20 dB from corner to corner.
func unevenSpeckle(cols, rows int) []complex64 {
	pix, seed := make([]complex64, cols*rows), uint32(1)
	normal := func() float64 {
		sum := 0.0
		for range 12 {
			seed = seed*1664525 + 1013904223
			sum += float64(seed>>8) / (1 << 24)
		}
		return sum - 6
	}
	for i := range pix {
		mean := math.Pow(10, float64(i%cols)/float64(cols))
		pix[i] = complex(float32(normal()*mean), float32(normal()*mean))
	}
	return pix
}

func amplitudeOf(pix []complex64, cols, rows int) AmplitudeTile {
	half := make([]int16, len(pix))
	HalfDB(half, pix)
	t := AmplitudeTile{Width: 5000, Height: 9000, Col: 1024, Row: 2048, Cols: cols, Rows: rows}
	t.SetHalfDB(half, cols)
	return t
}

func TestAmplitudeIsWithinAQuarterOfADB(t *testing.T) {
	const cols, rows = 300, 200
	nan := float32(math.NaN())
	pix := unevenSpeckle(cols, rows)
	pix[0], pix[1], pix[2], pix[3], pix[4] = 0, complex(nan, 1), complex(float32(math.Inf(1)), 0), 1e-15, complex(0, 1e4)
	tile := amplitudeOf(pix, cols, rows)
	data, err := tile.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeAmplitude(data)
	if err != nil {
		t.Fatal(err)
	}
	if got.Width != 5000 || got.Height != 9000 || got.Col != 1024 || got.Row != 2048 || got.Cols != cols || got.Rows != rows || !bytes.Equal(got.Level, tile.Level) || got.Base != tile.Base {
		t.Errorf("%+v is not %+v", got, tile)
	}
	is := got.Amplitudes()
	for i, v := range pix {
		level, want := got.Level[i], cmplx.Abs(complex128(v))
		switch {
		case i < 3 && level != 0:
			t.Errorf("pixel %d, %v, has level %d", i, v, level)
		case i > 3 && level == 1 && want > 1.03*float64(is[1]):
			t.Errorf("pixel %d, %v, counts as faint", i, want)
		case i == 3 && level != 1: // more than 127 dB below the brightest
			t.Errorf("the faintest has level %d", level)
		case i > 3 && level > 1 && math.Abs(20*math.Log10(want/float64(is[level]))) > 0.252:
			t.Fatalf("pixel %d is %v, level %d is %v", i, want, level, is[level])
		}
	}
}

func TestNothingBrightIsATileOfNoData(t *testing.T) {
	tile := amplitudeOf(make([]complex64, 16), 4, 4)
	data, err := tile.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeAmplitude(data); err != nil || !bytes.Equal(got.Level, make([]byte, 16)) {
		t.Errorf("%v, %v", got.Level, err)
	}
}

func TestSpeckleTakesLessThanItsEntropy(t *testing.T) {
	tile := amplitudeOf(unevenSpeckle(512, 512), 512, 512)
	data, err := tile.Encode()
	if err != nil {
		t.Fatal(err)
	}
	count, entropy := [256]float64{}, 0.0
	for _, l := range tile.Level {
		count[l]++
	}
	for _, n := range count {
		if n > 0 {
			entropy -= n * math.Log2(n/float64(len(tile.Level)))
		}
	}
	t.Logf("%.2f bits a pixel, the entropy is %.2f", float64(8*len(data))/float64(len(tile.Level)), entropy/float64(len(tile.Level)))
	if float64(8*len(data)) > 0.95*entropy {
		t.Errorf("%d bytes, the entropy is %.0f", len(data), entropy/8)
	}
}

func TestATileOfAmplitudeIsRefusedWithWords(t *testing.T) {
	good, err := amplitudeOf(unevenSpeckle(8, 8), 8, 8).Encode()
	if err != nil {
		t.Fatal(err)
	}
	newer := bytes.Clone(good)
	newer[3] = '2'
	for name, data := range map[string][]byte{"nothing": nil, "a picture": []byte("\x89PNG\r\n\x1a\n"), "newer": newer, "cut": good[:len(good)-1], "changed": append(bytes.Clone(good[:20]), append([]byte{good[20] + 1}, good[21:]...)...)} {
		if _, err := DecodeAmplitude(data); !errors.Is(err, ErrNoAmplitude) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, tile := range map[string]AmplitudeTile{"too wide": {Width: 2000, Height: 2, Cols: 1025, Rows: 1, Level: make([]byte, 1025)}, "fewer levels": {Width: 4, Height: 4, Cols: 4, Rows: 4, Level: make([]byte, 15)}, "outside": {Width: 4, Height: 4, Col: 2, Cols: 4, Rows: 4, Level: make([]byte, 16)}} {
		if _, err := tile.Encode(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzAmplitude(f *testing.F) {
	for _, side := range []int{1, 33} {
		data, err := amplitudeOf(unevenSpeckle(side, side), side, side).Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tile, err := DecodeAmplitude(data)
		if err != nil {
			return
		}
		again, err := tile.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if same, err := DecodeAmplitude(again); err != nil || !bytes.Equal(same.Level, tile.Level) || same.Base != tile.Base || same.Row != tile.Row {
			t.Errorf("%v", err)
		}
	})
}

func TestAQuicklookShowsGroundAboutSquare(t *testing.T) {
	p := &Plan{Params: Params{Lines: 4000, Samples: 500, PRFHz: 1000, SamplingHz: 15e6, EffectiveVelocityMS: 7000}} // 7 m along, 10 m across
	q := NewQuicklook(p, 256)
	if q.H > 256 || q.W > 256 || q.W < 25 {
		t.Fatalf("%d x %d pixels", q.W, q.H)
	}
	if ratio := float64(q.stepRow) * 7 / (float64(q.stepCol) * 10); ratio < 0.85 || ratio > 1.18 {
		t.Errorf("a pixel is %d rows high and %d columns wide", q.stepRow, q.stepCol)
	}
	im := &Image{FirstRow: 2000, Rows: 2000, Cols: 500, Pix: make([]complex64, 2000*500)}
	for i := range im.Pix {
		im.Pix[i] = complex(float32(1+i%500), 0)
	}
	im.Pix[7] = complex(float32(math.NaN()), 0)
	q.Add(im)
	gray := q.Gray()
	for y := range q.H {
		row := gray[y*q.W : (y+1)*q.W]
		switch {
		case (y+1)*q.stepRow <= 2000 && !bytes.Equal(row, make([]byte, q.W)):
			t.Errorf("row %d was never seen and is not black", y)
		case y*q.stepRow > 2000 && !(row[0] < row[q.W/2] && row[q.W/2] < row[q.W-1]):
			t.Errorf("row %d does not get brighter", y)
		}
	}
	if even := NewQuicklook(&Plan{Params: Params{Lines: 10, Samples: 3000}}, 100); even.W > 100 || even.H != 1 {
		t.Errorf("%d x %d pixels where nothing is known", even.W, even.H)
	}
}
