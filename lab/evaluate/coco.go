// Package evaluate measures what networks find against what is known to be there: boxes as
// pycocotools counts them, masks by pixels. It is pure: numbers in, numbers out.
package evaluate

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path"
	"strings"
)

// ErrInput says that a file of truth or of results cannot be used; the text says what to change.
var ErrInput = errors.New("cannot be evaluated")

// Truth is a COCO file: the pictures, and which boxes are in them.
type Truth struct {
	Images      []Image      `json:"images"`
	Categories  []Category   `json:"categories"`
	Annotations []Annotation `json:"annotations"`
}

// Image is a labelled picture.
type Image struct {
	ID     int64  `json:"id"`
	File   string `json:"file_name"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
}

// Category is a kind of object.
type Category struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// Annotation is one labelled object, or a crowd of them that nobody counted.
type Annotation struct {
	ID       int64      `json:"id"`
	Image    int64      `json:"image_id"`
	Category int        `json:"category_id"`
	BBox     [4]float64 `json:"bbox"` // x, y, width, height
	Area     *float64   `json:"area"` // of its outline; the box's where the file has none
	Crowd    flag       `json:"iscrowd"`
}

// flag is 0, 1, true or false: tools write all of them.
type flag bool

func (f *flag) UnmarshalJSON(data []byte) error {
	switch text := string(data); text {
	case "0", "0.0", "false", "null":
		*f = false
	case "1", "1.0", "true":
		*f = true
	default:
		return fmt.Errorf("iscrowd is %.20s, not 0 or 1", text)
	}
	return nil
}

// Detection is one line of a COCO results file.
type Detection struct {
	Image    int64      `json:"image_id"`
	Category int        `json:"category_id"`
	BBox     [4]float64 `json:"bbox"`
	Score    float64    `json:"score"`
}

// ParseTruth reads a COCO file and checks that it holds together.
func ParseTruth(data []byte) (Truth, error) {
	var t Truth
	if err := json.Unmarshal(data, &t); err != nil {
		return t, fmt.Errorf("%w: it is no COCO file (an object with images, categories and annotations): %w", ErrInput, err)
	}
	if len(t.Images) == 0 || len(t.Categories) == 0 {
		return t, fmt.Errorf("%w: it names %d images and %d categories; give the file of the labels, not of results",
			ErrInput, len(t.Images), len(t.Categories))
	}
	images, categories := map[int64]bool{}, map[int]bool{}
	for _, i := range t.Images {
		if images[i.ID] {
			return t, fmt.Errorf("%w: two images have the id %d", ErrInput, i.ID)
		}
		images[i.ID] = true
	}
	for _, c := range t.Categories {
		if categories[c.ID] {
			return t, fmt.Errorf("%w: two categories have the id %d", ErrInput, c.ID)
		}
		categories[c.ID] = true
	}
	for i := range t.Annotations {
		a := &t.Annotations[i]
		if !images[a.Image] || !categories[a.Category] {
			return t, fmt.Errorf("%w: annotation %d is of image %d and category %d; the file lacks one of them", ErrInput, a.ID, a.Image, a.Category)
		}
		if err := checkBox(a.BBox); err != nil {
			return t, fmt.Errorf("%w: annotation %d: %w", ErrInput, a.ID, err)
		}
		if a.Area == nil {
			area := a.BBox[2] * a.BBox[3]
			a.Area = &area
		}
	}
	return t, nil
}

// ParseDetections reads COCO results. image_id is an id of the truth, or a picture's file name as
// `canvas process` writes it. Results of pictures that the truth does not know are refused, as
// pycocotools refuses them: they would count for nothing.
func ParseDetections(data []byte, t Truth) ([]Detection, error) {
	var lines []struct {
		Image    json.RawMessage `json:"image_id"`
		Category int             `json:"category_id"`
		BBox     [4]float64      `json:"bbox"`
		Score    float64         `json:"score"`
	}
	if err := json.Unmarshal(data, &lines); err != nil {
		return nil, fmt.Errorf("%w: it is no COCO results file (a list of image_id, category_id, bbox, score): %w", ErrInput, err)
	}
	known, named := map[int64]bool{}, map[string]int64{}
	for _, i := range t.Images {
		known[i.ID], named[path.Base(i.File)] = true, i.ID
	}
	found := make([]Detection, 0, len(lines))
	for n, l := range lines {
		d := Detection{Category: l.Category, BBox: l.BBox, Score: l.Score}
		var name string
		if json.Unmarshal(l.Image, &name) == nil {
			id, ok := named[path.Base(name)]
			if !ok {
				return nil, fmt.Errorf("%w: result %d is of %.80q; the labels have no such picture", ErrInput, n+1, name)
			}
			d.Image = id
		} else if err := json.Unmarshal(l.Image, &d.Image); err != nil || !known[d.Image] {
			return nil, fmt.Errorf("%w: result %d is of image %.20s; the labels have none of that id", ErrInput, n+1, l.Image)
		}
		if err := checkBox(d.BBox); err != nil {
			return nil, fmt.Errorf("%w: result %d: %w", ErrInput, n+1, err)
		}
		found = append(found, d)
	}
	return found, nil
}

func checkBox(b [4]float64) error {
	for _, v := range b {
		if math.Abs(v) > 1e9 {
			return fmt.Errorf("bbox has the number %g; give x, y, width, height in pixels", v)
		}
	}
	if b[2] < 0 || b[3] < 0 {
		return fmt.Errorf("bbox is %g by %g; give x, y, width, height", b[2], b[3])
	}
	return nil
}

// CategoryOf is the category of that name, whatever its case; ok is false where the truth has none.
func (t Truth) CategoryOf(name string) (id int, ok bool) {
	for _, c := range t.Categories {
		if strings.EqualFold(c.Name, name) {
			return c.ID, true
		}
	}
	return 0, false
}
