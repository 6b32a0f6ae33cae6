package mosaic

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/event"
)

// Camera is a fold over what an edge says of one camera, video or set of images: batches of
// detections, events of tracks, snapshots. Like a Scene it does not mind order or repetition. The
// data rests in a working file; memory holds where each piece lies.
type Camera struct {
	Edge, Name string
	dir        string
	most       int // snapshots kept

	scratch     scratchFile
	batches     []piece
	tracks      []piece
	snapshots   []snapshot
	known       map[ulid.ULID]bool
	requested   map[lookKey]bool       // second looks that were asked for …
	secondLooks map[lookKey]secondLook // … and what came of them

	first, end ulid.ULID // ids of the least batch and of the one that ends the source
	total      int       // frames, once the end is known; -1 before
	models     map[string]bool
	epoch      event.Epoch
	through    uint64
}

// piece is an item's data in the scratch file, and what orders it.
type piece struct {
	id    ulid.ULID
	at    time.Time
	where extent
	first int // frame numbers of a batch
	last  int
}

// snapshot is a frame that was sent as a picture.
type snapshot struct {
	piece
	track string // the id of the track it shows
	frame int    // the number of the frame that came whole; -1 of a crop
}

// maxKnown bounds the pieces of one record: a day of batches of 2 s, twice over.
const maxKnown = 1 << 20

// NewCamera is a record of which nothing is known. dir is made, and belongs to it.
func NewCamera(edge, name, dir string, snapshots int) (*Camera, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("beginning the record of camera %s: %w; see mosaic.work_dir", name, err)
	}
	c := &Camera{Edge: edge, Name: name, dir: dir, most: snapshots, total: -1, known: map[ulid.ULID]bool{}, models: map[string]bool{},
		requested: map[lookKey]bool{}, secondLooks: map[lookKey]secondLook{}}
	c.scratch.path = filepath.Join(dir, "scratch")
	return c, nil
}

// Close frees the working files.
func (c *Camera) Close() {
	c.scratch.close()
	os.RemoveAll(c.dir)
}

// Add takes in a batch of detections, an event of a track, or a snapshot. changed says whether it
// is new. errStrange marks items that are passed over; any other error is one of this machine's disk.
func (c *Camera) Add(e event.Item) (changed bool, err error) {
	if c.known[e.ID] {
		return false, nil
	}
	if len(c.known) >= maxKnown {
		return false, fmt.Errorf("%w: camera %s has %d items in one record; set mosaic.roll", errMisfit, c.Name, len(c.known))
	}
	p := piece{id: e.ID, at: e.Time}
	switch e.Kind {
	case event.Result:
		if isSecondLook(&e) {
			c.known[e.ID] = true // it belongs to no life of the device's buffer
			return true, c.addSecondLook(e)
		}
		err = c.addBatch(e, p)
	case event.Track:
		err = c.addTrack(e, p)
	case event.Frame, event.Crop:
		err = c.addSnapshot(e, p)
	default:
		err = fmt.Errorf("%w: a %s", errMisfit, e.Kind)
	}
	if err != nil {
		return false, err
	}
	c.known[e.ID] = true
	if e.Epoch != c.epoch {
		c.epoch, c.through = e.Epoch, 0
	}
	c.through = max(c.through, e.Seq)
	return true, nil
}

func (c *Camera) addBatch(e event.Item, p piece) error {
	d, err := event.ParseDetections(e)
	if err != nil {
		return fmt.Errorf("%w: %w", errMisfit, err)
	}
	if p.where, err = c.scratch.put(e.Data); err != nil {
		return err
	}
	p.first, p.last = d.First, d.Last
	c.batches = append(c.batches, p)
	if c.first.IsZero() || e.ID.Compare(c.first) < 0 {
		c.first = e.ID
	}
	if d.End && e.ID.Compare(c.end) > 0 {
		c.end, c.total = e.ID, max(d.Total, d.Last+1)
	}
	for _, f := range d.Frames {
		if f.SecondLook != nil {
			c.requested[lookKeyOfFrame(f)] = true
		}
	}
	if d.Model != "" {
		c.models[d.Model+" "+d.ModelVersion] = true
	}
	return nil
}

func (c *Camera) addTrack(e event.Item, p piece) error {
	t, err := event.ParseTrack(e)
	if err != nil {
		return fmt.Errorf("%w: %w", errMisfit, err)
	}
	if t.After.SecondLook != nil {
		c.requested[lookKey{what: t.After.ID}] = true
	}
	if p.where, err = c.scratch.put(compact(e.Data)); err != nil {
		return err
	}
	c.tracks = append(c.tracks, p)
	return nil
}

// compact is JSON on one line, as it stands in the list of events.
func compact(data []byte) []byte {
	short, err := json.Marshal(json.RawMessage(data))
	if err != nil {
		return data
	}
	return short
}

// addSnapshot keeps the first of them: which ones does not depend on the order they come in.
func (c *Camera) addSnapshot(e event.Item, p piece) error {
	s := snapshot{piece: p, track: trackOf(e.Subject), frame: frameOf(e)}
	at, _ := slices.BinarySearchFunc(c.snapshots, s, func(a, b snapshot) int { return a.id.Compare(b.id) })
	if at >= c.most {
		return nil
	}
	var err error
	if s.where, err = c.scratch.put(e.Data); err != nil {
		return err
	}
	c.snapshots = slices.Insert(c.snapshots, at, s)
	c.snapshots = c.snapshots[:min(len(c.snapshots), c.most)]
	return nil
}

// frameOf is the number in a whole frame's subject "camera/frame-12"; -1 of what is no whole frame.
func frameOf(e event.Item) int {
	if e.Kind != event.Frame {
		return -1
	}
	return frameNumber(e.Subject)
}

// frameNumber is the number in the subject "camera/frame-12"; -1 where there is none.
func frameNumber(subject string) int {
	number, ok := strings.CutPrefix(trackOf(subject), "frame-")
	n, err := strconv.Atoi(number)
	if !ok || err != nil {
		return -1
	}
	return n
}

// Ended says whether the end of the source has come.
func (c *Camera) Ended() bool { return c.total >= 0 }

// Done says whether the source came to its end, every frame of it is in a batch and every second look
// that was asked for has come.
func (c *Camera) Done() bool { return c.Ended() && len(c.Missing()) == 0 }

// Missing are the ranges of frames that no batch covers, "from-to", as far as is known, and what waits
// for a second look, "second look at <track>" or "second look at frame-<number>".
func (c *Camera) Missing() []string {
	missing := []string{}
	gap := func(from, to int) {
		if from <= to {
			missing = append(missing, fmt.Sprintf("%d-%d", from, to))
		}
	}
	next := 0
	for n, b := range c.inOrder() {
		if n == 0 && !c.Ended() {
			next = b.first // a camera that never ends may begin with any frame
		}
		gap(next, b.first-1)
		next = max(next, b.last+1)
	}
	gap(next, c.total-1)
	for _, what := range slices.Sorted(slices.Values(c.pendingLooks())) {
		missing = append(missing, "second look at "+what)
	}
	return missing
}

// inOrder are the batches by their first frame.
func (c *Camera) inOrder() []piece {
	slices.SortFunc(c.batches, func(a, b piece) int {
		if a.first != b.first {
			return a.first - b.first
		}
		return a.id.Compare(b.id)
	})
	return c.batches
}

// began is the time of the record's first frame.
func (c *Camera) began() time.Time {
	first := time.Unix(math.MaxInt32, 0)
	for _, b := range c.batches {
		if b.at.Before(first) {
			first = b.at
		}
	}
	return first.UTC()
}

// each hands on the record's frames in order, with what came of a second look at them, nil where none
// came; a larger model's boxes have taken the place of the device's. Of a source with an end each frame comes once, even if
// an edge that died read it again under another id. A camera without end never reads again.
func (c *Camera) each(visit func(*event.Detections, event.FrameDetection, *frameLook) error) error {
	reached := -1
	for _, b := range c.inOrder() {
		data, err := c.scratch.get(b.where)
		if err != nil {
			return err
		}
		var d event.Detections
		if err := json.Unmarshal(data, &d); err != nil {
			return fmt.Errorf("reading a batch of camera %s again: %w", c.Name, err)
		}
		for _, f := range d.Frames {
			if c.Ended() && f.Frame <= reached {
				continue
			}
			reached = f.Frame
			v, err := c.applySecondLook(&d, &f)
			if err != nil {
				return err
			}
			if err := visit(&d, f, v); err != nil {
				return err
			}
		}
	}
	return nil
}

var errNoBatch = errors.New("no batch of detections has come")
