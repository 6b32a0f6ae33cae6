package detect

import (
	"fmt"
	"math"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/vision"
)

// ExpectedWrong is how many of a picture's detections are expected to be told and not to be there:
// each is there with its score as the probability, and is told with the same, which is p(1 - p).
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

// pictures chooses the frames that a larger model of the cloud shall see whole.
type pictures struct {
	config SecondLook
	judged time.Time             // the frame that was judged last, for which it is encoded
	asked  time.Time             // the one that was sent last
	name   string                // the finding of that …
	waits  func(key string) bool // … and whether it still waits; nil: nobody knows
}

// judgeEvery is how often at most a camera's frames are encoded to see what they weigh.
const judgeEvery = time.Second

// due says whether a frame of that time is judged. A clock that is put back holds up nothing.
func (p *pictures) due(at time.Time) bool {
	within := func(since time.Time, d time.Duration) bool {
		gone := at.Sub(since)
		return !since.IsZero() && gone >= 0 && gone < d
	}
	switch {
	case p.config.Pictures <= 0:
		return false
	case p.config.Every < 0:
		return true
	case within(p.asked, p.config.Every) || within(p.judged, min(judgeEvery, p.config.Every/10)):
		return false
	}
	p.judged = at
	return p.waits == nil || p.name == "" || !p.waits(p.name)
}

// HoldPictures lets whole pictures for the cloud's model wait for one another: none is sent while
// the one before it, whose Key is given, still waits for the link.
func (c *Camera) HoldPictures(waits func(key string) bool) { c.pictures.waits = waits }

// look sends a frame whole to the cloud's model where that is worth its bytes, nil where it is not.
// The bytes that are judged are those that are sent.
func (c *Camera) look(f Frame, boxes []vision.Box) *event.FrameLook {
	p := &c.pictures
	wrong := ExpectedWrong(boxes)
	if wrong == 0 || c.encode == nil || !p.due(f.At) {
		return nil
	}
	jpeg, err := c.encode(f.Image, c.config.Snapshot.Quality)
	if err != nil {
		c.log.Warn("a frame has no picture for a second look", "frame", f.Number, telemetry.Err, err)
		return nil
	}
	if !(PerKiB(wrong, len(jpeg)) >= p.config.Pictures) {
		return nil
	}
	p.asked = f.At
	c.add(event.Frame, fmt.Sprintf("%s/frame-%d", c.name, f.Number), event.Normal, f.moment(), math.Min(wrong/muchWrong, 1), mediaJPEG, jpeg)
	finding := &c.pending[len(c.pending)-1]
	finding.Attrs = event.Attrs{Want: pictureWant, TraceParent: f.Trace}
	finding.Key = fmt.Sprintf("look/%s/%d/%d", c.name, f.Number, f.At.UnixNano())
	p.name = finding.Key
	return &event.FrameLook{Want: pictureWant}
}

// pictureWant is what is asked about a whole picture: boxes, which take the place of the device's.
const pictureWant = "detect"
