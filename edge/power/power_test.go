package power

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// device is a made-up sysfs.
type device string

func (d device) write(t testing.TB, path, text string) {
	t.Helper()
	path = filepath.Join(string(d), path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func (d device) zone(t testing.TB, n int, name, temp string) {
	d.write(t, fmt.Sprintf("sys/class/thermal/thermal_zone%d/type", n), name+"\n")
	d.write(t, fmt.Sprintf("sys/class/thermal/thermal_zone%d/temp", n), temp)
}

func watch(d device, change func(*Config)) *Watch {
	c := DefaultConfig()
	c.Root = string(d)
	if change != nil {
		change(&c)
	}
	return New(c, slog.New(slog.DiscardHandler))
}

func TestTheShareFollowsTheHeatInStepsWithHysteresis(t *testing.T) {
	d := device(t.TempDir())
	d.zone(t, 0, "cpu-thermal", "40000\n")
	w := watch(d, nil)
	for i, c := range []struct {
		celsius float64
		share   float64
	}{{79.9, 1}, {80, 0.5}, {79, 0.5}, {75.1, 0.5}, {74.9, 1}, {79, 1}, {94, 0.1}, {89, 0.1}, {87.9, 0.25}, {80, 0.5}, {60, 1}, {94, 0.1}, {60, 1}} {
		d.zone(t, 1, "gpu-thermal", fmt.Sprintf("%.0f\n", c.celsius*1000))
		if w.Read(); w.Share() != c.share || w.State().Zone != "gpu-thermal" {
			t.Errorf("look %d at %v °C: %+v", i, c.celsius, w.State())
		}
	}
}

func TestOnlyNamedZonesCountWhereSomeAreNamed(t *testing.T) {
	d := device(t.TempDir())
	d.zone(t, 0, "tj-thermal", "50000\n")
	d.zone(t, 1, "PMIC-Die", "100000\n") // a fixed value on some boards
	w := watch(d, func(c *Config) { c.Zones = []string{"tj-thermal"} })
	if w.Read(); w.Share() != 1 || w.State().Celsius != 50 {
		t.Errorf("%+v", w.State())
	}
}

func TestAPowerModeBoundsTheShare(t *testing.T) {
	d := device(t.TempDir())
	d.zone(t, 0, "cpu", "30000")
	w := watch(d, func(c *Config) { c.Modes = []Mode{{Mode: 2, Share: 0.3}} })
	for _, c := range []struct {
		status string
		share  float64
		known  bool
	}{{"pmode:0002\n", 0.3, true}, {"pmode:0000 fmode:quiet", 1, false}, {"pmode:0000\n", 1, true}, {"rubbish", 1, false}, {"pmode:-1", 1, false}, {"", 1, false}} {
		d.write(t, "var/lib/nvpmodel/status", c.status)
		if w.Read(); w.Share() != c.share || (w.State().Mode != nil) != c.known {
			t.Errorf("%q: %+v", c.status, w.State())
		}
	}
	d.write(t, "var/lib/nvpmodel/status", "pmode:0002\n")
	d.zone(t, 0, "cpu", "95000")
	if w.Read(); w.Share() != 0.1 {
		t.Errorf("hot in that mode: %+v", w.State())
	}
}

func TestHeatThatCantBeReadIsNotTakenForCold(t *testing.T) {
	d := device(t.TempDir())
	w := watch(d, nil)
	if w.Read(); w.Share() != 1 || w.State().Problem == "" {
		t.Errorf("nothing there: %+v", w.State())
	}
	d.zone(t, 0, "cpu", "90000")
	w.Read()
	for _, rubbish := range []string{"", "hot", "-256000", "999999999999", "300000", strings.Repeat("9", 10_000)} {
		d.zone(t, 0, "cpu", rubbish)
		if w.Read(); w.Share() != 0.25 || w.State().Problem == "" {
			t.Errorf("%.20q: %+v", rubbish, w.State())
		}
	}
	if err := os.RemoveAll(string(d)); err != nil {
		t.Fatal(err)
	}
	if w.Read(); w.Share() != 0.25 {
		t.Errorf("all gone: %+v", w.State())
	}
}

func TestNoWatchAllowsEverything(t *testing.T) {
	var w *Watch
	if w.Share() != 1 || w.State().Share != 1 {
		t.Errorf("%+v", w.State())
	}
}

func TestAWatchLooksAgainAndAgain(t *testing.T) {
	d := device(t.TempDir())
	d.zone(t, 0, "cpu", "30000")
	synctest.Test(t, func(t *testing.T) {
		w := watch(d, nil)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()
		synctest.Wait()
		if w.State().Celsius != 30 {
			t.Errorf("at the start: %+v", w.State())
		}
		d.zone(t, 0, "cpu", "81000")
		time.Sleep(6 * time.Second)
		if w.Share() != 0.5 {
			t.Errorf("later: %+v", w.State())
		}
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// TestStepsAreBoundedByTheHeatAndTheHysteresis holds the step against what it must be.
func TestStepsAreBoundedByTheHeatAndTheHysteresis(t *testing.T) {
	c := DefaultConfig()
	cooler := func(by float64) Config {
		o := c
		o.Steps = slices.Clone(c.Steps)
		for i := range o.Steps {
			o.Steps[i].Celsius -= by
		}
		return o
	}
	rapid.Check(t, func(t *rapid.T) {
		step := -1
		for _, celsius := range rapid.SliceOf(rapid.Float64Range(20, 110)).Draw(t, "heat") {
			step = c.next(step, celsius)
			least := c.next(-1, celsius)
			most := cooler(c.Hysteresis).next(-1, celsius)
			if step < least || step > most {
				t.Fatalf("step %d at %v °C, want %d to %d", step, celsius, least, most)
			}
		}
	})
}

func TestConfigurationMistakesAreAllNamed(t *testing.T) {
	c := DefaultConfig()
	c.Enabled, c.Root, c.Every, c.Hysteresis = true, "", 0, -1
	c.Steps = []Step{{80, 2}, {70, 0.1}, {5000, 0.1}}
	c.Modes = []Mode{{1, -1}}
	var fields []string
	c.Problems(func(field, _, _ string) { fields = append(fields, field) })
	if got := strings.Join(fields, " "); got != "root every hysteresis steps.0.share steps.1 steps.2.celsius modes.0.share" {
		t.Error(got)
	}
	DefaultConfig().Problems(func(field, message, _ string) { t.Errorf("default %s: %s", field, message) })
}

func FuzzParseMode(f *testing.F) {
	f.Add("pmode:0002")
	f.Fuzz(func(t *testing.T, text string) {
		if mode, ok := parseMode(text); ok && (mode < 0 || !strings.HasPrefix(text, "pmode:")) {
			t.Errorf("%q is mode %d", text, mode)
		}
	})
}
