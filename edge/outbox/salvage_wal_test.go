package outbox

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// aLog is one of two transactions of two frames each, of pages of 512 bytes.
func aLog() []byte {
	h := walHead{page: 512, sequence: 1, salts: walSums{7, 9}}
	h.order = binary.LittleEndian
	b := h.write()
	written, _ := readWALHead(b)
	sums := written.sums
	for n := range 4 {
		f := make(frame, walFrame+h.page)
		binary.BigEndian.PutUint32(f[0:], uint32(n+1))
		if n%2 == 1 {
			binary.BigEndian.PutUint32(f[4:], uint32(n+1))
		}
		binary.BigEndian.PutUint32(f[8:], 7)
		binary.BigEndian.PutUint32(f[12:], 9)
		copy(f[walFrame:], bytes.Repeat([]byte{byte(n)}, h.page))
		sums = sums.over(h.order, f[:8]).over(h.order, f[walFrame:])
		binary.BigEndian.PutUint32(f[16:], sums[0])
		binary.BigEndian.PutUint32(f[20:], sums[1])
		b = append(b, f...)
	}
	return b
}

func TestWhatIsDamageInALogAndWhatIsATornEnd(t *testing.T) {
	whole := aLog()
	size := walFrame + 512
	for name, c := range map[string]struct {
		spoil         func([]byte) []byte
		good, end     int
		damaged, torn bool
	}{
		"whole":                      {func(b []byte) []byte { return b }, 4, 4, false, false},
		"none":                       {func(b []byte) []byte { return b[:10] }, 0, 0, false, false},
		"cut in a frame":             {func(b []byte) []byte { return b[:len(b)-100] }, 3, 3, false, false},
		"a flip in the first":        {func(b []byte) []byte { b[walHeader+walFrame+5] ^= 1; return b }, 0, 4, true, true},
		"a flip in its salts":        {func(b []byte) []byte { b[walHeader+9] ^= 1; return b }, 0, 4, true, true},
		"a flip in the last":         {func(b []byte) []byte { b[walHeader+3*size+walFrame+5] ^= 1; return b }, 3, 4, false, true},
		"a flip in the last but one": {func(b []byte) []byte { b[walHeader+2*size+walFrame+5] ^= 1; return b }, 2, 4, false, true},
		"a flip in the head":         {func(b []byte) []byte { b[20] ^= 1; return b }, 0, 4, true, true},
		"frames of an earlier round": {func(b []byte) []byte { b[walHeader+2*size+8]++; b[walHeader+3*size+8]++; return b }, 2, 2, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			if err := os.WriteFile(path, c.spoil(bytes.Clone(whole)), 0o600); err != nil {
				t.Fatal(err)
			}
			l, err := inspectWAL(path, 512)
			if err != nil || l.good != c.good || l.end != c.end || l.damaged != c.damaged || l.torn != c.torn {
				t.Errorf("%+v %v", l, err)
			}
			if l.end <= l.good {
				return
			}
			if err := repairWAL(path, path+"-mended", l, 4); err != nil {
				t.Fatal(err)
			}
			if m, err := inspectWAL(path+"-mended", 512); err != nil || m.good != c.end || m.headBad || m.torn {
				t.Errorf("mended it is %+v %v", m, err)
			}
		})
	}
}

func FuzzALogIsReadWhateverItHolds(f *testing.F) {
	whole := aLog()
	f.Add(whole)
	f.Add(whole[:walHeader+10])
	f.Add(bytes.Repeat([]byte{0xff}, 3000))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := inspectWAL(path, 512)
		if err != nil || l.end < l.good {
			t.Fatalf("%+v %v", l, err)
		}
		if l.end == l.good {
			return
		}
		if err := repairWAL(path, path+"-mended", l, 100); err != nil {
			t.Fatal(err)
		}
		if m, err := inspectWAL(path+"-mended", 512); err != nil || m.headBad || m.torn || m.damaged {
			t.Fatalf("mended it is %+v %v", m, err)
		}
	})
}
