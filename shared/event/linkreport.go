package event

import (
	"strings"
	"time"
)

// LinkReport is what an edge says now and then of its outbox and its link, as part of its Status.
type LinkReport struct {
	Time           time.Time       `json:"time"` // when it was made
	Committed      uint64          `json:"committed"`
	Received       uint64          `json:"received"` // the cloud has them
	Waiting        uint64          `json:"waiting"`
	Dropped        uint64          `json:"dropped"`
	Bytes          int64           `json:"bytes"`                  // that wait
	Oldest         time.Time       `json:"oldest,omitzero"`        // when the oldest that waits was committed
	Ladder         []LadderStep    `json:"ladder"`                 // what waits, the most urgent first
	Hold           string          `json:"hold"`                   // why nothing more goes just now; empty: it goes
	Limit          string          `json:"packet_limit,omitempty"` // what the broker takes, where it has shown a limit
	Held           int             `json:"held_items,omitempty"`   // that it does not take in any size
	Open           bool            `json:"open"`                   // a contact window is, or the link has none
	BytesPerSecond float64         `json:"bytes_per_second"`
	Past           []ContactWindow `json:"windows_past"`
	Coming         []ContactWindow `json:"windows_coming"` // the open one first
	Next           []NextItem      `json:"next"`           // what would go next

	Networks []NetworkCounts `json:"networks,omitempty"` // what became of the pictures that its models were given
}

// NetworkCounts are what became of the pictures that a model was given since it was loaded.
type NetworkCounts struct {
	Model      string `json:"model"`
	Version    string `json:"version,omitempty"`
	Engine     string `json:"engine,omitempty"`
	Pictures   int64  `json:"pictures"`
	Failed     int64  `json:"failed"`      // of them: nobody has looked at these
	Candidates int64  `json:"candidates"`  // of a detector: boxes above its score floor
	ThrownAway int64  `json:"thrown_away"` // those of them that can't be boxes
}

// SameFaults says whether two counts of a model differ in nothing that is wrong.
func (c NetworkCounts) SameFaults(d NetworkCounts) bool {
	return c.Model == d.Model && c.Version == d.Version && c.Failed == d.Failed && c.ThrownAway == d.ThrownAway
}

// LadderStep is what waits of one priority and rung.
type LadderStep struct {
	Priority Priority  `json:"priority"`
	Rung     Rung      `json:"rung"`
	Items    int64     `json:"items"`
	Bytes    int64     `json:"bytes"`
	Oldest   time.Time `json:"oldest"`
}

// ContactWindow is a time in which the link may be used.
type ContactWindow struct {
	From           time.Time `json:"from"`
	To             time.Time `json:"to"`
	BytesPerSecond float64   `json:"bytes_per_second"` // expected; 0: not known
}

// NextItem is an item that would go next as things are.
type NextItem struct {
	Epoch    Epoch    `json:"epoch,omitempty"`
	Seq      uint64   `json:"seq"` // in the epoch
	Kind     Kind     `json:"kind"`
	Stream   string   `json:"stream"`
	Subject  string   `json:"subject"`
	Priority Priority `json:"priority"`
	Rung     Rung     `json:"rung"`
	Bytes    int64    `json:"bytes"`
	Sent     uint32   `json:"parts_sent"`
	Parts    uint32   `json:"parts"` // 0: not cut yet
	Why      string   `json:"why"`
}

// Bounds of a report: it travels over thin links, and is kept by whoever receives it.
const (
	MaxLadder  = 24
	MaxWindows = 6 // past, and as many to come
	MaxNext    = 5

	MaxNetworks = 8

	maxReportText = 120
)

// Bounded is r within its bounds.
func (r LinkReport) Bounded() LinkReport {
	r.Hold, r.Limit = short(r.Hold), short(r.Limit)
	r.Ladder = r.Ladder[:min(len(r.Ladder), MaxLadder)]
	r.Past = r.Past[max(0, len(r.Past)-MaxWindows):] // the latest
	r.Coming = r.Coming[:min(len(r.Coming), MaxWindows)]
	next := append([]NextItem{}, r.Next[:min(len(r.Next), MaxNext)]...)
	for i := range next {
		n := &next[i]
		n.Kind, n.Stream, n.Subject, n.Why = Kind(short(string(n.Kind))), short(n.Stream), short(n.Subject), short(n.Why)
	}
	r.Next = next
	r.Networks = append([]NetworkCounts(nil), r.Networks[:min(len(r.Networks), MaxNetworks)]...)
	for i := range r.Networks {
		n := &r.Networks[i]
		n.Model, n.Version, n.Engine = short(n.Model), short(n.Version), short(n.Engine)
	}
	return r
}

func short(text string) string {
	if len(text) <= maxReportText {
		return text
	}
	return strings.ToValidUTF8(text[:maxReportText], "")
}

// Name is a rung for people.
func (r Rung) Name() string {
	switch r {
	case RungAlert:
		return "alerts"
	case RungVector:
		return "vectors"
	case RungThumbnail:
		return "thumbnails"
	case RungMask:
		return "masks"
	case RungTile:
		return "tiles"
	case RungFull:
		return "full pictures"
	}
	return "other"
}
