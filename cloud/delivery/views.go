package delivery

import (
	"context"
	"errors"
	"slices"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// Views answer what an edge asks of the views of the ground, by one or more messages.
type Views interface {
	Answer(ctx context.Context, edge string, want event.WantedViews, send func(event.DownViews) error) error
}

// wantedViews are the questions of a status that were not in the one before: an edge says them again with
// whatever else changes in its status.
func (s *service) wantedViews(edge string, status event.Status) (all []event.WantedViews) {
	if s.Views == nil {
		return nil
	}
	for _, w := range status.References {
		if w.Bytes > 0 && !slices.ContainsFunc(s.asked[edge], func(o event.WantedViews) bool { return same(o, w) }) {
			all = append(all, w)
		}
	}
	s.asked[edge] = status.References
	return all
}

func same(a, b event.WantedViews) bool {
	asked := a.Asked.Equal(b.Asked)
	a.Asked = b.Asked
	return asked && a == b
}

// answerPatience bounds one answer: other edges wait for it.
const answerPatience = time.Minute

// sendViews answers questions. What fails the edge asks for again.
func (s *service) sendViews(ctx context.Context, edge string, wanted []event.WantedViews) {
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	for _, w := range wanted {
		err := s.Views.Answer(ctx, edge, w, func(d event.DownViews) error {
			payload, err := d.Marshal()
			if err != nil {
				return err
			}
			return s.broker.Publish(ctx, event.DownTopic(edge, event.DownReferences), 1, false, payload)
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			s.Log.Warn("views of the ground were not sent to an edge, which will ask again", "edge", edge, "system", w.System, telemetry.Err, err)
		}
	}
}
