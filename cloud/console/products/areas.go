package products

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/text"
)

// Area is how much ground a class covers.
type Area struct {
	Class   string  `json:"class"`
	AreaM2  float64 `json:"area_m2"`
	Patches int     `json:"patches"`
}

// maxOutlines bounds the outlines that are summed up for a page.
const maxOutlines = 64 << 20

// Areas sums up the outlines of a scene by class. They are read one at a time.
func (f *Folder) Areas(of *index.Product) ([]Area, error) {
	stamp, err := f.stamp(of, outlineFile)
	if err != nil {
		return nil, err
	}
	var all []Area
	if data, ok := f.drawn.get(stamp); ok {
		return all, json.Unmarshal(data, &all)
	}
	file, info, err := f.File(of, outlineFile)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info.Size() > maxOutlines {
		return nil, fmt.Errorf("%s has %s: too large to be summed up here", outlineFile, text.Size(info.Size()))
	}
	if all, err = sumAreas(json.NewDecoder(file)); err != nil {
		return nil, fmt.Errorf("%s of %s can't be read: %w", outlineFile, of.Name, err)
	}
	if data, err := json.Marshal(all); err == nil {
		f.drawn.put(stamp, data)
	}
	return all, nil
}

func sumAreas(d *json.Decoder) ([]Area, error) {
	for { // up to the list of features
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		if t == "features" {
			break
		}
	}
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil, errors.New("features is no list")
	}
	sums := map[string]*Area{}
	for d.More() {
		var feature struct {
			Properties struct {
				Class  string  `json:"class"`
				AreaM2 float64 `json:"area_m2"`
			} `json:"properties"`
		}
		if err := d.Decode(&feature); err != nil {
			return nil, err
		}
		class := text.Cut(feature.Properties.Class, text.MaxName)
		if sums[class] == nil {
			if len(sums) > 100 {
				return nil, errors.New("more than 100 classes")
			}
			sums[class] = &Area{Class: class}
		}
		sums[class].AreaM2 += feature.Properties.AreaM2
		sums[class].Patches++
	}
	all := []Area{}
	for _, a := range sums {
		all = append(all, *a)
	}
	slices.SortFunc(all, func(a, b Area) int { return strings.Compare(a.Class, b.Class) })
	return all, nil
}
