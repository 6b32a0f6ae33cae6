package console

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/shared/event"
)

// mostCompressed bounds what a browser fetches before a page is whole.
const mostCompressed = 1 << 20

func TestAssetsAreSmallWhenCompressed(t *testing.T) {
	if n := compressedAssets(t); n > mostCompressed || n == 0 {
		t.Errorf("%d bytes, at most %d", n, mostCompressed)
	}
}

// compressedAssets is how many bytes all assets and templates are, each compressed by itself.
func compressedAssets(t testing.TB) (n int) {
	t.Helper()
	files := os.DirFS("web")
	for _, folder := range []string{"assets", "pages"} {
		err := fs.WalkDir(files, folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := fs.ReadFile(files, path)
			if err != nil {
				return err
			}
			var out bytes.Buffer
			z := gzip.NewWriter(&out)
			if _, err := z.Write(data); err != nil {
				return err
			}
			if err := z.Close(); err != nil {
				return err
			}
			n += out.Len()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// BenchmarkFirstView is how long a browser takes from a click to the overview's first paint, and until
// it can be used, with everything asked for anew.
func BenchmarkFirstView(b *testing.B) {
	page := openBrowser(b)
	w := newWorld(b, nil)
	w.fill()
	var first, ready []float64
	for b.Loop() {
		for range 10 {
			page.do(chromedp.Navigate("about:blank"), chromedp.Navigate(w.url+"/"))
			page.until(`performance.getEntriesByName("first-contentful-paint").length > 0 && performance.getEntriesByType("navigation")[0].loadEventEnd > 0`)
			first = append(first, ask[float64](page, `performance.getEntriesByName("first-contentful-paint")[0].startTime`))
			ready = append(ready, ask[float64](page, `performance.getEntriesByType("navigation")[0].loadEventEnd`))
		}
	}
	slices.Sort(first)
	slices.Sort(ready)
	b.ReportMetric(first[len(first)/2], "ms-first-view-p50")
	b.ReportMetric(ready[len(ready)/2], "ms-interactive-p50")
	b.ReportMetric(float64(compressedAssets(b)), "bytes-of-assets-compressed")
}

// BenchmarkRecordToPixel is the console's part of an event's way: from its record in Kafka to the
// browser's next frame. The whole way, from the camera, is EventToPixel of cmd/integration.
func BenchmarkRecordToPixel(b *testing.B) {
	page := openBrowser(b)
	w := newWorld(b, nil)
	w.fill()
	page.do(chromedp.Navigate(w.url + "/cameras"))
	page.until(`document.querySelector("tr[data-number]") !== null && document.getElementById("link-state").textContent === ""`)
	var took []float64
	for b.Loop() {
		for n := range 20 {
			label := fmt.Sprintf("mark-%d-%d", len(took), n)
			sent := time.Now()
			w.putJSON(event.Alert, "gate", "gate/"+label, sent.UTC(), event.Attrs{}, object{"camera": "gate", "label": label})
			page.until(fmt.Sprintf("document.body.innerText.includes(%q)", label))
			took = append(took, float64(time.Since(sent).Microseconds())/1000)
		}
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "ms-p50")
	b.ReportMetric(took[len(took)*99/100], "ms-p99")
}

// BenchmarkMapTiles is how many of a scene's map tiles are answered, to as many clients as there are
// cores; the ratio is to answers without any work in them.
func BenchmarkMapTiles(b *testing.B) {
	w := newWorld(b, func(c *Config) { c.RequestsPerSecond = 1e6 })
	w.fill()
	rate := func(path string) float64 {
		const each = 200
		begin := time.Now()
		done := make(chan error)
		const clients = 4
		for range clients {
			go func() {
				client := &http.Client{Transport: &http.Transport{}}
				defer client.CloseIdleConnections()
				for range each {
					r, err := client.Get(w.url + path)
					if err == nil && r.StatusCode != http.StatusOK {
						err = fmt.Errorf("%s: %d", path, r.StatusCode)
					}
					if err != nil {
						done <- err
						return
					}
					io.Copy(io.Discard, r.Body)
					r.Body.Close()
				}
				done <- nil
			}()
		}
		for range clients {
			if err := <-done; err != nil {
				b.Error(err)
			}
		}
		return clients * each / time.Since(begin).Seconds()
	}
	var s index.Scene
	w.json("/api/v1/scenes/mast-7/alpha", &s)
	const z = 13
	x, y := onMap((s.BBox[0]+s.BBox[2])/2, (s.BBox[1]+s.BBox[3])/2)
	tile := fmt.Sprintf("/api/v1/tiles/mast-7/alpha/%d/%d/%d.png", z, int(x*(1<<z)), int(y*(1<<z)))
	var tiles, nothing float64
	for b.Loop() {
		tiles, nothing = max(tiles, rate(tile)), max(nothing, rate("/healthz"))
	}
	b.ReportMetric(tiles, "tiles/s")
	b.ReportMetric(tiles/nothing, "ratio-to-empty-answers")
}

// onMap is a place in web Mercator's square, 0 … 1 from its north-western corner.
func onMap(lon, lat float64) (x, y float64) {
	return (lon + 180) / 360, (1 - math.Asinh(math.Tan(lat*math.Pi/180))/math.Pi) / 2
}
