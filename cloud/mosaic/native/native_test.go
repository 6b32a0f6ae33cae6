package native

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"testing"

	"cloudcanvas/shared/vision"
)

func TestBoxesAreDrawnWhereTheyAre(t *testing.T) {
	gray := image.NewRGBA(image.Rect(0, 0, 320, 240))
	draw.Draw(gray, gray.Rect, image.NewUniform(color.Gray{Y: 128}), image.Point{}, draw.Src)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, gray, nil); err != nil {
		t.Fatal(err)
	}
	drawn, err := Annotator{}.Draw(b.Bytes(), []vision.Box{{X: 100, Y: 80, W: 90, H: 100, Score: 0.9, Label: "person"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := jpeg.Decode(bytes.NewReader(drawn))
	if err != nil || got.Bounds() != gray.Rect {
		t.Fatalf("%v: %v", err, got)
	}
	differs := func(x, y int) bool {
		r, g, b, _ := got.At(x, y).RGBA()
		return max(r, g, b)-min(r, g, b) > 20<<8
	}
	if !differs(100, 130) || differs(300, 220) || differs(145, 140) {
		t.Fatal("the box is not on its border, or paint is elsewhere")
	}
	if _, err := (Annotator{}).Draw([]byte("no picture"), nil, nil); err == nil {
		t.Fatal("what is no picture was drawn on")
	}
}
