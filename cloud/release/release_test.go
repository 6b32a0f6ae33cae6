package release

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cloudcanvas/cloud/coord/local"
	"cloudcanvas/cloud/store"
	"cloudcanvas/shared/model"
)

// folder is a model's folder with weights that nobody loads.
func folder(t *testing.T, weights string) (model.Model, string) {
	t.Helper()
	repository := t.TempDir()
	dir := filepath.Join(repository, "coast")
	if err := os.MkdirAll(filepath.Join(dir, "1"), 0o755); err != nil {
		t.Fatal(err)
	}
	manifest := "task: segment\ninput: {bands: [green, red], size: [256, 256]}\noutput: {decoder: dense, labels: [water, land]}\n"
	for name, text := range map[string]string{"model.yaml": manifest, "1/model.onnx": weights} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r, err := model.Open(repository)
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Find("coast")
	if err != nil {
		t.Fatal(err, r.Problems())
	}
	return m, dir
}

func newAdmin(t *testing.T) Admin {
	t.Helper()
	s, err := store.Open(t.Context(), "file://"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return Admin{Group: local.NewSpace().Coordinator("admin"), Library: Library{s}, By: "operator"}
}

func publish(t *testing.T, d Admin, weights string) string {
	t.Helper()
	m, dir := folder(t, weights)
	version, err := d.Library.Publish(t.Context(), m, dir)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

func TestAPublishedVersionIsFetchedAsItWas(t *testing.T) {
	d := newAdmin(t)
	if a, b := publish(t, d, "first"), publish(t, d, "second"); a != "2" || b != "3" {
		t.Fatalf("versions %s and %s; 1 is what is shipped", a, b)
	}
	for version, weights := range map[string]string{"2": "first", "3": "second"} {
		dir := t.TempDir()
		m, err := d.Library.Fetch(t.Context(), "coast", version, dir)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(m.Path); err != nil || string(got) != weights || m.Version != version || m.SHA256 == "" {
			t.Errorf("version %s: %q %+v %v", version, got, m, err)
		}
		if err := os.WriteFile(m.Path, []byte("spoiled"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Library.Fetch(t.Context(), "coast", version, dir); !errors.Is(err, ErrBroken) {
			t.Errorf("a spoiled file: %v", err)
		}
	}
	if _, err := d.Library.Fetch(t.Context(), "coast", "9", t.TempDir()); err == nil || errors.Is(err, ErrBroken) {
		t.Errorf("a version that is not there: %v", err)
	}
	for _, version := range []string{"", "x", "../2", "02"} {
		if _, err := d.Library.Fetch(t.Context(), "coast", version, t.TempDir()); err == nil {
			t.Errorf("version %q was fetched", version)
		}
	}
}

func TestPlansChangeAsOperatorsWant(t *testing.T) {
	d := newAdmin(t)
	ctx := t.Context()
	publish(t, d, "first")
	publish(t, d, "second")
	if _, err := d.Canary(ctx, "coast", "7", 0.1); err == nil || !strings.Contains(err.Error(), "publish it first") {
		t.Errorf("a canary that was not published: %v", err)
	}
	for _, share := range []float64{0, -1, 1.1} {
		if _, err := d.Canary(ctx, "coast", "2", share); err == nil {
			t.Errorf("a share of %v", share)
		}
	}
	must := func(p Plan, err error) Plan {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if _, err := d.Rollback(ctx, "coast", ""); err == nil {
		t.Error("there was nothing to take back")
	}
	if p := must(d.Canary(ctx, "coast", "2", 0.25)); p.Canary.Version != "2" || p.Canary.Share != 0.25 || p.Desired != "" {
		t.Errorf("%+v", p)
	}
	if p := must(d.Promote(ctx, "coast", "")); p.Desired != "2" || p.Canary != nil || p.Previous != "" {
		t.Errorf("%+v", p)
	}
	must(d.Canary(ctx, "coast", "3", 0.1))
	if p := must(d.Rollback(ctx, "coast", "odd masks")); p.Desired != "2" || p.Canary != nil || p.Changes[len(p.Changes)-1].Reason != "odd masks" {
		t.Errorf("the canary is taken back first: %+v", p)
	}
	if p := must(d.Promote(ctx, "coast", "3")); p.Desired != "3" || p.Previous != "2" {
		t.Errorf("%+v", p)
	}
	if p := must(d.Rollback(ctx, "coast", "")); p.Desired != "2" {
		t.Errorf("%+v", p)
	}
	rows, err := d.List(ctx)
	if err != nil || len(rows) != 1 || !slices.Equal(rows[0].Versions, []string{"2", "3"}) || len(rows[0].Changes) != 6 {
		t.Errorf("%+v %v", rows, err)
	}
}

func TestOnlyWhatIsWorseThanBeforeIsBlamed(t *testing.T) {
	for _, c := range []struct {
		name       string
		on, before Stats
		want       string
	}{
		{"nothing known", Stats{}, Stats{}, ""},
		{"two failures", Stats{Items: 2, Failed: 2}, Stats{Items: 100}, ""},
		{"many failures", Stats{Items: 20, Failed: 3}, Stats{Items: 100}, "errors rose"},
		{"as before", Stats{Items: 90, Failed: 10}, Stats{Items: 900, Failed: 100}, ""},
		{"slower", Stats{Seconds: map[int]float64{4: 0.21}}, Stats{Seconds: map[int]float64{4: 0.1}}, "latency doubled"},
		{"not twice", Stats{Seconds: map[int]float64{4: 0.19}}, Stats{Seconds: map[int]float64{4: 0.1}}, ""},
		{"small runs are not compared with the mean of large ones", Stats{Seconds: map[int]float64{1: 0.15}}, Stats{Seconds: map[int]float64{8: 0.1}}, ""},
		{"slower than a run of more", Stats{Seconds: map[int]float64{1: 0.25}}, Stats{Seconds: map[int]float64{8: 0.1}}, "latency doubled"},
		{"nothing as large", Stats{Seconds: map[int]float64{8: 9}}, Stats{Seconds: map[int]float64{1: 0.1}}, ""},
	} {
		if got := worse(c.on, c.before); c.want == "" != (got == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestAPlanNeverRunsAVersionItTookBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p Plan
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			version := rapid.SampledFrom([]string{"2", "3", "4"}).Draw(t, "version")
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				p.canary(version, 0.5, Change{})
			case 1:
				p.promote(version, Change{})
			case 2:
				p.rollback(Change{})
			case 3:
				ran := p.Desired == version || p.Canary != nil && p.Canary.Version == version
				before := p.Desired
				if p.retract(version, Change{}) {
					if !ran || p.Canary != nil || before == version && p.Desired == version {
						t.Fatalf("took %s back: %+v", version, p)
					}
				} else if p.Canary != nil && p.Canary.Version == version {
					t.Fatalf("the canary %s was not taken back: %+v", version, p)
				}
			}
			if p.Canary != nil && p.Canary.Version == p.Desired || len(p.Changes) > changesKept {
				t.Fatalf("%+v", p)
			}
			b, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parsePlan("m", b); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzPlans(f *testing.F) {
	f.Add([]byte(`{"desired":"3","canary":{"version":"4","share":0.1}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := parsePlan("m", b); err == nil {
			p.rollback(Change{})
		}
	})
}

// away is an object store that is not there.
type away struct{ Objects }

func (away) Keys(context.Context, string) ([]string, error) { return nil, errors.New("no route") }

func TestAStoreThatIsAwayIsNotTheVersionsFault(t *testing.T) {
	if _, err := (Library{away{}}).Fetch(t.Context(), "coast", "2", t.TempDir()); err == nil || errors.Is(err, ErrBroken) {
		t.Errorf("%v", err)
	}
}
