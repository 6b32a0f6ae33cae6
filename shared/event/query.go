package event

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
)

// Query is what the cloud asks of an edge on DownTopic(edge, DownQuery): a tile of a scene, the
// picture of a track, or a frame, in full. On the wire it is {"id","scene","tile"} or
// {"id","camera","track"|"frame"}, also as the data of a CloudEvent in JSON, whose id it then has.
type Query struct {
	ID     string
	Scene  string
	Tile   string // "<column>_<row>"
	Camera string
	Track  string
	Frame  string // a number from 0, or FrameNow
}

// FrameNow asks for the next picture that a camera takes.
const FrameNow = "now"

// Answers to a query.
const (
	QueryRaised  = "raised"  // it waited, and goes next
	QuerySent    = "sent"    // it was read again and goes next
	QueryAsked   = "asked"   // the camera's next picture comes
	QueryUnknown = "unknown" // it is not available; the problem says why
)

// QueryAnswer is the data of an item that answers a query. Devices of before made it an item of kind
// receipt with an empty list of drops, which readers of drop reports take for one without any.
type QueryAnswer struct {
	Query   string `json:"query"`
	Answer  string `json:"answer"`
	Items   int    `json:"items"`
	Problem string `json:"problem,omitempty"`
}

const (
	maxQueryBytes = 16 << 10
	maxQueryName  = 128
)

var (
	tileName  = regexp.MustCompile(`^(0|[1-9][0-9]{0,5})_(0|[1-9][0-9]{0,5})$`)
	trackName = regexp.MustCompile(`^[0-9A-Za-z._-]{1,128}$`)
	queryName = regexp.MustCompile(`^[0-9A-Za-z._:/-]{1,128}$`)
)

// ParseQuery reads a query and checks it. One without an id gets one from its bytes: the same words
// are the same question.
func ParseQuery(payload []byte) (Query, error) {
	if len(payload) > maxQueryBytes {
		return Query{}, fmt.Errorf("%w: query of %d bytes, %d is the limit", ErrTooLarge, len(payload), maxQueryBytes)
	}
	var envelope struct {
		SpecVersion string          `json:"specversion"`
		ID          string          `json:"id"`
		Data        json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(payload, &envelope); err != nil {
		return Query{}, fmt.Errorf("%w: query: %w", ErrMalformed, err)
	}
	data := payload
	if envelope.SpecVersion != "" {
		data = envelope.Data
	}
	var asked struct {
		Scene, Tile, Camera, Track, What string
		Frame                            frameNumber
	}
	if err := json.Unmarshal(data, &asked); err != nil {
		return Query{}, fmt.Errorf("%w: query: %w", ErrMalformed, err)
	}
	q := Query{ID: envelope.ID, Scene: asked.Scene, Tile: asked.Tile, Camera: asked.Camera, Track: asked.Track, Frame: string(asked.Frame)}
	if q.ID == "" {
		sum := Sum(payload)
		q.ID = hex.EncodeToString(sum[:8])
	}
	if asked.What != "" && asked.What != "full" {
		return q, fmt.Errorf("%w: query for %.40q: only \"full\" can be asked for", ErrMalformed, asked.What)
	}
	return q, q.check()
}

func (q Query) check() error {
	if !queryName.MatchString(q.ID) {
		return fmt.Errorf("%w: query with id %.140q: use up to %d letters, digits and . _ - : /", ErrMalformed, q.ID, maxQueryName)
	}
	name := q.Scene
	switch {
	case q.Scene != "" && q.Tile != "" && q.Camera+q.Track+q.Frame == "":
		if !tileName.MatchString(q.Tile) {
			return fmt.Errorf("%w: query for tile %.40q: write <column>_<row>, such as 12_7", ErrMalformed, q.Tile)
		}
	case q.Camera != "" && q.Scene+q.Tile == "" && (q.Track == "") != (q.Frame == ""):
		name = q.Camera
		if what := q.Track + q.Frame; !trackName.MatchString(what) {
			return fmt.Errorf("%w: query for %.140q of camera %.140q", ErrMalformed, what, q.Camera)
		}
	default:
		return fmt.Errorf("%w: query: give scene and tile, or camera and either track or frame", ErrIncomplete)
	}
	if err := CheckName(name); err != nil {
		return fmt.Errorf("%w: query: %w", ErrMalformed, err)
	}
	return nil
}

// frameNumber is a number, also as text, or "now".
type frameNumber string

func (f *frameNumber) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		text = string(b)
	}
	if _, err := strconv.ParseUint(text, 10, 63); err != nil && text != FrameNow && text != "" {
		return fmt.Errorf("frame %.40q is neither a number nor %q", text, FrameNow)
	}
	*f = frameNumber(text)
	return nil
}
