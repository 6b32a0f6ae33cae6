package request

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/shared/event"
)

// Segment is a name as one part of a path, whatever is in it. "." and ".." would lead elsewhere even
// when escaped: browsers and routers take them for steps.
func Segment(name string) string {
	switch name {
	case "":
		return "%20"
	case ".", "..":
		return strings.Repeat("%252E", len(name))
	}
	return url.PathEscape(name)
}

// ScenePath is where a scene's page lies.
func ScenePath(edge, id string) string { return "/scenes/" + Segment(edge) + "/" + Segment(id) }

// CameraPath is where a camera's page lies.
func CameraPath(edge, name string) string { return "/cameras/" + Segment(edge) + "/" + Segment(name) }

// Name is what Segment made a part of a path of.
func Name(r *http.Request, key string) string {
	switch v := r.PathValue(key); v {
	case " ":
		return ""
	case "%2E", "%2E%2E":
		return strings.ReplaceAll(v, "%2E", ".")
	default:
		return v
	}
}

// Page is ?page=, from 1.
func Page(r *http.Request) (int, error) {
	text := r.URL.Query().Get("page")
	if text == "" {
		return 1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1_000_000 {
		return 0, fmt.Errorf("%w: page %.20q is no number from 1 on", ErrBad, text)
	}
	return n, nil
}

// MaxRows bounds what is listed at once.
const MaxRows = 1000

// Window reads ?limit= and ?offset=.
func Window(v url.Values) (limit, offset int, err error) {
	limit = 100
	for _, f := range []struct {
		name        string
		into        *int
		least, most int
	}{{"limit", &limit, 1, MaxRows}, {"offset", &offset, 0, 10_000_000}} {
		text := v.Get(f.name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < f.least || n > f.most {
			return 0, 0, fmt.Errorf("%w: %s %.20q is no number from %d to %d", ErrBad, f.name, text, f.least, f.most)
		}
		*f.into = n
	}
	return limit, offset, nil
}

// Time reads a time as RFC 3339, or as a browser's datetime field writes it, in UTC.
func Time(v url.Values, key string) (time.Time, error) {
	text := v.Get(key)
	if text == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%w: %s %.40q is no time: write 2026-05-01T12:00:00Z", ErrBad, key, text)
}

// Box reads west,south,east,north, also with heights between.
func Box(text string) ([]float64, error) {
	if text == "" {
		return nil, nil
	}
	var box []float64
	for part := range strings.SplitSeq(text, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil {
			return nil, fmt.Errorf("%w: bbox %.80q: %.20q is no number", ErrBad, text, part)
		}
		box = append(box, v)
	}
	return CheckBox(box)
}

// CheckBox says what is wrong with a bbox and leaves heights out.
func CheckBox(box []float64) ([]float64, error) {
	if len(box) == 6 {
		box = []float64{box[0], box[1], box[3], box[4]}
	}
	if len(box) != 4 {
		return nil, fmt.Errorf("%w: a bbox is west,south,east,north: 4 numbers, or 6 with heights, not %d", ErrBad, len(box))
	}
	for i, v := range box {
		if limit := []float64{180, 90}[i%2]; math.IsNaN(v) || math.Abs(v) > limit {
			return nil, fmt.Errorf("%w: bbox: %g is no longitude or latitude in degrees", ErrBad, v)
		}
	}
	if box[1] > box[3] {
		return nil, fmt.Errorf("%w: bbox: south %g is north of north %g", ErrBad, box[1], box[3])
	}
	return box, nil
}

// Events reads the filters of events that pages and the API share.
func Events(v url.Values) (q index.EventQuery, err error) {
	q = index.EventQuery{Edge: v.Get("edge"), Stream: v.Get("stream"), Label: v.Get("label"), Kind: v.Get("kind")}
	if q.Kind != "" && q.Kind != string(event.Alert) && q.Kind != string(event.Track) {
		return q, fmt.Errorf("%w: kind %.20q is neither alert nor track", ErrBad, q.Kind)
	}
	if q.From, err = Time(v, "from"); err != nil {
		return q, err
	}
	if q.To, err = Time(v, "to"); err != nil {
		return q, err
	}
	if text := v.Get("before"); text != "" {
		if q.Before, err = strconv.ParseInt(text, 10, 64); err != nil || q.Before < 1 {
			return q, fmt.Errorf("%w: before %.20q is no event's number", ErrBad, text)
		}
	}
	return q, nil
}
