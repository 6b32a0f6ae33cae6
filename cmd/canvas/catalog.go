package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"cloudcanvas/cloud/mosaic"
	"cloudcanvas/shared/durable"
)

// A static STAC catalog of the products in a folder: catalog.json, which has the one collection.json, which
// has each item.json. STAC 1.1.
const stacVersion = "1.1.0"

type catalogLink struct {
	Rel   string `json:"rel"`
	Href  string `json:"href"`
	Type  string `json:"type"`
	Title string `json:"title,omitempty"`
}

// catalogued is what the catalog takes from an item.
type catalogued struct {
	ID         string    `json:"id"`
	BBox       []float64 `json:"bbox"`
	Collection string    `json:"collection"`
	Properties struct {
		Datetime *string `json:"datetime"`
	} `json:"properties"`
}

// writeCatalog lists the scenes that are in the folder now, of earlier runs too; without any it writes none.
func writeCatalog(out string) error {
	paths, err := filepath.Glob(filepath.Join(globEscape(out), "*", "item.json"))
	if err != nil {
		return err
	}
	const kind = "application/json"
	links := []catalogLink{{"root", "./catalog.json", kind, ""}, {"parent", "./catalog.json", kind, ""}}
	var of extent
	for _, path := range paths {
		item, err := readCatalogued(path)
		if err != nil {
			return err
		}
		if item.Collection != mosaic.CollectionID {
			continue // of a version before catalogs, or not ours
		}
		of.add(item)
		links = append(links, catalogLink{"item", "./" + filepath.Base(filepath.Dir(path)) + "/item.json", "application/geo+json", item.ID})
	}
	if len(links) == 2 {
		return nil
	}
	collection := map[string]any{
		"type": "Collection", "stac_version": stacVersion, "id": mosaic.CollectionID, "title": "Scenes",
		"description": "Masks of clouds and cloud shadows, and objects, of scenes that Cloud Canvas has processed.",
		"license":     "other", "extent": of.stac(), "links": links,
	}
	if err := durable.WriteJSON(filepath.Join(out, "collection.json"), collection); err != nil {
		return err
	}
	return durable.WriteJSON(filepath.Join(out, "catalog.json"), map[string]any{
		"type": "Catalog", "stac_version": stacVersion, "id": "canvas", "title": "Cloud Canvas", "description": "What canvas process has made.",
		"links": []catalogLink{{"root", "./catalog.json", kind, ""}, {"child", "./collection.json", kind, "Scenes"}},
	})
}

func readCatalogued(path string) (item catalogued, err error) {
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &item)
	}
	if err != nil {
		return item, fmt.Errorf("read %s for the catalog: %w; remove its folder and run again", path, err)
	}
	return item, nil
}

// globEscape makes a path match itself alone.
func globEscape(path string) string {
	var out []rune
	for _, r := range path {
		if r == '*' || r == '?' || r == '[' || r == '\\' {
			out = append(out, '\\')
		}
		out = append(out, r)
	}
	return string(out)
}

// extent is where and when the items of a collection lie.
type extent struct {
	box         []float64
	first, last string
}

func (e *extent) add(i catalogued) {
	if len(i.BBox) == 4 {
		box := i.BBox
		if box[0] > box[2] { // across the 180th meridian
			box = []float64{-180, box[1], 180, box[3]}
		}
		if e.box == nil {
			e.box = append([]float64{}, box...)
		}
		e.box = []float64{min(e.box[0], box[0]), min(e.box[1], box[1]), max(e.box[2], box[2]), max(e.box[3], box[3])}
	}
	if t := i.Properties.Datetime; t != nil {
		if e.first == "" || *t < e.first {
			e.first = *t
		}
		e.last = max(e.last, *t)
	}
}

// stac is the extent in STAC's words: all the Earth where no item has a place, open where none has a time.
func (e extent) stac() map[string]any {
	box := e.box
	if box == nil {
		box = []float64{-180, -90, 180, 90}
	}
	span := []*string{nil, nil}
	if e.first != "" {
		span = []*string{&e.first, &e.last}
	}
	return map[string]any{"spatial": map[string]any{"bbox": [][]float64{box}}, "temporal": map[string]any{"interval": [][]*string{span}}}
}
