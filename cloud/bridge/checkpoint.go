package bridge

import (
	"context"
	"fmt"
	"time"

	"cloudcanvas/cloud/bridge/dedup"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// checkpoint writes what dedup holds, so that the next reading of the log can begin here. The
// commit loop calls it between batches, when everything this bridge has written is in dedup. A
// checkpoint that fails costs time at the next start, and more the longer none succeeds.
func (s *session) checkpoint(ctx context.Context) {
	s.checked = time.Now()
	if !s.dirty {
		return
	}
	if err := s.save(ctx); err != nil {
		if ctx.Err() == nil && s.setUnsaved(fmt.Errorf("what the bridge has seen can't be written to %s, so that its next start takes long: %w", event.BridgeTopic, err)) {
			s.Logger.Error("a checkpoint could not be written; the bridge goes on and tries again, but reports that it is not ready", telemetry.Err, err)
		}
		return
	}
	if s.setUnsaved(nil) {
		s.Logger.Info("checkpoints are written again")
	}
	s.dedup.Saved()
	s.dirty, s.written = false, 0
}

func (s *session) save(ctx context.Context) error {
	ends := dedup.Offsets{}
	for _, topic := range dataTopics {
		ranges, err := s.Log.Offsets(ctx, topic)
		if err != nil {
			return err
		}
		ends[topic] = map[int]int64{}
		for p, r := range ranges {
			ends[topic][p] = r.End
		}
	}
	s.dedup.Tidy()
	records, err := s.dedup.Save(s.Owned, ends)
	if err != nil {
		return err
	}
	if err := s.Log.Append(ctx, records...); err != nil {
		return err
	}
	s.ends = ends
	return nil
}
