package bridge

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"cloudcanvas/shared/mqtt"
)

// A device that floods holds its share of the queue; the others' messages find room, and all PUBACKs
// go in the order of arrival.
func TestFloodOfOneEdgeLeavesRoomForOthers(t *testing.T) {
	refused := 0
	q := newQueue(100, 1<<20, 0.5, func(edge string) {
		if edge != "flood" {
			t.Errorf("%s is refused", edge)
		}
		refused++
	})
	msg := func(edge string, n int) mqtt.Message {
		return mqtt.Message{Topic: fmt.Sprintf("canvas/v1/%s/up/2/reading", edge), Payload: fmt.Appendf(nil, "%d", n)}
	}
	var messages []*message
	drain := func(n int) {
		for _, m := range q.take(n, 1<<20) {
			messages = append(messages, &message{Message: m})
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	q.put(ctx, msg("mast", 0))
	for n := range 90 {
		q.put(ctx, msg("flood", n))
	}
	for n := range 9 {
		q.put(ctx, msg("mast", n+1))
	}
	if ctx.Err() != nil || refused != 40 {
		t.Fatalf("%d are refused, %v", refused, ctx.Err())
	}
	drain(100)
	q.done(messages)
	if n, bytes := q.held(); n != 0 || bytes != 0 || len(q.edges) != 0 {
		t.Errorf("%d messages with %d bytes of %d edges are held after all were settled", n, bytes, len(q.edges))
	}
	if n := len(slices.Collect(func(yield func(bool) bool) {
		for _, l := range messages {
			if isRefused(l.Message) && l.Payload == nil && !yield(true) {
				return
			}
		}
	})); n != 40 {
		t.Errorf("%d refused ones keep their place", n)
	}
	for n := range 99 { // alone it may have all of it
		q.put(ctx, msg("flood", n))
	}
	if refused != 40 {
		t.Errorf("a lone edge is refused: %d", refused-40)
	}
}
