package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// pathOf fills an endpoint's path with things that the filled world has.
var pathOf = strings.NewReplacer("{edge}", "mast-7", "{scene}", "alpha", "{camera}", "gate", "{sensor}", "wind", "{key}", "value", "{model}", "coast", "{partition}", "0", "{offset}", "0")

func TestTheAPIAnswersAsItsDescriptionSays(t *testing.T) {
	w := newWorld(t, nil)
	w.fill()
	var described struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			Responses map[string]struct {
				Content map[string]struct{ Schema object }
			}
		}
		Components struct{ Schemas map[string]object }
	}
	w.json("/api/v1/openapi.json", &described)
	if described.OpenAPI != "3.1.0" {
		t.Errorf("version %s", described.OpenAPI)
	}
	compared := 0
	for path, methods := range described.Paths {
		answer, ok := methods["get"].Responses["200"].Content["application/json"]
		if !ok {
			continue
		}
		status, body := w.get(pathOf.Replace(path))
		if status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
			continue
		}
		var got any
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		compared++
		for _, fault := range mismatch(got, answer.Schema, described.Components.Schemas, path) {
			t.Error(fault)
		}
	}
	if compared < 20 {
		t.Errorf("only %d answers were compared", compared)
	}
	for path := range described.Paths {
		if strings.Contains(path, "/tiles/{edge}") || strings.HasPrefix(path, "/files") || path == "/api/v1/stream" || strings.Contains(path, "/pictures/") {
			continue // their own tests open them
		}
		if status, _ := w.get(pathOf.Replace(path)); status != http.StatusOK {
			t.Errorf("%s is described, and answers %d", path, status)
		}
	}
}

// mismatch compares a value with a schema: types, required properties, and no others.
func mismatch(v any, schema object, components map[string]object, at string) (faults []string) {
	if ref, ok := schema["$ref"].(string); ok {
		schema = components[strings.TrimPrefix(ref, "#/components/schemas/")]
		if schema == nil {
			return []string{at + ": " + ref + " is not described"}
		}
	}
	if either, ok := schema["oneOf"].([]any); ok {
		if v == nil {
			return nil
		}
		return mismatch(v, either[0].(object), components, at)
	}
	switch v := v.(type) {
	case map[string]any:
		properties, _ := schema["properties"].(object)
		if required, ok := schema["required"].([]any); ok {
			for _, key := range required {
				if _, there := v[key.(string)]; !there {
					faults = append(faults, at+": "+key.(string)+" is missing")
				}
			}
		}
		for key, part := range v {
			if properties == nil {
				continue
			}
			described, ok := properties[key].(object)
			if !ok {
				faults = append(faults, at+": "+key+" is not described")
				continue
			}
			faults = append(faults, mismatch(part, described, components, at+"."+key)...)
		}
	case []any:
		items, ok := schema["items"].(object)
		if !ok {
			return []string{at + ": is a list"}
		}
		for _, part := range v {
			faults = append(faults, mismatch(part, items, components, at+"[]")...)
		}
	case string:
		if schema["type"] != "string" {
			faults = append(faults, at+": is a string")
		}
	case float64:
		if schema["type"] != "number" && schema["type"] != "integer" {
			faults = append(faults, at+": is a number")
		}
	case bool:
		if schema["type"] != "boolean" {
			faults = append(faults, at+": is true or false")
		}
	}
	return faults
}

// stacLink is a link of STAC.
type stacLink struct {
	Rel, Href, Method string
	Body              any
}

// stacPage is a page of a search.
type stacPage struct {
	Features []struct {
		ID         string
		Collection string
		Links      []stacLink
		Assets     map[string]struct{ Href string }
	}
	Links []stacLink
}

func (p stacPage) ids() string {
	var all []string
	for _, f := range p.Features {
		all = append(all, f.ID)
	}
	return strings.Join(all, " ")
}

func TestASearchFindsItemsByPlaceTimeAndName(t *testing.T) {
	w := newWorld(t, nil)
	w.fill()
	at := func(minutes int) string {
		return w.start.Add(time.Duration(minutes) * time.Minute).Format(time.RFC3339Nano)
	}
	box := `{"type":"Polygon","coordinates":[[[7,48],[8,48],[8,49],[7,49],[7,48]]]}`
	for _, c := range []struct{ name, query, body, want string }{
		{"everything", "", "{}", "beta alpha"},
		{"here", "bbox=7,48,8,49", `{"bbox":[7,48,8,49]}`, "beta alpha"},
		{"with heights", "bbox=7,48,0,8,49,9000", `{"bbox":[7,48,0,8,49,9000]}`, "beta alpha"},
		{"elsewhere", "bbox=-10,-10,-5,-5", `{"bbox":[-10,-10,-5,-5]}`, ""},
		{"all around the other way", "bbox=170,-80,160,80", `{"bbox":[170,-80,160,80]}`, "beta alpha"},
		{"a shape", "intersects=" + box, `{"intersects":` + box + `}`, "beta alpha"},
		{"a point elsewhere", `intersects={"type":"Point","coordinates":[0,0]}`, `{"intersects":{"type":"Point","coordinates":[0,0]}}`, ""},
		{"an instant", "datetime=" + at(0), `{"datetime":"` + at(0) + `"}`, "alpha"},
		{"from then on", "datetime=" + at(1) + "/..", `{"datetime":"` + at(1) + `/.."}`, "beta"},
		{"up to then", "datetime=/" + at(0), `{"datetime":"/` + at(0) + `"}`, "alpha"},
		{"by name", "ids=beta,nobody", `{"ids":["beta","nobody"]}`, "beta"},
		{"of an edge", "collections=mast-7", `{"collections":["mast-7"]}`, "beta alpha"},
		{"of another", "collections=x", `{"collections":["x"]}`, ""},
	} {
		var got stacPage
		w.json("/stac/search?"+strings.ReplaceAll(c.query, `"`, "%22"), &got)
		if got.ids() != c.want {
			t.Errorf("%s: %q, want %q", c.name, got.ids(), c.want)
		}
		for _, member := range []string{"bbox", "intersects", "datetime", "ids", "collections", "limit", "token"} { // null is as none
			if !strings.Contains(c.body, `"`+member+`"`) {
				c.body = strings.Replace(c.body, "{", `{"`+member+`":null,`, 1)
			}
		}
		c.body = strings.Replace(c.body, ",}", "}", 1)
		r, err := http.Post(w.url+"/stac/search", "application/json", strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		var posted stacPage
		err = json.NewDecoder(r.Body).Decode(&posted)
		r.Body.Close()
		if err != nil || posted.ids() != c.want {
			t.Errorf("%s by POST: %q, want %q (%v)", c.name, posted.ids(), c.want, err)
		}
	}
}

func TestSearchesArePagedByTheirNextLinks(t *testing.T) {
	w := newWorld(t, nil)
	w.fill()
	var first, second stacPage
	w.json("/stac/search?limit=1&bbox=7,48,8,49", &first)
	next := ""
	for _, l := range first.Links {
		if l.Rel == "next" {
			next = strings.TrimPrefix(l.Href, w.url)
		}
	}
	if next == "" {
		t.Fatalf("no next link: %+v", first.Links)
	}
	w.json(next, &second)
	if first.ids() != "beta" || second.ids() != "alpha" {
		t.Errorf("%q, then %q", first.ids(), second.ids())
	}
	r, err := http.Post(w.url+"/stac/search", "application/json", strings.NewReader(`{"limit":1}`))
	if err != nil {
		t.Fatal(err)
	}
	var posted stacPage
	err = json.NewDecoder(r.Body).Decode(&posted)
	r.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range posted.Links {
		if l.Rel != "next" {
			continue
		}
		again, err := json.Marshal(l.Body)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.Post(l.Href, "application/json", bytes.NewReader(again))
		if err != nil {
			t.Fatal(err)
		}
		var rest stacPage
		err = json.NewDecoder(r.Body).Decode(&rest)
		r.Body.Close()
		if err != nil || rest.ids() != "alpha" {
			t.Errorf("%q (%v)", rest.ids(), err)
		}
		return
	}
	t.Error("no next link by POST")
}

func TestEveryLinkOfTheCatalogueResolves(t *testing.T) {
	w := newWorld(t, nil)
	w.fill()
	seen := map[string]bool{}
	var follow func(address string)
	follow = func(address string) {
		path := strings.TrimPrefix(address, w.url)
		if seen[path] || !strings.HasPrefix(address, w.url) {
			return
		}
		seen[path] = true
		status, body := w.get(path)
		if status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
			return
		}
		var node struct {
			Links  []stacLink
			Assets map[string]struct{ Href string }
		}
		if json.Unmarshal([]byte(body), &node) != nil {
			return // a page or a picture
		}
		for _, l := range node.Links {
			follow(l.Href)
		}
		for _, a := range node.Assets {
			follow(a.Href)
		}
	}
	follow(w.url + "/stac")
	var items stacPage
	w.json("/stac/collections/mast-7/items", &items)
	for _, item := range items.Features {
		if _, there := item.Assets["gone"]; there || item.Collection != "mast-7" || len(item.Assets) != 1 {
			t.Errorf("%+v", item)
		}
		for _, l := range item.Links {
			follow(l.Href)
		}
		for _, a := range item.Assets {
			follow(a.Href)
		}
	}
	for _, path := range []string{"/stac/conformance", "/stac/collections/mast-7", "/stac/collections/mast-7/items/alpha", "/files/scenes/mast-7/alpha/mask.tif"} {
		if !seen[path] {
			t.Errorf("no link leads to %s", path)
		}
	}
	for _, path := range []string{"/stac/collections/x", "/stac/collections/x/items", "/stac/collections/mast-7/items/gamma", "/stac/x"} {
		if status, _ := w.get(path); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
}

func TestMasksAreReadByRanges(t *testing.T) {
	w := newWorld(t, nil)
	w.fill()
	r, err := http.NewRequest(http.MethodGet, w.url+"/files/scenes/mast-7/alpha/mask.tif", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Range", "bytes=0-3")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusPartialContent || answer.ContentLength != 4 {
		t.Errorf("%d, %d bytes", answer.StatusCode, answer.ContentLength)
	}
}
