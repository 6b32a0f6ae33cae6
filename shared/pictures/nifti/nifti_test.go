package nifti

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"math"
	"strings"
	"testing"
)

type order interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// made is what a test writes into a header.
type made struct {
	order        order
	two          bool
	kind         int16
	sides        []int64
	slope, inter float64
	low, high    float64
	units        byte
	voxels       []byte
}

func (m made) file() []byte {
	o := m.order
	if m.two {
		h := make([]byte, 544)
		o.PutUint32(h, header2)
		copy(h[4:], magic2)
		o.PutUint16(h[12:], uint16(m.kind))
		o.PutUint64(h[16:], uint64(len(m.sides)))
		for i, n := range m.sides {
			o.PutUint64(h[24+8*i:], uint64(n))
		}
		for at, v := range map[int]float64{112: 0.5, 120: 0.25, 176: m.slope, 184: m.inter, 192: m.high, 200: m.low} {
			o.PutUint64(h[at:], math.Float64bits(v))
		}
		o.PutUint64(h[168:], 544)
		o.PutUint32(h[500:], uint32(m.units))
		return append(h, m.voxels...)
	}
	h := make([]byte, 352)
	o.PutUint32(h, header1)
	copy(h[344:], "n+1\x00")
	copy(h[148:], "SECRET NAME")
	o.PutUint16(h[70:], uint16(m.kind))
	o.PutUint16(h[40:], uint16(len(m.sides)))
	for i, n := range m.sides {
		o.PutUint16(h[42+2*i:], uint16(n))
	}
	for at, v := range map[int]float64{80: -0.5, 84: 0.25, 108: 352, 112: m.slope, 116: m.inter, 124: m.high, 128: m.low} {
		o.PutUint32(h[at:], math.Float32bits(float32(v)))
	}
	h[123] = m.units
	return append(h, m.voxels...)
}

func zipped(data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(data)
	z.Close()
	return b.Bytes()
}

// slice is one's grey values.
func slice(t testing.TB, data []byte, i int) (out []byte, assumed string) {
	t.Helper()
	if is, pair := Is(data[:min(len(data), 512)]); !is || pair {
		t.Error("it is not recognised")
	}
	f, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	im, notes, err := f.Slice(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	for k := 0; k < len(im.Pix); k += 3 {
		out = append(out, im.Pix[k])
	}
	return out, notes.Assumed
}

func TestSlicesOfTheThirdAxisComeInEveryForm(t *testing.T) {
	for _, o := range []order{binary.LittleEndian, binary.BigEndian} {
		for _, two := range []bool{false, true} {
			m := made{order: o, two: two, kind: 4, sides: []int64{3, 2, 2, 2}, slope: 2, inter: -100, low: -100, high: 410, units: 2}
			for i := range 24 {
				m.voxels = o.AppendUint16(m.voxels, uint16(10*i))
			}
			for name, data := range map[string][]byte{"plain": m.file(), "compressed": zipped(m.file())} {
				f, err := Parse(data)
				if err != nil || f.W != 3 || f.H != 2 || f.Slices != 4 || f.Volumes != 2 || f.Spacing != [2]float64{0.5, 0.25} {
					t.Fatalf("%s: %+v, %v", name, f, err)
				}
				for _, i := range []int{3, 0, 1} { // also back
					im, notes, err := f.Slice(t.Context(), i)
					if err != nil || notes.Assumed != "its values from cal_min to cal_max are shown" {
						t.Fatalf("%s: %v, %+v", name, err, notes)
					}
					for k := range 6 {
						if want := byte(10 * (6*i + k) * 2 / 2); im.Pix[3*k] != want {
							t.Errorf("%s, slice %d: voxel %d is %d, want %d", name, i, k, im.Pix[3*k], want)
						}
					}
				}
			}
		}
	}
}

func TestWithoutARangeTheValuesFrom2To98PercentAreShown(t *testing.T) {
	m := made{order: binary.LittleEndian, kind: 16, sides: []int64{101, 1, 1}}
	for i := range 101 {
		v := float32(i)
		if i == 100 {
			v = float32(math.NaN()) // which counts for nothing: of 0 to 99 it is 1.98 to 97.02
		}
		m.voxels = binary.LittleEndian.AppendUint32(m.voxels, math.Float32bits(v))
	}
	got, assumed := slice(t, m.file(), 0)
	if got[1] != 0 || got[98] != 255 || got[100] != 0 || got[50] != 129 || !strings.Contains(assumed, "2 % to 98 %") {
		t.Errorf("%v, %q", got, assumed)
	}
	mask := made{order: binary.LittleEndian, kind: 2, sides: []int64{100, 1, 1}, voxels: make([]byte, 100)}
	mask.voxels[7] = 1
	if got, _ := slice(t, mask.file(), 0); got[7] != 255 || got[8] != 0 {
		t.Errorf("a mask: %v", got)
	}
	colours := made{order: binary.LittleEndian, kind: rgb24, sides: []int64{1, 1, 1}, voxels: []byte{1, 2, 3}}
	f, err := Parse(colours.file())
	if err != nil {
		t.Fatal(err)
	}
	if im, notes, err := f.Slice(t.Context(), 0); err != nil || !bytes.Equal(im.Pix, []byte{3, 2, 1}) || notes.Assumed != "" {
		t.Errorf("%v, %+v, %v", im.Pix, notes, err)
	}
}

func TestWhatIsWrongWithAVolumeIsReported(t *testing.T) {
	good := made{order: binary.LittleEndian, kind: 2, sides: []int64{2, 2, 2}, voxels: make([]byte, 8)}
	huge, odd, none := good, good, good
	huge.sides, odd.kind, none.sides = []int64{30000, 30000, 30000}, 32, []int64{0, 2}
	for want, data := range map[string][]byte{
		"over the limit": huge.file(), "the type 32": odd.file(), "axes": none.file(),
		"is the file whole": good.file()[:355], "ends early": zipped(good.file()[:355]), "header": good.file()[:100],
	} {
		f, err := Parse(data)
		if err == nil {
			_, _, err = f.Slice(t.Context(), 1)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	pair := good.file()
	copy(pair[344:], "ni1\x00")
	if is, of := Is(pair); is || !of {
		t.Error("a header without voxels is not reported")
	}
}

func FuzzParse(f *testing.F) {
	m := made{order: binary.LittleEndian, kind: 4, sides: []int64{2, 2, 2}, voxels: make([]byte, 16)}
	f.Add(m.file())
	f.Add(zipped(m.file()))
	f.Fuzz(func(t *testing.T, data []byte) {
		Is(data)
		v, err := Parse(data)
		if err != nil || v.W*v.H > 1<<16 || v.Slices > 16 {
			return
		}
		v.Slice(t.Context(), 0)
	})
}
