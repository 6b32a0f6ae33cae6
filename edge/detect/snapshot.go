package detect

import (
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// view is the best look at an object: its surroundings cut out of the frame, so that what is held
// and sent is small.
type view struct {
	score float32
	image vision.Image
	box   [4]float32 // the object in it
}

// betterPicture is how much the score must grow for another cut.
const betterPicture = 0.02

// see keeps the object's view in this frame if it is the best so far.
func (s Snapshot) see(v *view, b vision.Box, frame vision.Image) {
	if s.Off || len(frame.Pix) != frame.W*frame.H*3 || v.image.W > 0 && b.Score < v.score+betterPicture {
		return
	}
	v.score = b.Score
	x, y, w, h := s.Window(b, frame.W, frame.H)
	cut(&v.image, frame, x, y, w, h)
	v.box = [4]float32{b.X - float32(x), b.Y - float32(y), b.W, b.H}
}

// region is the object with its margin along one side of the frame, and within it.
func (s Snapshot) region(from, size float32, limit int) (at, side int) {
	side = max(int(min(size*(1+2*float32(s.Margin)), float32(limit))), s.MinSide, 1)
	side = min(side, limit)
	at = int(min(max(from+size/2, 0), float32(limit))) - side/2
	return min(max(at, 0), limit-side), side
}

// cut copies a part of an image into memory that may be used again.
func cut(to *vision.Image, from vision.Image, x, y, w, h int) {
	pix := to.Pix[:0]
	for row := y; row < y+h; row++ {
		at := 3 * (row*from.W + x)
		pix = append(pix, from.Pix[at:at+3*w]...)
	}
	*to = vision.Image{W: w, H: h, Pix: pix}
}

// Window is what a picture of an object shows of a frame: the object and its surroundings.
func (s Snapshot) Window(b vision.Box, width, height int) (x, y, w, h int) {
	x, w = s.region(b.X, b.W, width)
	y, h = s.region(b.Y, b.H, height)
	return x, y, w, h
}

// of says what is asked about an object whose track has ended, nil where nothing is.
func (s SecondLook) of(l *life, picture []byte) *event.SecondLook {
	worth := PerKiB(ExpectedWrong([]vision.Box{{Score: l.Top}}), len(picture))
	if float64(l.Top) >= s.Below && !(s.Crops > 0 && worth >= s.Crops) {
		return nil
	}
	return &event.SecondLook{Want: s.Want, Box: l.view.box}
}
