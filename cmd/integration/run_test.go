package integration

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestARunningApplianceShowsItsScenesAndGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := write(t, filepath.Join(dir, "canvas.yaml"), `
data: %s
device: {edge: mast-7, scenes: [{name: sentinel2, path: %s}]}
cloud:
  console: {listen: '127.0.0.1:0'}
  worker: {models: [{want: segment, model: spectral_rgb}]}
`, filepath.Join(dir, "data"), sample(t, "sentinel2.tif"))
	for range 2 {
		p := start(t, "canvas", "--config", config, "run")
		url := ""
		until(t, 2*time.Minute, "the console says where it is", func() bool {
			found := regexp.MustCompile(`console  (http://\S+)/`).FindStringSubmatch(p.log.String())
			if found != nil {
				url = found[1]
			}
			return found != nil
		})
		var found struct{ Features []struct{ ID string } }
		until(t, 2*time.Minute, "the scene is found by a STAC search", func() bool {
			r, err := http.Get(url + "/stac/search?collections=mast-7")
			if err != nil {
				return false
			}
			defer r.Body.Close()
			return json.NewDecoder(r.Body).Decode(&found) == nil && len(found.Features) == 1
		})
		for path, says := range map[string]string{"/": "1 edge is online: mast-7", "/scenes/mast-7/sentinel2": "complete", "/cluster": "canvas.work", "/metrics": "canvas_edge_outbox_committed_items_total"} {
			until(t, 2*time.Minute, path+" says "+says, func() bool {
				r, err := http.Get(url + path)
				if err != nil {
					return false
				}
				defer r.Body.Close()
				body, err := io.ReadAll(r.Body)
				return err == nil && r.StatusCode == http.StatusOK && strings.Contains(string(body), says)
			})
		}
		if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if err := <-p.done; err != nil {
			t.Fatalf("it does not end well: %v", err)
		}
	}
}
