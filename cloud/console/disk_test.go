package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/shared/disk"
)

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
