package detect

import "cloudcanvas/shared/event"

// heardEvent is a track's event as it is told on canvas/events. The item of kind track that goes to the
// cloud keeps its own form.
type heardEvent struct {
	Type   string      `json:"type"`
	Before *heardState `json:"before"`
	After  *heardState `json:"after"`
}

// heardState adds what programs written for Frigate look for: the zones under Frigate's name, and the
// box's corners. box stays x, y, width, height, for programs read it here; Frigate's box is our corners.
type heardState struct {
	event.TrackState
	Corners [4]float32 `json:"box_corners"` // x1, y1, x2, y2 in pixels of the original frame
	Current []string   `json:"current_zones"`
	Entered []string   `json:"entered_zones"` // also where it is empty
}

func frigate(e event.TrackEvent) heardEvent {
	return heardEvent{Type: e.Type, Before: heard(e.Before), After: heard(e.After)}
}

func heard(s *event.TrackState) *heardState {
	if s == nil {
		return nil
	}
	x, y, w, h := s.Box[0], s.Box[1], s.Box[2], s.Box[3]
	return &heardState{TrackState: *s, Corners: [4]float32{x, y, x + w, y + h},
		Current: append([]string{}, s.Zones...), Entered: append([]string{}, s.EnteredZones...)}
}
