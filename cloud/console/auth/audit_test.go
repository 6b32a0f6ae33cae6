package auth

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/disk"
	"cloudcanvas/shared/durable/disktest"
)

func TestTheAuditSurvivesACutOffLine(t *testing.T) {
	dir := t.TempDir()
	whole, _ := json.Marshal(Act{Who: "otto", Action: "discard", What: "x"})
	if err := os.WriteFile(filepath.Join(dir, "audit.jsonl"), append(append(whole, '\n'), `{"who":"ot`...), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		a, err := OpenAudit(dir, healthy{}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Write(Act{Who: "vera", Action: "replay", What: "y"}); err != nil {
			t.Fatal(err)
		}
		if a.Of("x") == nil || a.Of("y") == nil {
			t.Error("an act is lost")
		}
		a.Close()
	}
	if data, _ := os.ReadFile(filepath.Join(dir, "audit.jsonl")); strings.Count(string(data), "\n") != 4 {
		t.Errorf("%s", data)
	}
}

func TestAnActThatAFullDiskDidNotTakeIsNotReadAsDone(t *testing.T) {
	at := filepath.Join(t.TempDir(), "disk")
	d := disktest.Tmpfs(t, at, "8m")
	disks := disk.NewSet(slog.New(slog.DiscardHandler), nil)
	t.Cleanup(disks.Close)
	a, err := OpenAudit(at, disks.Of(at), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	d.Fill(0)
	said := 0
	for i := 0; ; i++ { // until the page that the file has is full
		if err = a.Write(Act{Who: "vera", Action: "discard", What: strings.Repeat("x", 100+i%7)}); err != nil {
			break
		}
		said++
	}
	if disks.Err() == nil {
		t.Errorf("the disk was not blamed for %v", err)
	}
	d.Tidy()
	if err := a.Write(Act{Who: "vera", Action: "discard", What: "y"}); err != nil {
		t.Fatal(err)
	}
	a.Close()
	text, err := os.ReadFile(filepath.Join(at, "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != said+1 {
		t.Errorf("%d lines of %d acts", len(lines), said+1)
	}
	for _, line := range lines {
		if !json.Valid([]byte(line)) {
			t.Errorf("a line is %q", line)
		}
	}
}

// healthy is a disk that is never to blame.
type healthy struct{}

func (healthy) Blames(error) bool { return false }
