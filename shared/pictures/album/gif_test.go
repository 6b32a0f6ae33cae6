package album

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"strings"
	"testing"
)

func gifOf(t testing.TB, frames int) []byte {
	t.Helper()
	g := &gif.GIF{Config: image.Config{Width: 4, Height: 3}}
	for range frames {
		p := image.NewPaletted(image.Rect(1, 1, 3, 2), color.Palette{color.RGBA{R: 9, A: 255}, color.RGBA{10, 20, 30, 255}})
		p.Pix[1] = 1
		g.Image, g.Delay = append(g.Image, p), append(g.Delay, 1)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestOfAGIFTheFirstPictureIsTakenAtItsPlace(t *testing.T) {
	for frames, left := range map[int]string{1: "", 3: "it moves"} {
		im, notes, err := First(t.Context(), gifOf(t, frames), 12)
		if err != nil || im.W != 4 || im.H != 3 || !strings.Contains(notes.Left, left) || left == "" && notes.Left != "" {
			t.Errorf("%d frames: %dx%d, %+v, %v", frames, im.W, im.H, notes, err)
			continue
		}
		if got := im.Pix[3*(4+1) : 3*(4+3)]; !bytes.Equal(got, []byte{0, 0, 9, 30, 20, 10}) || im.Pix[0] != 0 {
			t.Errorf("%v", im.Pix)
		}
	}
	if _, err := Open(t.Context(), gifOf(t, 1), 11); err == nil || !strings.Contains(err.Error(), "4x3") {
		t.Errorf("beyond the limit: %v", err)
	}
	if _, _, err := First(t.Context(), gifOf(t, 1)[:40], 12); err == nil {
		t.Error("half a GIF was read")
	}
}

func FuzzGIFMoves(f *testing.F) {
	f.Add(gifOf(f, 2))
	f.Fuzz(func(_ *testing.T, data []byte) { gifMoves(data) })
}
