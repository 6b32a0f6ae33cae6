package index

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/disk"
	"cloudcanvas/shared/durable/disktest"
)

func TestAnIndexOnADiskThatTakesNoWritesIsKept(t *testing.T) {
	at := filepath.Join(t.TempDir(), "disk")
	d := disktest.Tmpfs(t, at, "8m")
	x, err := openIn(t.Context(), at, willing{})
	if err != nil {
		t.Fatal(err)
	}
	x.Close()
	disks := disk.NewSet(slog.New(slog.DiscardHandler), nil)
	t.Cleanup(disks.Close)
	d.ReadOnly(true)
	if _, err := openIn(t.Context(), at, disks.Of(at)); err == nil || !strings.Contains(err.Error(), "closed to writers") {
		t.Errorf("got %v", err)
	}
	d.ReadOnly(false)
	if _, err := os.Stat(filepath.Join(at, "index.db")); err != nil {
		t.Errorf("the index is gone: %v", err)
	}
}
