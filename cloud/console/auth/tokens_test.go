package auth

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestATokensFileMustBeClosedAndWhole(t *testing.T) {
	_, line, err := NewToken("vera", Viewer)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readTokens(file); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readTokens(file); err == nil || !strings.Contains(err.Error(), "chmod") {
		t.Error(err)
	}
	for _, text := range []string{"", "# nobody", "vera viewer", "vera king " + strings.Repeat("0", 64), "vera viewer " + strings.Repeat("x", 64)} {
		if _, err := parseTokens(strings.NewReader(text)); err == nil {
			t.Errorf("%q lets somebody in", text)
		}
	}
	if _, _, err := NewToken("a name", Viewer); err == nil {
		t.Error("a name with a space")
	}
}

func TestASessionEnds(t *testing.T) {
	now := time.Now()
	var s sessions
	id := s.begin(Person{"vera", Viewer}, now, sessionLife)
	if _, ok := s.who(id, now.Add(sessionLife-time.Second)); !ok {
		t.Error("a session ends early")
	}
	if _, ok := s.who(id, now.Add(sessionLife+time.Second)); ok {
		t.Error("a session does not end")
	}
}

func TestLoginsUnderWayAreBoundedAndEnd(t *testing.T) {
	var s flows
	now := time.Now()
	for n := range maxFlows + 5 {
		s.add(flow{state: fmt.Sprint(n), until: now.Add(flowLife)})
	}
	if len(s.all) != maxFlows {
		t.Errorf("%d are kept", len(s.all))
	}
	if _, ok := s.take("4", now); ok {
		t.Error("the oldest did not make way")
	}
	if _, ok := s.take("5", now); !ok {
		t.Error("one that fits is gone")
	}
	if _, ok := s.take("6", now.Add(flowLife+time.Second)); ok {
		t.Error("one that took too long counts")
	}
}
