package detect

import (
	"fmt"
	"math"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/vision"
)

// ExpectedWrong is how many of a picture's detections are expected to be reported and not to be there:
// each is there with its score as the probability, and is reported with the same, which is p(1 - p).
func ExpectedWrong(boxes []vision.Box) (wrong float64) {
	for _, b := range boxes {
		p := min(max(float64(b.Score), 0), 1)
		wrong += p * (1 - p)
	}
	return wrong
}

// PerKiB is what a second look is chosen by: expected wrong decisions for each KiB that it costs.
func PerKiB(wrong float64, bytes int) float64 { return wrong * 1024 / float64(max(bytes, 1)) }

// muchWrong is what a picture of full value holds: a hundred detections in full doubt.
const muchWrong = 100 * 0.25

// wholeFrames chooses the frames that a larger model of the cloud shall see whole.
type wholeFrames struct {
	config    SecondLook
	evaluated time.Time             // the frame that was evaluated last, for which it is encoded
	asked     time.Time             // the one that was sent last
	key       string                // key of that one …
	waits     func(key string) bool // … and whether it still waits; nil: it never does
}

// evaluateEvery is how often at most a camera's frames are encoded to see what they weigh.
const evaluateEvery = time.Second

// due says whether a frame of that time is evaluated. A clock that is put back holds up nothing.
func (w *wholeFrames) due(at time.Time) bool {
	within := func(since time.Time, d time.Duration) bool {
		gone := at.Sub(since)
		return !since.IsZero() && gone >= 0 && gone < d
	}
	switch {
	case w.config.Pictures <= 0:
		return false
	case w.config.Every < 0:
		return true
	case within(w.asked, w.config.Every) || within(w.evaluated, min(evaluateEvery, w.config.Every/10)):
		return false
	}
	w.evaluated = at
	return w.waits == nil || w.key == "" || !w.waits(w.key)
}

// HoldPictures lets whole pictures for the cloud's model wait for one another: none is sent while
// the one before it, whose Key is given, still waits for the link.
func (c *Camera) HoldPictures(waits func(key string) bool) { c.wholeFrames.waits = waits }

// lookAgain sends a frame whole to the cloud's model where that is worth its bytes, nil where it is not.
// The bytes that are evaluated are those that are sent.
func (c *Camera) lookAgain(f Frame, boxes []vision.Box) *event.FrameLook {
	w := &c.wholeFrames
	wrong := ExpectedWrong(boxes)
	if wrong == 0 || c.encode == nil || !w.due(f.At) {
		return nil
	}
	jpeg, err := c.encode(f.Image, w.config.Quality)
	if err != nil {
		c.log.Warn("a frame could not be encoded for a second look", "frame", f.Number, telemetry.Err, err)
		return nil
	}
	if !(PerKiB(wrong, len(jpeg)) >= w.config.Pictures) {
		return nil
	}
	w.asked = f.At
	c.add(event.Frame, fmt.Sprintf("%s/frame-%d", c.name, f.Number), event.Normal, f.moment(), math.Min(wrong/muchWrong, 1), mediaJPEG, jpeg)
	draft := &c.pending[len(c.pending)-1]
	draft.Attrs = event.Attrs{Want: pictureWant, TraceParent: f.Trace}
	draft.Key = fmt.Sprintf("look/%s/%d/%d", c.name, f.Number, f.At.UnixNano())
	w.key = draft.Key
	return &event.FrameLook{Want: pictureWant}
}

// pictureWant is what is asked about a whole picture: boxes, which take the place of the device's.
const pictureWant = "detect"

// view is the best look at an object: its surroundings cut out of the frame, so that what is held
// and sent is small.
type view struct {
	score float32
	image vision.Image
	box   [4]float32 // the object in it
}

// betterPicture is how much the score must grow for another cut.
const betterPicture = 0.02

// keepBest keeps the object's view in this frame if it is the best so far.
func (s Snapshot) keepBest(v *view, b vision.Box, frame vision.Image) {
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

// objects says whether objects may have a second look.
func (s SecondLook) objects() bool { return s.Below > 0 || s.Crops > 0 }

// of says what is asked about an object whose track has ended, nil where nothing is.
func (s SecondLook) of(l *object, picture []byte) *event.SecondLook {
	worth := PerKiB(ExpectedWrong([]vision.Box{{Score: l.Top}}), len(picture))
	if float64(l.Top) >= s.Below && !(s.Crops > 0 && worth >= s.Crops) {
		return nil
	}
	return &event.SecondLook{Want: s.Want, Box: l.view.box}
}
