package console

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/shared/disk"
	"cloudcanvas/shared/durable/disktest"
)

func TestAnActThatAFullDiskDidNotTakeIsNotReadAsDone(t *testing.T) {
	at := filepath.Join(t.TempDir(), "disk")
	d := disktest.Tmpfs(t, at, "8m")
	a, err := openAudit(at, quiet())
	if err != nil {
		t.Fatal(err)
	}
	disks := disk.NewSet(quiet(), nil)
	t.Cleanup(disks.Close)
	a.disk = disks.Of(at)
	d.Fill(0)
	said := 0
	for i := 0; ; i++ { // until the page that the file has is full
		if err = a.write(Act{Who: "vera", Action: actDiscard, What: strings.Repeat("x", 100+i%7)}); err != nil {
			break
		}
		said++
	}
	if disks.Err() == nil {
		t.Errorf("the disk was not blamed for %v", err)
	}
	d.Tidy()
	if err := a.write(Act{Who: "vera", Action: actDiscard, What: "y"}); err != nil {
		t.Fatal(err)
	}
	a.close()
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

// refusing is a disk that takes no writes.
type refusing struct{ why error }

func (r refusing) Blames(error) bool { return true }
func (r refusing) Err() error        { return r.why }

func TestReadyzSaysThatTheDiskTakesNoWrites(t *testing.T) {
	k := &Console{Parts: Parts{Disk: refusing{disk.ErrFull}}, index: &index.Index{}}
	answer := httptest.NewRecorder()
	k.readyz(answer, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if answer.Code != http.StatusServiceUnavailable || !strings.Contains(answer.Body.String(), "the disk is full") {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}
