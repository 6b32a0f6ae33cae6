package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/mqtt"
)

// noticeRows has the page note, by the clock of this machine, in which frame of the browser each row
// of an event was there first.
const noticeRows = `(() => {
	window.seen = {};
	const look = () => requestAnimationFrame(() => {
		for (const row of document.querySelectorAll("tr[data-number]")) window.seen[row.dataset.number] ??= Date.now();
	});
	look();
	new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
	return 0;
})()`

// latencies are of the events that came while the page was open: from the frame's capture to the row.
const latencies = `fetch("/api/v1/events?limit=1000").then(r => r.json()).then(l => l.items
	.filter(e => e.number > window.before && window.seen[e.number]).map(e => window.seen[e.number] - Date.parse(e.time)))`

// BenchmarkEventToPixel is the whole way of an event in one appliance: a camera's frame with people in
// it comes over the device's broker, a network finds them, a track begins, goes over MQTT and Kafka
// into the console's index, and an open page shows it. Empty frames between end the tracks.
func BenchmarkEventToPixel(b *testing.B) {
	chromium := ""
	for _, name := range []string{"chromium-headless-shell", "chromium", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			chromium = found
			break
		}
	}
	if chromium == "" {
		b.Skip("no Chromium is installed: make setup brings Debian's chromium-headless-shell")
	}
	dir, port := b.TempDir(), brokertest.FreePort(b)
	people, err := os.ReadFile(clip(b, filepath.Join(dir, "people.jpg"), 1))
	if err != nil {
		b.Fatal(err)
	}
	empty := filepath.Join(dir, "empty.jpg")
	if out, err := exec.Command("ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", "color=gray:size=768x576", "-frames:v", "1", empty).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	nobody, err := os.ReadFile(empty)
	if err != nil {
		b.Fatal(err)
	}
	config := write(b, filepath.Join(dir, "canvas.yaml"), `
data: %s
device:
  edge: mast-7
  local: {embedded: '127.0.0.1:%d'}
  frames: {enabled: true, detector: opencv_hog_people}
  frame_every: 0s
  detect: {tracks: {confirm: 1, max_gap: 1}}
cloud:
  console: {listen: '127.0.0.1:0'}
  worker: {models: [{want: segment, model: spectral_rgb}]}
`, filepath.Join(dir, "data"), port)
	p := start(b, "canvas", "--config", config, "run")
	url := ""
	until(b, 2*time.Minute, "the console says where it is", func() bool {
		if found := regexp.MustCompile(`console  (http://\S+)/`).FindStringSubmatch(p.log.String()); found != nil {
			url = found[1]
		}
		return url != ""
	})
	camera, err := mqtt.Dial(b.Context(), mqtt.Options{URL: fmt.Sprintf("tcp://127.0.0.1:%d", port), ClientID: "gate"})
	if err != nil {
		b.Fatal(err)
	}
	defer camera.Close()
	until(b, 2*time.Minute, "a connection", camera.Connected)
	take := func(picture []byte) {
		if err := camera.Publish(b.Context(), "canvas/cameras/gate/frame", 0, false, picture); err != nil {
			b.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond) // a camera of two frames a second
	}

	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true))...)
	defer stop()
	page, end := chromedp.NewContext(allocator)
	defer end()
	page, cancel := context.WithTimeout(page, 5*time.Minute)
	defer cancel()
	there := func(what string) func() bool {
		return func() bool {
			yes, err := chromedp.Run(page, chromedp.Evaluate[bool](what))
			return err == nil && yes
		}
	}
	if err := chromedp.Do(page, chromedp.Navigate(url+"/cameras")); err != nil {
		b.Fatal(err)
	}
	for n := 0; n < 20 && !there(`document.querySelector("tr[data-number]") !== null`)(); n++ { // everything is warm
		take(people)
		take(nobody)
	}
	until(b, 2*time.Minute, "the first events are on the page", there(`document.querySelector("tr[data-number]") !== null`))
	if _, err := chromedp.Run(page, chromedp.Evaluate[int](`(window.before = Math.max(...[...document.querySelectorAll("tr[data-number]")].map(r => +r.dataset.number)), 0)`)); err != nil {
		b.Fatal(err)
	}
	if _, err := chromedp.Run(page, chromedp.Evaluate[int](noticeRows)); err != nil {
		b.Fatal(err)
	}
	var took []float64
	for b.Loop() {
		for range 20 {
			take(people)
			for range 3 {
				take(nobody)
			}
		}
		all, err := chromedp.Run(page, chromedp.Evaluate[[]float64](latencies, chromedp.EvalAwaitPromise))
		if err != nil {
			b.Fatal(err)
		}
		took = all
	}
	if len(took) < 10 {
		b.Fatalf("%d events came to the page", len(took))
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "ms-p50")
	b.ReportMetric(took[len(took)*99/100], "ms-p99")
	b.ReportMetric(float64(len(took)), "events")
}
