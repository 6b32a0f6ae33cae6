// Package event is the envelope that both sides speak: what an item is, who made it, in which
// order, how urgent it is and how its bytes are checked. docs/contracts.md gives the wire forms.
package event

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/url"
	"time"

	"github.com/oklog/ulid/v2"
)

// Kind says what an item is. On the wire it is the CloudEvents type io.cloudcanvas.<kind>.v1.
type Kind string

const (
	Alert   Kind = "alert"   // something a person wants to know now
	Track   Kind = "track"   // an object's life: new, update, end
	Reading Kind = "reading" // a sensor's value
	Scene   Kind = "scene"   // a scene's manifest: its grid and every tile's decision
	Tile    Kind = "tile"    // a window of a scene
	Crop    Kind = "crop"    // a part of a camera frame
	Frame   Kind = "frame"   // a whole camera frame, or a scene's quicklook
	Part    Kind = "part"    // a slice of an item too large for one message
	Ack     Kind = "receipt" // down: what Kafka has; up: what will never come, and why
	Answer  Kind = "answer"  // to a query
	Result  Kind = "result"  // what a model found
	Product Kind = "product" // a finished scene or camera record
)

// Priority is 0 (most urgent) to 3.
type Priority uint8

const (
	Urgent Priority = iota // alerts
	High                   // tracks, manifests, quicklooks, drop reports
	Normal                 // tiles, crops, readings
	Low                    // whole frames, what nobody waits for
)

// known says whether k is one of the kinds above.
func (k Kind) known() bool {
	switch k {
	case Alert, Track, Reading, Scene, Tile, Crop, Frame, Part, Ack, Answer, Result, Product:
		return true
	}
	return false
}

// Epoch names what an edge commits from one start of its agent on: random, 16 hex digits.
type Epoch string

// NewEpoch draws an epoch.
func NewEpoch() Epoch {
	var b [8]byte
	rand.Read(b[:])
	return Epoch(hex.EncodeToString(b[:]))
}

// Valid says whether e can name an epoch: what holds for the name of an edge holds here.
func (e Epoch) Valid() bool { return CheckName(string(e)) == nil }

// Hash is a sha256.
type Hash [sha256.Size]byte

// IsZero says that there is no hash.
func (h Hash) IsZero() bool { return h == Hash{} }

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Sum is the sha256 of data.
func Sum(data []byte) Hash { return sha256.Sum256(data) }

// Item is one thing an edge has promised to deliver. Edge, Epoch and Seq are its identity in the
// order of the edge; ID is its identity everywhere. Data is read-only once the item is made.
type Item struct {
	ID       ulid.ULID
	Edge     string // the device's name: letters, digits, '-', '_', '.'
	Epoch    Epoch  // empty for items made in the cloud
	Seq      uint64 // 1, 2, 3 … within the epoch, no gaps; 0 for items made in the cloud
	Kind     Kind
	Stream   string // the camera, scene source or sensor: last part of source /edge/<edge>/<stream>
	Subject  string // scene/tile, camera/track, sensor
	Time     time.Time
	Priority Priority
	Attrs    Attrs
	Type     string // media type of Data
	SHA256   Hash   // of the whole data, also where only DataRef or a part is here
	Data     []byte // nil where DataRef is set
}

// Attrs are the optional extensions of an item. Empty ones are not on the wire.
type Attrs struct {
	Scene        string // the scene's id
	Tile         string // "<column>_<row>" in the scene's grid
	Model        string // the model that made, or should see, this item
	ModelVersion string
	Want         string // what the cloud is asked to do with the data: "segment", "detect", … or nothing
	Level        string `json:",omitempty"` // of a scene's tile: its processing level, as 1C or 2A; empty: not known
	Input        string // of a result of the cloud: the kind of the item that it was made of
	TraceParent  string // W3C trace context
	DataRef      string // where the data rests in the object store
	Part         uint32 // of a part: its number from 0 …
	Parts        uint32 // … of so many (0: not a part)
	PartOf       Kind   // … of an item of this kind

	Expires time.Time `json:",omitzero"`  // nobody waits for it after this time; zero: not said
	Late    bool      `json:",omitempty"` // of a result: made, or left undone, after that

	// Redelivered says that the item was made of a message that its source had sent before, and that the
	// edge does not know: its buffer may have lost what the message became then.
	Redelivered bool `json:",omitempty"`
}

// NewID draws the id of an item made at that time. A clock that is wrong by any amount gives an id
// that is as good: order and identity do not depend on it.
func NewID(at time.Time) ulid.ULID {
	var id ulid.ULID
	ms := min(max(at.UnixMilli(), 0), int64(ulid.MaxTime()))
	_ = id.SetTime(uint64(ms)) // in range
	rand.Read(id[6:])
	return id
}

// MessageID is the id of an item made at that time of a message that may come again. All but its time
// is derived from what tells the message from others.
func MessageID(at time.Time, of ...[]byte) ulid.ULID {
	id := NewID(at)
	h := sha256.New()
	for _, b := range of {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(b)))
		h.Write(length[:])
		h.Write(b)
	}
	copy(id[6:], h.Sum(nil))
	return id
}

// SameMessage says whether two ids are of one message, whenever the items were made.
func SameMessage(a, b ulid.ULID) bool { return [10]byte(a[6:]) == [10]byte(b[6:]) }

// ResultID derives the id of a result from what it was made of, so that the same work done twice
// gives the same id. It keeps the input's time, hence its order.
func ResultID(input ulid.ULID, model, version string) ulid.ULID {
	h := sha256.New()
	h.Write(input[:])
	h.Write([]byte(model))
	h.Write([]byte{0})
	h.Write([]byte(version))
	id := input
	copy(id[6:], h.Sum(nil))
	return id
}

// Span is where part n of so many lies in data of that length. It depends on nothing else, so that
// a device cuts alike before and after a restart.
func Span(length int, n, of uint32) (from, to int) {
	at := func(n uint32) int { return int(uint64(length) * uint64(n) / uint64(of)) }
	return at(n), at(n + 1)
}

// Cut is part n of the item in so many; the item itself where that is 1. Parts share its data.
func (i Item) Cut(n, of uint32) Item {
	if of <= 1 {
		return i
	}
	from, to := Span(len(i.Data), n, of)
	i.Attrs.Part, i.Attrs.Parts, i.Attrs.PartOf = n, of, i.Kind
	i.Kind, i.Data = Part, i.Data[from:to]
	return i
}

// InputRefinement is Attrs.Input of a result that was made of a tile with its refinement.
const InputRefinement = "refinement"

// BaseKey is where the object store has the tile of a scene that refinements of it are read with: the last one
// of its name.
func BaseKey(i *Item) string {
	return "bases/" + i.Edge + "/" + url.PathEscape(i.Attrs.Scene) + "/" + url.PathEscape(i.Attrs.Tile)
}
