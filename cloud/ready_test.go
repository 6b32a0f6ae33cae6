package cloud

import (
	"errors"
	"testing"
)

func TestReadinessIsThatOfWhoIsFollowed(t *testing.T) {
	var r Readiness
	if r.Ready() == nil {
		t.Error("a process that is still connecting says that it is ready")
	}
	away := errors.New("away")
	var why error
	r.Follow(func() error { return why })
	if err := r.Ready(); err != nil {
		t.Error(err)
	}
	if why = away; !errors.Is(r.Ready(), away) {
		t.Errorf("%v, not what is followed says", r.Ready())
	}
}
