package infer

import (
	"errors"
	"strings"
	"testing"

	"cloudcanvas/shared/model"
)

func TestATensorIsBoundedInBytes(t *testing.T) {
	s := inputs{file: &file{model: model.Model{Manifest: model.Manifest{Input: model.Input{Bands: make([]string, 6)}}}}}
	defer s.free()
	if _, err := s.bind(8, 8192, 8192); !errors.Is(err, ErrImage) || !strings.Contains(err.Error(), "3221225472 values") {
		t.Errorf("got %v", err)
	}
}
