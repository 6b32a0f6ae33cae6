package kafka

import (
	"context"
	"errors"
	"testing"
)

type fixedLog struct {
	ranges    map[int]OffsetRange
	committed map[int]int64
	err       error
}

func (l fixedLog) Offsets(context.Context, string) (map[int]OffsetRange, error) { return l.ranges, nil }
func (l fixedLog) Committed(context.Context, string, string) (map[int]int64, error) {
	return l.committed, l.err
}

func TestTheLagIsOfWhatIsStillThere(t *testing.T) {
	log := fixedLog{ranges: map[int]OffsetRange{0: {First: 0, End: 10}, 1: {First: 40, End: 50}, 2: {First: 5, End: 5}}, committed: map[int]int64{0: 4, 1: 3}}
	all, err := ProgressOf(t.Context(), log, "g", "t")
	if err != nil || len(all) != 3 || all[0].Lag() != 6 || all[1].Lag() != 10 || all[1].Next() != 40 || all[2].Lag() != 0 {
		t.Errorf("%+v %v", all, err)
	}
	log.err = errors.New("away")
	if _, err := ProgressOf(t.Context(), log, "g", "t"); !errors.Is(err, log.err) {
		t.Error(err)
	}
}
