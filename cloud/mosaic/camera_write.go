package mosaic

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// detection is a line of detections.json: COCO's results format, cocodataset.org/#format-results.
type detection struct {
	ImageID    any        `json:"image_id"` // the frame's number from 0, or an image's file name
	CategoryID int        `json:"category_id"`
	BBox       [4]float32 `json:"bbox"`
	Score      float32    `json:"score"`
	event.Shape
}

// spacing is a line of spacing.json: mm from one pixel to the next.
type spacing struct {
	ImageID any `json:"image_id"` // as in detections.json
	vision.Spacing
}

// Write makes the record's files in dir and gives the product, whose Folder, Files and Seconds are
// the caller's. annotator may be nil: then snapshots stay as they came.
//
//	detections.json    a list of COCO results, by frame
//	categories.json    what their category ids mean
//	second_looks.json  which frames a larger model has seen, where it was asked to
//	spacing.json       how far apart pixels are, of the images whose files say it
//	events.json        a list of the tracks' events, by time
//	annotated/         snapshots with the boxes drawn
func (c *Camera) Write(dir string, annotator Annotator, score float64) (Product, error) {
	if len(c.batches) == 0 {
		return Product{}, fmt.Errorf("camera %s: %w", c.Name, errNoBatch)
	}
	missing := c.Missing()
	p := Product{
		Kind: cameraProduct, Name: c.Name, Edge: c.Edge, Complete: c.Done(), Missing: missing, Of: c.first.String(), Models: []string{},
		Camera: &CameraStats{Events: len(c.tracks), Ended: c.Ended(), Epoch: c.epoch},
	}
	if c.Ended() {
		p.Of = c.end.String()
	}
	if p.Complete {
		p.Camera.Through = c.through
	}
	boxes := c.shownFrames()
	var categories vision.CategoryList
	var apart []spacing
	looks, err := c.writeDetections(filepath.Join(dir, "detections.json"), boxes, p.Camera, &categories, &apart)
	if err == nil {
		err = writeJSON(filepath.Join(dir, "categories.json"), categories.List())
	}
	if err == nil && len(looks) > 0 {
		err = writeLines(filepath.Join(dir, "second_looks.json"), looks)
	}
	if err == nil && len(apart) > 0 {
		err = writeLines(filepath.Join(dir, "spacing.json"), apart)
	}
	if err != nil {
		return p, fmt.Errorf("camera %s: %w", c.Name, err)
	}
	p.Models = c.modelNames(looks)
	if err := c.writeEvents(filepath.Join(dir, "events.json")); err != nil {
		return p, fmt.Errorf("camera %s: %w", c.Name, err)
	}
	if p.Camera.Annotated, err = c.annotate(filepath.Join(dir, "annotated"), boxes, annotator, score); err != nil {
		return p, fmt.Errorf("camera %s: %w", c.Name, err)
	}
	return p, nil
}

// list writes a JSON list, one element a line, none of it held in memory.
func list(path string, fill func(add func(element []byte) error) error) error {
	return writeFile(path, func(f *os.File) error {
		w := bufio.NewWriterSize(f, 1<<18)
		lead := "[\n"
		err := fill(func(element []byte) error {
			w.WriteString(lead)
			lead = ",\n"
			_, err := w.Write(element)
			return err
		})
		if err != nil {
			return err
		}
		if lead == "[\n" {
			w.WriteString("[")
		}
		w.WriteString("\n]\n")
		return w.Flush()
	})
}

// writeDetections also counts, and fills in the frames that snapshots were taken of.
func (c *Camera) writeDetections(path string, wanted map[int]*shownFrame, count *CameraStats, categories *vision.CategoryList, apart *[]spacing) (looks []frameLook, err error) {
	err = list(path, func(add func([]byte) error) error {
		return c.each(func(d *event.Detections, f event.FrameDetection, v *frameLook) error {
			count.Frames++
			var image any = f.Frame
			if f.Name != "" {
				image = f.Name
			}
			if f.Spacing != nil {
				*apart = append(*apart, spacing{image, *f.Spacing})
			}
			if v != nil {
				v.ImageID = image
				looks = append(looks, *v)
				v.count(count)
			}
			if w := wanted[f.Frame]; w != nil {
				*w = shownFrame{is: true, frame: f, marks: marksOf(d)}
			}
			for _, b := range f.Boxes {
				line, err := json.Marshal(detection{image, categories.Add(b.CategoryID, b.Label), b.BBox, b.Score, b.Shape})
				if err != nil {
					return fmt.Errorf("frame %d: %w", f.Frame, err)
				}
				if err := add(line); err != nil {
					return err
				}
				count.Detections++
			}
			return nil
		})
	})
	return looks, err
}

func (c *Camera) writeEvents(path string) error {
	slices.SortFunc(c.tracks, func(a, b piece) int {
		if d := a.at.Compare(b.at); d != 0 {
			return d
		}
		return a.id.Compare(b.id)
	})
	return list(path, func(add func([]byte) error) error {
		for _, t := range c.tracks {
			data, err := c.scratch.get(t.where)
			if err == nil {
				data, err = c.withSecondLook(data)
			}
			if err != nil {
				return err
			}
			if err := add(data); err != nil {
				return err
			}
		}
		return nil
	})
}

// shownFrame is the frame that a snapshot shows.
type shownFrame struct {
	is    bool
	frame event.FrameDetection
	marks []vision.Mark
}

// shownFrames are the numbers of the frames that came whole.
func (c *Camera) shownFrames() map[int]*shownFrame {
	w := map[int]*shownFrame{}
	for _, s := range c.snapshots {
		if s.frame >= 0 {
			w[s.frame] = &shownFrame{}
		}
	}
	return w
}

// annotate draws each snapshot's boxes. One that can't be drawn is left as it came.
func (c *Camera) annotate(dir string, frames map[int]*shownFrame, annotator Annotator, score float64) (made int, err error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return 0, err
	}
	for _, s := range c.snapshots {
		picture, err := c.scratch.get(s.where)
		if err != nil {
			return made, err
		}
		name := "track_" + safeName(s.track)
		if s.frame >= 0 {
			name = fmt.Sprintf("frame_%06d", s.frame)
			if t := frames[s.frame]; t.is && annotator != nil {
				if drawn, err := annotator.Draw(picture, drawable(t.frame.Boxes, score), t.marks); err == nil {
					picture = drawn
				}
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name+".jpg"), picture, 0o644); err != nil {
			return made, err
		}
	}
	files, err := os.ReadDir(dir)
	return len(files), err
}

func drawable(boxes []event.Box, score float64) []vision.Box {
	var out []vision.Box
	for _, b := range boxes {
		if float64(b.Score) >= score {
			out = append(out, vision.Box{X: b.BBox[0], Y: b.BBox[1], W: b.BBox[2], H: b.BBox[3], Score: b.Score, Class: b.CategoryID, Label: b.Label})
		}
	}
	return out
}

// marksOf are the zones and lines of the batch's camera.
func marksOf(d *event.Detections) []vision.Mark {
	var out []vision.Mark
	for i, o := range slices.Concat(d.Zones, d.Lines) {
		m := vision.Mark{Name: o.Name, Closed: i < len(d.Zones)}
		for _, p := range o.Points {
			m.Points = append(m.Points, [2]float32{float32(p[0]) * float32(d.Width), float32(p[1]) * float32(d.Height)})
		}
		out = append(out, m)
	}
	return out
}

// trackOf is the last part of a snapshot's subject "camera/track".
func trackOf(subject string) string { return subject[strings.LastIndexByte(subject, '/')+1:] }

// segmentName is the folder of a part of a camera's record that has no end of its own.
func (c *Camera) segmentName() string { return c.began().Format("20060102T150405.000Z") }
