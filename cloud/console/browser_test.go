package console

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// browser is a Chromium with one page open. What it complains of fails the test.
type browser struct {
	testing.TB
	ctx context.Context
	mu  sync.Mutex
	bad []string
}

func openBrowser(t testing.TB) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium-headless-shell", "chromium", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium is installed: make setup brings Debian's chromium-headless-shell")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true))
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(end)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	b := &browser{TB: t, ctx: ctx}
	b.do(chromedp.Navigate("about:blank"))
	said := chromedp.Console(ctx)
	go func() {
		for m, err := range said {
			if err != nil {
				return
			}
			if m.Type == chromedp.ConsoleWarning || m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleException {
				b.mu.Lock()
				b.bad = append(b.bad, m.Text+" "+m.URL)
				b.mu.Unlock()
			}
		}
	}()
	return b
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.Fatal(err)
	}
}

// ask gives the value of a script.
func ask[T any](b *browser, script string, options ...chromedp.EvaluateOption) T {
	b.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script, options...))
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// until waits until a script is true, on whatever page is open by then.
func (b *browser) until(script string) {
	b.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; {
		yes, err := chromedp.Run(b.ctx, chromedp.Poll[bool](script, chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(5*time.Second)))
		if err == nil && yes {
			return
		}
		if time.Now().After(deadline) || b.ctx.Err() != nil {
			b.Fatalf("%s: %v", script, err)
		}
	}
}

// quiet fails the test if the browser has complained of something since it was asked last.
func (b *browser) quiet(where string) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.bad) > 0 {
		b.Errorf("%s: the browser complains: %s", where, strings.Join(b.bad, "; "))
	}
	b.bad = nil
}

// shoot keeps a picture of the page in $CANVAS_SHOTS, where that is set.
func (b *browser) shoot(name string) {
	b.Helper()
	dir := os.Getenv("CANVAS_SHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644); err != nil {
		b.Fatal(err)
	}
}

// accessible runs axe-core, where set-up has brought it, and fails for serious faults.
func (b *browser) accessible(where string) {
	b.Helper()
	home := os.Getenv("CANVAS_HOME")
	script, err := os.ReadFile(filepath.Join(home, "web", "axe.min.js"))
	if err != nil {
		b.Logf("axe-core is not here: make setup brings it")
		return
	}
	ask[int](b, string(script)+";0")
	faults := ask[[]string](b, `axe.run().then(r => r.violations.filter(v => ["serious", "critical"].includes(v.impact))
		.map(v => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map(n => n.html).join(" | ")))`, chromedp.EvalAwaitPromise)
	for _, f := range faults {
		b.Errorf("%s: %s", where, f)
	}
}

func (b *browser) size(width, height int64, dark bool) {
	b.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	b.do(chromedp.EmulateViewport(width, height))
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	if err != nil {
		b.Fatal(err)
	}
}

func TestPeopleCanUseEveryPageInABrowser(t *testing.T) {
	b := openBrowser(t)
	w := newWorld(t, nil)
	w.fill()
	w.knowLineage()
	pages := []struct{ name, path, shows string }{
		{"overview", "/", ".line"}, {"scenes", "/scenes", ".footprint"}, {"scene", "/scenes/mast-7/alpha", ".mask"}, {"cameras", "/cameras", ".cards"},
		{"camera", "/cameras/mast-7/gate", ".box"}, {"sensors", "/sensors", ".curve"}, {"link", "/link", "table"}, {"cluster", "/cluster", "table"},
		{"letters", "/letters", "table"}, {"letter", "/letters/0/0", "pre"}, {"story", "/story?item=alpha/0_0", "table"}, {"story-choice", "/story", "form"},
	}
	for _, form := range []struct {
		name string
		w, h int64
		dark bool
	}{{"wide", 1280, 900, false}, {"narrow-dark", 390, 844, true}} {
		b.size(form.w, form.h, form.dark)
		for _, p := range pages {
			where := p.name + " " + form.name
			b.do(chromedp.Navigate(w.url + p.path))
			b.until(fmt.Sprintf("document.querySelector(%q) !== null", p.shows))
			if overflow := ask[int](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); overflow > 0 {
				t.Errorf("%s: the page is %d pixels wider than the window", where, overflow)
			}
			b.accessible(where)
			b.shoot(p.name + "-" + form.name)
			b.quiet(where)
		}
	}
}

func TestTheMasksOpacityFollowsTheSlider(t *testing.T) {
	b := openBrowser(t)
	w := newWorld(t, nil)
	w.fill()
	b.do(chromedp.Navigate(w.url + "/scenes/mast-7/alpha"))
	b.until(`document.getElementById("opacity")?.closest(".slider").hidden === false`)
	ask[int](b, `(() => { const s = document.getElementById("opacity"); s.value = 25; s.dispatchEvent(new Event("input")); return 0 })()`)
	opacity := ask[string](b, `getComputedStyle(document.querySelector(".mask")).opacity`)
	ask[int](b, `(document.getElementById("show-grid").click(), 0)`)
	shown := ask[bool](b, `getComputedStyle(document.querySelector(".grid")).display === "block"`)
	if opacity != "0.25" || !shown {
		t.Errorf("opacity %s, tiles shown %v", opacity, shown)
	}
	b.shoot("scene-tiles")
	b.quiet("scene")
}

func TestAnOpenPageShowsWhatComesAndCatchesUpAfterARestart(t *testing.T) {
	b := openBrowser(t)
	w := newWorld(t, func(c *Config) { c.Listen = freeAddress(t) })
	w.fill()
	has := func(text string) string { return fmt.Sprintf("document.body.innerText.includes(%q)", text) }
	b.do(chromedp.Navigate(w.url + "/scenes"))
	b.until(has("alpha"))
	w.putScene("delta", w.start.Add(3*time.Minute))
	b.until(has("delta"))
	b.quiet("scenes")

	w.stop()
	w.putScene("epsilon", w.start.Add(4*time.Minute))
	w.run()
	b.until(has("epsilon"))
}

func TestADeadLetterIsReplayedByAClick(t *testing.T) {
	b := openBrowser(t)
	w := newWorld(t, nil)
	w.putDead(0)
	w.caughtUp()
	b.do(chromedp.Navigate(w.url+"/letters/0/0"), chromedp.Click(chromedp.CSS(`button[value="replay"]`)))
	b.until(`document.querySelector(".line.good") !== null`)
	b.quiet("letter")
	if got := len(w.log.topics["canvas.work"]); got != 1 {
		t.Errorf("%d records in canvas.work", got)
	}
}
