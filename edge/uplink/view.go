package uplink

import (
	"time"

	"cloudcanvas/edge/uplink/contact"
	"cloudcanvas/edge/uplink/packet"
	"cloudcanvas/edge/uplink/schedule"
)

// View is what an uplink does and what it would do next, for people.
type View struct {
	Connected      bool               `json:"connected"`
	Hold           schedule.Hold      `json:"hold,omitempty"`   // why nothing more goes just now
	Window         *contact.Window    `json:"window,omitempty"` // the open one, or the next
	Open           bool               `json:"open"`
	Silent         bool               `json:"no_receipts,omitempty"`  // for too long, while the broker acknowledges
	Limit          *PacketLimit       `json:"packet_limit,omitempty"` // of the broker, where it has shown one
	Waiting        int                `json:"waiting_items"`          // that have not begun
	Awaiting       int                `json:"awaiting_items"`         // begun, or sent and without a receipt
	Flying         int64              `json:"in_flight_bytes"`        // sent and not acknowledged by the broker
	BytesPerSecond float64            `json:"bytes_per_second"`
	RoundTrip      time.Duration      `json:"round_trip_ns"`       // of the last message
	LeastRoundTrip time.Duration      `json:"least_round_trip_ns"` // of an empty link
	Budget         schedule.Remaining `json:"budget_left_bytes"`
	Past           []contact.Window   `json:"windows_past,omitempty"`   // of a day
	Coming         []contact.Window   `json:"windows_coming,omitempty"` // of a day
	Next           []schedule.Choice  `json:"next,omitempty"`
}

// PacketLimit is what is known of the largest packet that the broker takes, in bytes with the envelope.
type PacketLimit struct {
	packet.Known
	Reason string `json:"reason"`
	Held   int    `json:"held_items"` // that can't be cut small enough, or that the broker does not take in any size
}

// limit is nil where there is nothing to say.
func (u *Uplink) limit() *PacketLimit {
	held := u.schedule.Aside()
	reason := u.limits.Reason(u.limits.broker)
	if reason == "" && held == 0 {
		return nil
	}
	return &PacketLimit{u.limits.Known(), reason, held}
}

// Next shows the n items that would go next and why, and all that Plan shows.
func (u *Uplink) Next(n int) View {
	now := time.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	v := View{Hold: u.hold, Flying: u.pace.Flying(), BytesPerSecond: u.pace.Rate(), Budget: u.schedule.Remaining(now), Silent: u.silence.logged, Limit: u.limit()}
	select {
	case <-u.link.Up():
		v.Connected = true
	default:
	}
	w, open := u.calendar.At(now)
	if v.Open = open; !w.From.IsZero() {
		v.Window = &w
	}
	v.Past, v.Coming = u.calendar.Around(now)
	v.Waiting, v.Awaiting = u.schedule.Waiting()
	v.RoundTrip, v.LeastRoundTrip = u.pace.Trip()
	if n > 0 {
		v.Next = u.schedule.Next(n)
	}
	return v
}

// Plan shows the windows past and to come, what is left of the budget, and how the link does.
func (u *Uplink) Plan() View { return u.Next(0) }
