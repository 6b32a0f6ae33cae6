package event

import (
	"encoding/json"
	"fmt"
	"time"
)

// States of an edge.
const (
	Online  = "online"
	Offline = "offline"
)

// Status is what an edge says of itself, retained on StatusTopic, and what its will says when it
// is gone.
type Status struct {
	Status  string    `json:"status"` // online, offline
	Edge    string    `json:"edge"`
	Epoch   Epoch     `json:"epoch"`
	Version string    `json:"version"`
	Time    time.Time `json:"time,omitzero"` // since when; a will cannot know
	// Link is how the edge's outbox and link were; nil where it has not said.
	Link *LinkReport `json:"link,omitempty"`
}

// ParseStatus reads the payload of a status topic.
func ParseStatus(b []byte) (Status, error) {
	var s Status
	if len(b) > 64<<10 {
		return s, fmt.Errorf("%w: status of %d bytes", ErrTooLarge, len(b))
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return Status{}, fmt.Errorf("%w: status: %w", ErrMalformed, err)
	}
	if s.Status != Online && s.Status != Offline {
		return s, fmt.Errorf("%w: status %.40q is neither online nor offline", ErrMalformed, s.Status)
	}
	if s.Link != nil {
		*s.Link = s.Link.Bounded()
	}
	return s, nil
}
