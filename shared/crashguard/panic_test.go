package crashguard

import (
	"errors"
	"strings"
	"testing"
)

func TestAPanicIsAnErrorThatSaysWhere(t *testing.T) {
	err := Shield(func() error {
		var none []int
		_ = none[len(t.Name())]
		return nil
	})
	var p *Panic
	if !errors.As(err, &p) || !strings.HasPrefix(p.Stack, "panic_test.go:") || !strings.Contains(err.Error(), "index out of range") {
		t.Errorf("got %v", err)
	}
	if err := Shield(func() error { return errors.ErrUnsupported }); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}
