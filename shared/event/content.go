package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of what an item's data may say, whoever made it: numbers in it size memory and loops of whoever
// reads it. docs/contracts.md gives them to those who write items.
const (
	MaxManifestBytes = 64 << 20  // of a scene's manifest: 250,000 tiles of some 200 bytes
	MaxListBytes     = 16 << 20  // of a batch of detections
	MaxWordsBytes    = 4 << 20   // of an alert, a track, a reading, a drop report, an answer
	MaxDepth         = 64        // of JSON in JSON
	MaxBoxes         = 5_000     // of one tile or frame
	MaxValues        = 4_096     // of one reading
	MaxDrops         = 100_000   // of one drop report
	MaxFrameNumber   = 1 << 53   // what JSON numbers hold for sure
	maxCoordinate    = 1 << 24   // of a box, in pixels: what float32 counts exactly
	maxPicture       = 1 << 17   // pixels a side of a camera's picture
	maxPoints        = 1_024     // of an outline
	maxName          = 512       // bytes of a name within data
	maxWKT           = 256 << 10 // bytes
	maxEPSG          = 1 << 20
	maxBands         = 1_024
)

// CheckContent says what is wrong with the data of an item by its kind. It passes what its readers can
// open with bounded memory and time; whether it makes sense is theirs to say. Data that is not here
// (a part, or a reference) passes: it is looked at where it is whole.
func (i *Item) CheckContent() error {
	if i.Attrs.Tile != "" && !tileName.MatchString(i.Attrs.Tile) {
		return fmt.Errorf("%w: tile %.40q: write <column>_<row>, such as 12_7", ErrMalformed, i.Attrs.Tile)
	}
	if len(i.Attrs.Scene) > maxName {
		return fmt.Errorf("%w: the name of a scene has %d bytes, %d is the limit", ErrTooLarge, len(i.Attrs.Scene), maxName)
	}
	if i.Kind == Part || i.Attrs.DataRef != "" {
		return nil
	}
	switch i.Kind {
	case Scene:
		_, err := ParseManifest(*i)
		return err
	case Ack:
		_, err := ParseDropReport(*i)
		return err
	case Reading:
		return checkReading(i.Data)
	case Alert, Track, Answer:
		return checkJSON(i.Data, MaxWordsBytes)
	case Result, Product:
		return i.checkFound()
	}
	return nil // pictures: their decoders bound them
}

// checkFound looks at what a device or a model found. What is no JSON object is a mask, whose size is
// known to who knows its tile.
func (i *Item) checkFound() error {
	if !looksLikeJSON(i.Data) {
		return nil
	}
	if err := checkJSON(i.Data, MaxListBytes); err != nil || i.Kind == Product {
		return err
	}
	var found struct {
		Frames []struct {
			Boxes []json.RawMessage `json:"boxes"`
		} `json:"frames"`
		Boxes   []json.RawMessage `json:"boxes"`
		Classes []json.RawMessage `json:"classes"`
	}
	// Each box has a few bytes at least: a short list needs no counting.
	const few = MaxBoxes * len(`{},`)
	if len(i.Data) <= few {
		return i.checkDetections()
	}
	if err := json.Unmarshal(i.Data, &found); err != nil {
		return nil // of another shape: nobody takes it for a list of boxes
	}
	if n := max(len(found.Boxes), len(found.Classes)); n > MaxBoxes {
		return fmt.Errorf("%w: %d boxes or classes in one result, %d is the limit", ErrTooLarge, n, MaxBoxes)
	}
	return i.checkDetections()
}

// checkDetections looks at a camera's batch; other results have no camera in them.
func (i *Item) checkDetections() error {
	if i.Attrs.Scene != "" || !bytes.Contains(i.Data, []byte(`"frames"`)) {
		return nil
	}
	var d Detections
	if json.Unmarshal(i.Data, &d) != nil || d.Camera == "" {
		return nil // nobody can read it as one
	}
	return d.Check()
}

// Check says what is wrong with a batch of detections.
func (d *Detections) Check() error {
	switch {
	case d.Camera == "":
		return fmt.Errorf("%w: detections: camera", ErrIncomplete)
	case len(d.Frames) > maxFrames:
		return fmt.Errorf("%w: detections of %d frames, %d is the limit", ErrTooLarge, len(d.Frames), maxFrames)
	case len(d.Zones) > maxOutlines || len(d.Lines) > maxOutlines:
		return fmt.Errorf("%w: detections with %d zones and %d lines, %d is the limit", ErrTooLarge, len(d.Zones), len(d.Lines), maxOutlines)
	case d.First < 0 || d.Last < d.First-1 || d.Last > MaxFrameNumber || d.Total < 0 || d.Total > MaxFrameNumber:
		return fmt.Errorf("%w: detections of frames %d to %d of %d", ErrMalformed, d.First, d.Last, d.Total)
	case d.Width < 0 || d.Height < 0 || d.Width > maxPicture || d.Height > maxPicture:
		return fmt.Errorf("%w: detections in pictures of %d x %d pixels, %d a side is the limit", ErrTooLarge, d.Width, d.Height, maxPicture)
	}
	if err := checkNames(d.Camera, d.Model, d.ModelVersion); err != nil {
		return err
	}
	for _, outlines := range [][]Outline{d.Zones, d.Lines} {
		for _, o := range outlines {
			if len(o.Points) > maxPoints {
				return fmt.Errorf("%w: zone or line %.40q has %d points, %d is the limit", ErrTooLarge, o.Name, len(o.Points), maxPoints)
			}
			if err := checkNames(o.Name); err != nil {
				return err
			}
		}
	}
	for n := range d.Frames {
		if err := d.Frames[n].check(); err != nil {
			return err
		}
	}
	return nil
}

func (f *FrameDetection) check() error {
	if f.Frame < 0 || f.Frame > MaxFrameNumber {
		return fmt.Errorf("%w: detections of frame number %d", ErrMalformed, f.Frame)
	}
	if len(f.Boxes) > MaxBoxes {
		return fmt.Errorf("%w: %d boxes in frame %d, %d is the limit", ErrTooLarge, len(f.Boxes), f.Frame, MaxBoxes)
	}
	if err := checkNames(f.Name); err != nil {
		return err
	}
	for _, b := range f.Boxes {
		if !WithinPicture(b.BBox[0], b.BBox[1], b.BBox[2], b.BBox[3]) {
			return fmt.Errorf("%w: frame %d has a box at %v", ErrMalformed, f.Frame, b.BBox)
		}
		if err := checkNames(b.Label); err != nil {
			return err
		}
		if err := b.Shape.check(); err != nil {
			return fmt.Errorf("frame %d: %w", f.Frame, err)
		}
	}
	return nil
}

// WithinPicture says whether a box's numbers are of any picture's size: finite, and small enough to
// count pixels by.
func WithinPicture(numbers ...float32) bool {
	for _, v := range numbers {
		if !(math.Abs(float64(v)) <= maxCoordinate) { // false also of what is no number
			return false
		}
	}
	return true
}

func checkReading(data []byte) error {
	if err := checkJSON(data, MaxWordsBytes); err != nil {
		return err
	}
	if len(data) <= MaxValues*len(`"":0,`) {
		return nil // there is no room for too many
	}
	var r struct {
		Values map[string]json.RawMessage `json:"values"`
	}
	if json.Unmarshal(data, &r) == nil && len(r.Values) > MaxValues {
		return fmt.Errorf("%w: a reading of %d values, %d is the limit", ErrTooLarge, len(r.Values), MaxValues)
	}
	return nil
}

// checkNames bounds texts that become keys, folders and lines on pages.
func checkNames(names ...string) error {
	for _, name := range names {
		if len(name) > maxName {
			return fmt.Errorf("%w: a name of %d bytes, %d is the limit", ErrTooLarge, len(name), maxName)
		}
		if !utf8.ValidString(name) || strings.ContainsFunc(name, isControl) {
			return fmt.Errorf("%w: %.80q is not plain UTF-8 text", ErrMalformed, name)
		}
	}
	return nil
}

func looksLikeJSON(data []byte) bool {
	data = bytes.TrimLeft(data, " \t\r\n")
	return len(data) > 0 && (data[0] == '{' || data[0] == '[')
}

// checkJSON bounds the size of data, and how deep it is nested where it is JSON. What is none is left
// to its readers, who can't read it.
func checkJSON(data []byte, most int) error {
	if len(data) > most {
		return fmt.Errorf("%w: %d bytes of data, %d is the limit", ErrTooLarge, len(data), most)
	}
	if !looksLikeJSON(data) {
		return nil
	}
	if deep := depth(data, MaxDepth); deep > MaxDepth {
		return fmt.Errorf("%w: JSON nested more than %d deep", ErrMalformed, MaxDepth)
	}
	return nil
}

// depth is how deep JSON is nested, without reading on once that is more than most.
func depth(data []byte, most int) (deepest int) {
	at, text := 0, false
	for n := 0; n < len(data); n++ {
		switch c := data[n]; {
		case text && c == '\\':
			n++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			if at++; at > deepest {
				if deepest = at; deepest > most {
					return deepest
				}
			}
		case c == '}' || c == ']':
			at--
		}
	}
	return deepest
}

// dataTypes are those that GDAL names for pixels that are not complex, in any case of letters.
var dataTypes = regexp.MustCompile(`(?i)^(byte|u?int(8|16|32|64)|float(16|32|64))?$`)

// ReadingData is the data of an item of kind reading: what a sensor has measured.
type ReadingData struct {
	Sensor string             `json:"sensor"`
	Time   time.Time          `json:"time"`
	From   time.Time          `json:"from,omitzero"` // of a window that ends at Time: when it began
	Values map[string]float64 `json:"values"`        // by name; a plain number is "value"
}
