package blocklist

import (
	"errors"
	"strings"
	"testing"
	"time"

	"cloudcanvas/cloud/coord/local"
)

func TestAnEdgeIsBlockedAndLetInAgain(t *testing.T) {
	group := local.NewSpace().Coordinator("o")
	first := Entry{By: "anna", At: time.Unix(1, 0).UTC(), Reason: "floods"}
	if err := Block(t.Context(), group, "mast-7", first); err != nil {
		t.Fatal(err)
	}
	if err := Block(t.Context(), group, "mast-7", Entry{By: "otto"}); err != nil {
		t.Fatal(err)
	}
	if l, err := Read(t.Context(), group); err != nil || l["mast-7"] != first || l.Has("mast-8") {
		t.Errorf("%+v %v", l, err)
	}
	for _, bad := range []string{"", "a/b", "#", strings.Repeat("x", 500)} {
		if err := Block(t.Context(), group, bad, first); !errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := Unblock(t.Context(), group, "mast-7"); err != nil {
		t.Fatal(err)
	}
	if err := Unblock(t.Context(), group, "mast-7"); !errors.Is(err, ErrRefused) {
		t.Errorf("what is not blocked: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"mast":{"by":"o","at":"2026-01-01T00:00:00Z"}}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, _ := Parse(b)
		l.Has("mast")
		l["x"] = Entry{}
	})
}
