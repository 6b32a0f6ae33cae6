package mosaic

import (
	"bufio"
	"image"
	"image/color"
	"image/png"
	"os"

	"cloudcanvas/shared/sar"
)

// writeRadarQuicklook writes the mean intensity in dB with a frame around each ship: other bright targets are
// hundreds on land. Where nothing of the image is there, it is the device's own picture, or gray.
func (s *Scene) writeRadarQuicklook(path string, im *radarImage, targets []placedTarget) error {
	picture := s.radarPicture(im)
	orange := color.RGBA{R: 255, G: 140, A: 255}
	for _, t := range targets {
		if t.Class != sar.Ship {
			continue
		}
		x, y := (t.Col+0.5)/float64(im.r.Samples)*float64(picture.Rect.Dx()), (t.Row+0.5)/float64(im.r.Lines)*float64(picture.Rect.Dy())
		mark(picture, int(x), int(y), orange)
	}
	return writeFile(path, func(f *os.File) error {
		w := bufio.NewWriter(f)
		fast := png.Encoder{CompressionLevel: png.BestSpeed}
		if err := fast.Encode(w, picture); err != nil {
			return err
		}
		return w.Flush()
	})
}

func (s *Scene) radarPicture(im *radarImage) *image.RGBA {
	if im.focused+im.shown == 0 && s.quicklook != "" {
		if p := decodeQuicklook(s.quicklook); p != nil {
			return p
		}
	}
	q := im.quick
	picture := image.NewRGBA(image.Rect(0, 0, q.W, q.H))
	for i, g := range q.Gray() {
		copy(picture.Pix[4*i:], []byte{g, g, g, 255})
	}
	return picture
}

// mark draws a square around a place.
func mark(on *image.RGBA, x, y int, c color.RGBA) {
	const away = 4
	for d := -away; d <= away; d++ {
		for _, p := range []image.Point{{x + d, y - away}, {x + d, y + away}, {x - away, y + d}, {x + away, y + d}} {
			if p.In(on.Rect) {
				on.SetRGBA(p.X, p.Y, c)
			}
		}
	}
}
