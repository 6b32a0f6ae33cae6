package detect

import "cloudcanvas/shared/event"

// heardEvent is a track's event as programs that know Frigate read it on canvas/events. The item of kind
// track that goes to the cloud keeps its own form.
type heardEvent struct {
	Type   string      `json:"type"`
	Before *heardState `json:"before"`
	After  *heardState `json:"after"`
}

// heardState shadows box with its corners, and names the zones as Frigate does. What programs have read
// here before stays: zones, and the sides of the box as bbox.
type heardState struct {
	event.TrackState
	Box     [4]float32 `json:"box"`  // x1, y1, x2, y2 in pixels of the original frame
	BBox    [4]float32 `json:"bbox"` // x, y, width, height
	Current []string   `json:"current_zones"`
	Entered []string   `json:"entered_zones"`
}

func frigate(e event.TrackEvent) heardEvent {
	return heardEvent{Type: e.Type, Before: heard(e.Before), After: heard(e.After)}
}

func heard(s *event.TrackState) *heardState {
	if s == nil {
		return nil
	}
	x, y, w, h := s.Box[0], s.Box[1], s.Box[2], s.Box[3]
	return &heardState{TrackState: *s, Box: [4]float32{x, y, x + w, y + h}, BBox: s.Box,
		Current: append([]string{}, s.Zones...), Entered: append([]string{}, s.EnteredZones...)}
}
