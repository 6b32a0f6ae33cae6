package album

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/pictures"
	"cloudcanvas/shared/vision"
)

// fixture is a file that another's encoder made: of 96 x 64 pixels, with a quarter each of red, green, blue and white.
func fixture(t testing.TB, name string) []byte {
	t.Helper()
	for _, folder := range []string{"testdata", "try"} {
		if data, err := os.ReadFile(filepath.Join(folder, name)); err == nil {
			return data
		}
	}
	t.Fatal(name + " is not there")
	return nil
}

// quarters are in the order of reading, as blue, green, red.
var quarters = [4][3]int{{30, 30, 200}, {30, 180, 30}, {200, 30, 30}, {230, 230, 230}}

// sees says whether the middle of each quarter has its colour.
func sees(im vision.Image, want [4][3]int, within int) bool {
	for i, colour := range want {
		x, y := im.W/4+im.W/2*(i%2), im.H/4+im.H/2*(i/2)
		for c, v := range colour {
			if d := int(im.Pix[3*(y*im.W+x)+c]) - v; d > within || d < -within {
				return false
			}
		}
	}
	return true
}

// The files were made by pillow-heif 1.8 (HEIC, x265) and Pillow 13 (AVIF, libaom).
func TestHEICAndAVIFComeUprightAndInTheirColours(t *testing.T) {
	turned := [4][3]int{quarters[2], quarters[0], quarters[3], quarters[1]} // by 90 degrees, clockwise
	for name, c := range map[string]struct {
		w, h int
		want [4][3]int
		left string
	}{
		"small.heic": {96, 64, quarters, ""},
		"ten.heic":   {96, 64, quarters, ""},
		"two.heic":   {96, 64, quarters, "the main one of its 2 pictures"},
		"small.avif": {64, 96, turned, ""},
		"moves.avif": {96, 64, quarters, "it moves"},
	} {
		im, notes, err := First(t.Context(), fixture(t, name), 96*64)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if im.W != c.w || im.H != c.h || !sees(im, c.want, 4) || !strings.Contains(notes.Left, c.left) || c.left == "" && notes.Left != "" || notes.Assumed != "" {
			t.Errorf("%s: %dx%d, %+v", name, im.W, im.H, notes)
		}
	}
}

func TestTheMachinesOwnDecodersAreTried(t *testing.T) {
	for _, kind := range []string{pictures.HEIC, pictures.AVIF} {
		if err := Try(t.Context(), kind); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestAnAVIFOfFFmpegInTenBitsIsRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.avif")
	if out, err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=c=0x1ec81e:s=64x48", "-frames:v", "1", "-c:v", "libaom-av1", "-still-picture", "1", "-pix_fmt", "yuv420p10le", file).CombinedOutput(); err != nil {
		t.Skipf("this machine's ffmpeg writes no AVIF: %s", out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	im, notes, err := First(t.Context(), data, 64*48)
	green := [3]int{30, 200, 30}
	if err != nil || im.W != 64 || im.H != 48 || !sees(im, [4][3]int{green, green, green, green}, 4) {
		t.Errorf("%dx%d, %+v, %v", im.W, im.H, notes, err)
	}
}

func TestWhatIsWrongWithAHEICIsReportedAndEndsNothing(t *testing.T) {
	whole := fixture(t, "small.heic")
	if _, err := Open(t.Context(), whole, 96*64-1); err == nil || !strings.Contains(err.Error(), "96x64") {
		t.Errorf("beyond the limit: %v", err)
	}
	for name, data := range map[string][]byte{"cut": whole[:len(whole)*2/3], "header": whole[:40], "scrambled": bytes.ReplaceAll(whole, []byte("hvcC"), []byte("free"))} {
		if _, _, err := First(t.Context(), data, 1e6); err == nil || !strings.Contains(err.Error(), "HEIC picture") {
			t.Errorf("%s: %v", name, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ended, whole, 1e6); err == nil {
		t.Error("it was opened after the end")
	}
}
