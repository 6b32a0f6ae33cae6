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

	// Epochs are those in which the edge has committed and that still matter, the current one first.
	Epochs []EpochReport `json:"epochs,omitempty"`
	// Connection counts the connections of this start of the agent, from 1.
	Connection uint64 `json:"connection,omitempty"`
	// Troubles are what is wrong with the edge's buffer, until somebody has seen to it.
	Troubles []Trouble `json:"troubles,omitempty"`

	// Models are those that the cloud may change, of an edge that takes them.
	Models []EdgeModel `json:"models,omitempty"`
	// References are the ground systems that the edge sees and has use for the cloud's views of.
	References []WantedViews `json:"references,omitempty"`
	// Cameras are the live ones, those that show nothing first; published anew as that changes.
	Cameras []CameraState `json:"cameras,omitempty"`
	// Link is how the edge's outbox and link were; nil where that is not known.
	Link *LinkReport `json:"link,omitempty"`
	// Signatures is there where the edge believes signed messages alone.
	Signatures *SignaturesWanted `json:"signatures,omitempty"`
}

// SignaturesWanted is what an edge says that believes the holders of some keys alone.
type SignaturesWanted struct {
	Session string   `json:"session"` // that messages must be signed for, 32 hex digits
	Keys    []string `json:"keys"`    // ids of the keys that it trusts
}

// EpochReport is what an edge says of one epoch of its buffer.
type EpochReport struct {
	Epoch   Epoch  `json:"epoch"`
	Through uint64 `json:"through"` // the last number that was committed in it
	Waiting uint64 `json:"waiting"` // items of it that wait for a receipt
}

// Trouble is one thing that is wrong with an edge's buffer.
type Trouble struct {
	Kind  string    `json:"kind"`            // older, truncated, corrupt, twin, read_only, …
	Epoch Epoch     `json:"epoch,omitempty"` // whose numbers From to To are concerned
	From  uint64    `json:"from,omitempty"`
	To    uint64    `json:"to,omitempty"`
	Items uint64    `json:"items,omitempty"` // how many
	Text  string    `json:"text"`            // for people: what happened, and what to do
	Since time.Time `json:"since"`
}

// CameraState is how a live camera is, as its device sees it.
type CameraState struct {
	Name      string    `json:"name"`
	Phase     string    `json:"phase"`               // starting, up, stalled, down, ended
	Since     time.Time `json:"since"`               // of the phase; for stalled and down, when it was lost
	LastFrame time.Time `json:"last_frame,omitzero"` // when this was published; zero: never
	Width     int       `json:"width"`
	Height    int       `json:"height"`
	Problem   string    `json:"problem,omitempty"`
	NextTry   time.Time `json:"next_try,omitzero"` // of one that may not be tried soon; zero: within seconds
}

// Bounds of what a status lists.
const (
	MaxEpochs        = 16
	MaxTroubles      = 16
	MaxCameras       = 64
	maxTrustedKeys   = 16
	MaxCameraProblem = 400 // bytes
)

// EdgeModel is what an edge says of one of its models.
type EdgeModel struct {
	Name     string `json:"name"`
	Version  string `json:"version"`            // that it runs; empty: what the device came with
	Trial    bool   `json:"trial,omitempty"`    // it has not proved itself yet
	Previous string `json:"previous,omitempty"` // that it goes back to; empty: what the device came with

	Want *WantedPart `json:"want,omitempty"` // what it misses of a version that it was offered
	// Refused is the version that it will not run, and why; the latest.
	Refused string `json:"refused,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// WantedPart asks for the next bytes of a version's file.
type WantedPart struct {
	Version string `json:"version"`
	File    string `json:"file"`
	Offset  int64  `json:"offset"`
	Bytes   int64  `json:"bytes"`           // at most
	Size    int64  `json:"size,omitempty"`  // of the whole file, for people
	Tries   int    `json:"tries,omitempty"` // how often this was asked in vain: a new status for each
}

// maxEdgeModels bounds the models of a status.
const maxEdgeModels = 64

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
	if len(s.Models) > maxEdgeModels {
		return s, fmt.Errorf("%w: status with %d models, %d is the limit", ErrTooLarge, len(s.Models), maxEdgeModels)
	}
	if len(s.Epochs) > MaxEpochs || len(s.Troubles) > MaxTroubles {
		return s, fmt.Errorf("%w: status with %d epochs and %d troubles, %d and %d are the limits", ErrTooLarge, len(s.Epochs), len(s.Troubles), MaxEpochs, MaxTroubles)
	}
	if w := s.Signatures; w != nil && len(w.Keys) > maxTrustedKeys {
		return s, fmt.Errorf("%w: status with %d trusted keys, %d is the limit", ErrTooLarge, len(w.Keys), maxTrustedKeys)
	}
	if len(s.Cameras) > MaxCameras {
		return s, fmt.Errorf("%w: status with %d cameras, %d is the limit", ErrTooLarge, len(s.Cameras), MaxCameras)
	}
	if err := checkWantedViews(s.References); err != nil {
		return s, err
	}
	for _, e := range s.Epochs {
		if !e.Epoch.Valid() {
			return s, fmt.Errorf("%w: status with epoch %.40q", ErrMalformed, e.Epoch)
		}
	}
	if s.Link != nil {
		*s.Link = s.Link.Bounded()
	}
	return s, nil
}
