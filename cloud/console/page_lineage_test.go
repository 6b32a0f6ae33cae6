package console

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloudcanvas/cloud/lineage"
)

// fakeLineage knows one item.
type fakeLineage struct{}

func (fakeLineage) Find(_ context.Context, q lineage.Query, since time.Duration) ([]lineage.History, error) {
	if q.Subject != "alpha/0_0" {
		return nil, fmt.Errorf("%s: %w", q, lineage.ErrUnknown)
	}
	return []lineage.History{{State: lineage.InProduct, Kind: "tile", Subject: "<b>alpha</b>/0_0", Steps: []lineage.Step{
		{What: "looked at by a worker", Topic: "canvas.results", Partition: 2, Offset: 17, Worker: "gpu-2", Lease: "41", Model: "ukis", ModelVersion: "3", Detail: since.String()}}}}, nil
}

func TestThePageOfAnItemShowsWhatBecameOfIt(t *testing.T) {
	w := newWorld(t, nil)
	if status, _ := w.get("/story?item=alpha/0_0"); status != http.StatusNotFound {
		t.Errorf("without it: %d", status)
	}
	w.knowLineage()
	for path, want := range map[string]struct {
		status int
		says   string
	}{
		"/story":                               {200, "Choose an item"},
		"/story?item=alpha/0_0":                {200, "canvas.results partition 2, offset 17</td><td>gpu-2 epoch 41 ukis version 3"},
		"/story?item=alpha/0_0&since=48h":      {200, "48h0m0s"},
		"/story?item=beta/0_0":                 {404, "look further back"},
		"/story?item=alpha/0_0&since=tomorrow": {400, "no time such as 72h"},
		"/story?item=alpha/0_0&since=9999h":    {400, "no time such as 72h"},
	} {
		status, body := w.get(path)
		if status != want.status || !strings.Contains(body, want.says) || strings.Contains(body, "<b>alpha") {
			t.Errorf("%s: %d\n%s", path, status, body)
		}
	}
}

// knowLineage starts the console anew, with what became of items.
func (w *world) knowLineage() {
	w.Helper()
	w.stop()
	w.lineage = fakeLineage{}
	w.run()
}
