package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudcanvas/cloud/coord/local"
	"cloudcanvas/cloud/release"
	"cloudcanvas/cloud/store"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

// weighed is a version of the model "six" whose weights say how it behaves.
type weighed struct {
	*world
	how string
}

func (n weighed) Run(ctx context.Context, in []vision.Image) ([]vision.Output, error) {
	switch n.how {
	case "fails":
		return nil, errors.New("it does not like anything")
	case "slow":
		time.Sleep(time.Duration(len(in)) * 12 * time.Millisecond)
	}
	time.Sleep(time.Duration(len(in)) * 2 * time.Millisecond)
	return n.world.Run(ctx, in)
}

// board is the registry as a release.Stage.
type board struct {
	*Registry
	world *world
}

func (b board) Add(ctx context.Context, name, version string, m model.Model) error {
	weights, err := os.ReadFile(m.Path)
	if err != nil {
		return err
	}
	return b.Registry.Add(ctx, name, Needs{Version: version, Bands: m.Input.Bands}, func(context.Context) (Network, error) {
		if string(weights) == "broken" {
			return nil, errors.New("the engine disagrees with the golden case")
		}
		return weighed{b.world, string(weights)}, nil
	})
}

func (b board) Stats(name, version string) release.Stats {
	return release.Stats(b.Registry.Stats(name, version))
}

// shop is a worker under load whose models are changed.
type shop struct {
	*world
	t     *testing.T
	admin release.Admin
	made  int
}

func openShop(t *testing.T) *shop {
	t.Helper()
	w := newWorld()
	objects, err := store.Open(t.Context(), "file://"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	space := local.NewSpace()
	s := &shop{world: w, t: t, admin: release.Admin{Group: space.Coordinator("desk"), Library: release.Library{Objects: objects}, By: "operator"}}
	worker := w.worker(t, Config{BatchItems: 4, Models: []Choice{{Want: "segment", Model: "six"}}}, Fixed{0})
	six := worker.Models.models["six"].shipped
	six.open = func(context.Context) (Network, error) { return weighed{w, "good"}, nil }
	follower := release.Follower{
		Group: space.Coordinator("worker"), Library: s.admin.Library, Stage: board{worker.Models, w}, Dir: t.TempDir(), By: "worker",
		Look: 5 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	}
	ctx, cancel := context.WithCancel(t.Context())
	var following sync.WaitGroup
	following.Go(func() { follower.Run(ctx, "six") })
	stop := start(t, worker)
	t.Cleanup(func() {
		cancel()
		following.Wait()
		stop()
		objects.Close()
	})
	return s
}

func (s *shop) publish(weights string) string {
	s.t.Helper()
	repository := s.t.TempDir()
	dir := filepath.Join(repository, "six")
	if err := os.MkdirAll(filepath.Join(dir, "1"), 0o755); err != nil {
		s.t.Fatal(err)
	}
	manifest := "task: segment\ninput: {bands: [blue, green, red, nir, swir16, swir22], size: [256, 256]}\noutput: {decoder: dense, labels: [clear, cloud]}\n"
	for name, text := range map[string]string{"model.yaml": manifest, "1/model.onnx": weights} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
	r, err := model.Open(repository)
	if err != nil {
		s.t.Fatal(err)
	}
	m, err := r.Find("six")
	if err != nil {
		s.t.Fatal(err)
	}
	version, err := s.admin.Library.Publish(s.t.Context(), m, dir)
	if err != nil {
		s.t.Fatal(err)
	}
	return version
}

// load puts items until done says that it is enough, never many more than are worked off.
func (s *shop) load(what string, done func() bool) {
	s.t.Helper()
	for late := time.Now().Add(2 * time.Minute); !done(); {
		if time.Now().After(late) {
			s.t.Fatalf("waited in vain for: %s", what)
		}
		for range 8 {
			s.put(0, tile(s.made, ""))
			s.made++
		}
		upTo := int64(s.made - 8)
		s.until(s.t, "the load is worked off", func() bool { return s.offsets[0] >= upTo })
	}
}

// seen is how many of the results each version gave.
func (s *shop) seen() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[string]int{}
	for _, r := range s.results {
		n[r.Attrs.ModelVersion]++
	}
	return n
}

func (s *shop) plan() release.Plan {
	s.t.Helper()
	rows, err := s.admin.List(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return rows[0].Plan
}

// nothingFailed checks that each item has one result, and none is a dead letter.
func (s *shop) nothingFailed() {
	s.t.Helper()
	s.until(s.t, "all is done", func() bool { return s.offsets[0] == int64(s.made) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.deadLetters) != 0 || len(s.results) != s.made {
		s.t.Errorf("%d results and %d dead letters of %d items", len(s.results), len(s.deadLetters), s.made)
	}
}

func TestAVersionIsPromotedUnderLoadWithoutAFailedItem(t *testing.T) {
	s := openShop(t)
	s.load("the shipped version", func() bool { return s.seen()["1"] > 0 })
	two := s.publish("good, too")
	if _, err := s.admin.Canary(t.Context(), "six", two, 0.3); err != nil {
		t.Fatal(err)
	}
	s.load("the canary", func() bool { return s.seen()[two] > 0 })
	from := s.made
	s.load("a fair share", func() bool { return s.made > from+400 })
	s.mu.Lock()
	canary, all := 0, 0
	for _, r := range s.results {
		var n int
		if fmt.Sscanf(r.Subject, "s1/%d_0", &n); n < from {
			continue
		}
		if all++; r.Attrs.ModelVersion == two {
			canary++
		}
	}
	s.mu.Unlock()
	if share := float64(canary) / float64(all); share < 0.2 || share > 0.4 {
		t.Errorf("the canary saw %.2f of the items, want 0.3: %+v", share, s.plan())
	}
	if _, err := s.admin.Promote(t.Context(), "six", ""); err != nil {
		t.Fatal(err)
	}
	before := s.seen()["1"]
	s.load("only the new version", func() bool {
		n := s.seen()
		same := n["1"] == before
		before = n["1"]
		return same && n[two] > canary+50
	})
	s.nothingFailed()
	if p := s.plan(); p.Desired != two || p.Canary != nil {
		t.Errorf("%+v", p)
	}
}

func TestABrokenVersionIsTakenBackByItselfAndCostsNoItem(t *testing.T) {
	for _, c := range []struct {
		weights, reason string
		promote         bool
	}{
		{"broken", "golden case", false}, {"broken", "golden case", true},
		{"fails", "errors rose", false}, {"fails", "errors rose", true},
		{"slow", "latency doubled", false}, {"slow", "latency doubled", true},
	} {
		t.Run(fmt.Sprintf("%s, promoted %v", c.weights, c.promote), func(t *testing.T) {
			t.Parallel()
			s := openShop(t)
			from := 40
			s.load("the shipped version's figures", func() bool { return s.seen()["1"] > from })
			version := s.publish(c.weights)
			var err error
			if c.promote {
				_, err = s.admin.Promote(t.Context(), "six", version)
			} else {
				_, err = s.admin.Canary(t.Context(), "six", version, 0.5)
			}
			if err != nil {
				t.Fatal(err)
			}
			s.load("the rollback", func() bool { p := s.plan(); return p.Desired == "" && p.Canary == nil })
			changes := s.plan().Changes
			if last := changes[len(changes)-1]; last.What != "rollback" || last.Version != version || last.By != "worker" || !strings.Contains(last.Reason, c.reason) {
				t.Errorf("the last change is %+v", last)
			}
			s.nothingFailed()
		})
	}
}

func TestAnItemsLotIsItsOwnAndLotsAreEven(t *testing.T) {
	tenths := [10]int{}
	for n := range 10_000 {
		id := tile(n, "").ID
		if unitHash(id) != unitHash(id) || unitHash(id) < 0 || unitHash(id) >= 1 {
			t.Fatalf("lot %v", unitHash(id))
		}
		tenths[int(unitHash(id)*10)]++
	}
	for n, count := range tenths {
		if count < 850 || count > 1150 {
			t.Errorf("%d of 10000 lots are in tenth %d", count, n)
		}
	}
}
