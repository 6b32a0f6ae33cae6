package worker

import (
	"context"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/coord/assign"
	"cloudcanvas/shared/event"
)

// Assigned are the partitions that the group's leader gives to a member, see coord/assign.
type Assigned struct {
	Coordinator coord.Coordinator
	Member      string
}

// Mine follows the leader's document.
func (a Assigned) Mine(ctx context.Context) (<-chan []int, error) {
	return assign.Follow(ctx, a.Coordinator, event.WorkTopic, a.Member)
}
