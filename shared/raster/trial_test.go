package raster

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/infer/trial"
)

func heldFile(t *testing.T, path string) (variables, identity) {
	t.Helper()
	started()
	v, ok, err := variablesAt(path)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	id, leave, err := v.hold()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(leave)
	return v, id
}

func TestAFileWhoseTrialEndsBadlyIsRefused(t *testing.T) {
	v, id := heldFile(t, variablesFile(t, "bands.nc", "x.nc"))
	for says, bounds := range map[string]trial.Bounds{
		"more than 1 MB of memory":   {CPU: time.Minute, Wall: time.Minute, Memory: 1e6},
		"gave no answer within 0s":   {CPU: time.Minute, Wall: time.Millisecond, Memory: 1 << 40},
		"refused: when a process of": {CPU: time.Nanosecond, Wall: time.Minute, Memory: 1 << 40},
	} {
		if err := v.try(id, Options{}, bounds); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, which does not say %q", err, says)
		}
	}
	if err := v.try(id, Options{}, trialBounds); err != nil {
		t.Error(err)
	}
}

// The words are the child's, and nothing of a broken file is read here.
func TestABrokenFileIsToldByItsTrial(t *testing.T) {
	path := variablesFile(t, "bands.nc", "x.nc")
	if err := os.Truncate(path, 9000); err != nil {
		t.Fatal(err)
	}
	v, id := heldFile(t, path)
	if err := v.try(id, Options{}, trialBounds); err == nil || !strings.Contains(err.Error(), "copy it again") {
		t.Error(err)
	}
}

func TestAFileThatChangesWhileItIsOpenedIsRefused(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"written": func(path string) error { return os.Chtimes(path, time.Now(), time.Unix(1e9, 0)) },
		"replaced": func(path string) error {
			data, err := os.ReadFile(path)
			return errors.Join(err, os.Remove(path), os.WriteFile(path, data, 0o644))
		},
	} {
		path := variablesFile(t, "bands.nc", "x.nc")
		v, id := heldFile(t, path)
		if err := change(path); err != nil {
			t.Fatal(err)
		}
		if err := v.try(id, Options{}, trialBounds); err == nil || err.Error() != errChanged.Error() {
			t.Errorf("%s: the trial says %v", name, err)
		}
	}
	path := variablesFile(t, "bands.nc", "x.nc")
	v, id := heldFile(t, path)
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if s, err := v.open(path, id, func() {}, Options{}); err == nil {
		s.Close()
		t.Error("a file that was emptied since its trial opens")
	}
}

// What lies at the name after the trial is not what is read.
func TestWhatWasTriedIsWhatIsRead(t *testing.T) {
	path := variablesFile(t, "bands.nc", "x.nc")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := errors.Join(os.Remove(path), os.WriteFile(path, []byte("\x89HDF\r\n\x1a\nanother"), 0o644)); err != nil {
		t.Fatal(err)
	}
	im, err := s.Read(Window{W: 60, H: 60}, sixBands)
	if err != nil || slices.Max(im.Plane("blue")) < 0.29 {
		t.Error(err)
	}
}
