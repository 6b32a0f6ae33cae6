package preview

import (
	"bytes"
	"image"
	"image/jpeg"
	"testing"
)

func TestPreviewsAreSafe(t *testing.T) {
	for _, c := range []struct {
		name string
		data []byte
		text bool
	}{{"text", []byte("hello\nworld"), true}, {"bytes", []byte{0, 1, 2}, false}, {"nothing", nil, false}, {"an escape", []byte("\x1b[31m"), false}, {"latin 1", []byte{'a', 0xe9}, false}} {
		if p := Of(c.data, len(c.data)); (p.Text != "") != c.text || p.Picture {
			t.Errorf("%s: %+v", c.name, p)
		}
	}
	var picture bytes.Buffer
	if err := jpeg.Encode(&picture, image.NewGray(image.Rect(0, 0, 50, 50)), nil); err != nil {
		t.Fatal(err)
	}
	if p := Of(picture.Bytes(), 1<<20); !p.Picture || p.Text != "" {
		t.Errorf("a picture: %v", p.Picture)
	}
	bomb := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 8, 2, 0, 0, 0)
	if _, err := Redraw(bomb); err == nil {
		t.Error("a bomb is decoded")
	}
	if p := Of(bomb, len(bomb)); p.Picture {
		t.Error("a bomb is offered as a picture")
	}
}
