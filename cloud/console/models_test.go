package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"cloudcanvas/cloud/console/live"
	"cloudcanvas/cloud/coord/local"
	"cloudcanvas/cloud/release"
	"cloudcanvas/cloud/store"
	"cloudcanvas/shared/model"
)

// cluster are the models of a cluster with a coordinator in memory, by the cloud's own administration.
type cluster struct {
	release.Admin
	away error
}

// newCluster has the model coast as versions 2 and 3, of which 2 was promoted by somebody else.
func newCluster(t testing.TB) *cluster {
	t.Helper()
	objects, err := store.Open(t.Context(), "file://"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { objects.Close() })
	c := &cluster{Admin: release.Admin{Group: local.NewSpace().Coordinator("console"), Library: release.Library{Objects: objects}, By: "worker-1"}}
	for _, weights := range []string{"first", "second"} {
		repository := t.TempDir()
		dir := filepath.Join(repository, "coast")
		if err := os.MkdirAll(filepath.Join(dir, "1"), 0o755); err != nil {
			t.Fatal(err)
		}
		manifest := "task: segment\ninput: {bands: [green, red], size: [256, 256]}\noutput: {decoder: dense, labels: [water, land]}\n"
		if err := errors.Join(os.WriteFile(filepath.Join(dir, "model.yaml"), []byte(manifest), 0o644), os.WriteFile(filepath.Join(dir, "1", "model.onnx"), []byte(weights), 0o644)); err != nil {
			t.Fatal(err)
		}
		r, err := model.Open(repository)
		if err != nil {
			t.Fatal(err)
		}
		m, err := r.Find("coast")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Library.Publish(t.Context(), m, dir); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Admin.Promote(t.Context(), "coast", "2"); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cluster) Models(ctx context.Context) ([]live.Model, error) {
	if c.away != nil {
		return nil, c.away
	}
	rows, err := c.List(ctx)
	all := []live.Model{}
	for _, r := range rows {
		m := live.Model{Name: r.Name, Versions: r.Versions, Desired: r.Desired, Previous: r.Previous, Running: map[string]int{"2": 1}}
		if r.Canary != nil {
			m.Canary = &live.ModelCanary{Version: r.Canary.Version, Share: r.Canary.Share, Since: r.Canary.Since}
		}
		for _, x := range slices.Backward(r.Changes) {
			m.Changes = append(m.Changes, live.ModelChange{Time: x.At, Action: x.What, Version: x.Version, Who: x.By, Reason: x.Reason})
		}
		all = append(all, m)
	}
	return all, err
}

func (c *cluster) Canary(ctx context.Context, who, name, version string, share float64) error {
	c.By = who
	_, err := c.Admin.Canary(ctx, name, version, share)
	return refusedAs(err)
}

func (c *cluster) Promote(ctx context.Context, who, name, version string) error {
	c.By = who
	_, err := c.Admin.Promote(ctx, name, version)
	return refusedAs(err)
}

func (c *cluster) Rollback(ctx context.Context, who, name, reason string) error {
	c.By = who
	_, err := c.Admin.Rollback(ctx, name, reason)
	return refusedAs(err)
}

func refusedAs(err error) error {
	if errors.As(err, new(release.Refused)) {
		return fmt.Errorf("%w: %w", live.ErrRefused, err)
	}
	return err
}

// plan is what stands in the coordinator.
func (c *cluster) plan(t testing.TB) release.Plan {
	t.Helper()
	rows, err := c.List(t.Context())
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	return rows[0].Plan
}

func TestAPressedCanaryStandsInTheCoordinatorAndIsPromotedAndTakenBack(t *testing.T) {
	b := openBrowser(t)
	w := newWorld(t, nil)
	w.fill()
	desired := func() string { return w.models.plan(t).Desired }
	b.do(chromedp.Navigate(w.url + "/cluster"))
	b.until(`document.querySelector("button[value=canary]") !== null`)
	ask[int](b, `(document.querySelector("input[name=share]").value = "25", document.querySelector("select[name=version]").value = "3", document.querySelector("button[value=canary]").click(), 0)`)
	b.until(`document.body.innerText.includes("sees 25 %")`)
	if p := w.models.plan(t); p.Canary == nil || p.Canary.Version != "3" || p.Canary.Share != 0.25 || p.Desired != "2" {
		t.Fatalf("the coordinator has %+v", p)
	}
	b.shoot("cluster-canary")
	b.accessible("cluster with a canary")

	ask[int](b, `(document.querySelector("button[value=promote]").click(), 0)`)
	b.until(`document.querySelector(".model strong")?.innerText === "version 3"`)
	if desired() != "3" {
		t.Fatalf("the coordinator wants %s", desired())
	}
	ask[int](b, `(document.querySelector("input[name=reason]").value = "<b>coasts</b> are missed", document.querySelector("button[value=rollback]").click(), 0)`)
	b.until(`document.querySelector(".model .line.warn")?.innerText.includes("<b>coasts</b> are missed")`)
	if desired() != "2" {
		t.Errorf("the coordinator wants %s", desired())
	}
	b.quiet("cluster")
	var acts []string
	for _, a := range w.console.audit.About("model ", 10) {
		acts = append(acts, a.Action+" "+a.What+": "+a.Detail)
	}
	want := []string{"rollback model coast: <b>coasts</b> are missed", "promote model coast: ", "canary model coast: version 3 for 25 % of the items"}
	if !slices.Equal(acts, want) {
		t.Errorf("the audit has %q", acts)
	}
}

func TestOnlyOperatorsChangeModels(t *testing.T) {
	file, viewer, operator := letIn(t)
	w := newWorld(t, func(c *Config) { c.TokensFile = file })
	post := func(token, path, media, body string, change func(*http.Request)) (int, string) {
		r, err := http.NewRequest(http.MethodPost, w.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", media)
		r.Header.Set("Authorization", "Bearer "+token)
		if change != nil {
			change(r)
		}
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		said, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(said)
	}
	const form, plain = "application/x-www-form-urlencoded", "application/json"
	canary := url.Values{"action": {"canary"}, "version": {"3"}, "share": {"10"}}.Encode()
	foreign := func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }
	for _, c := range []struct {
		name, token, path, media, body string
		change                         func(*http.Request)
		want                           int
	}{
		{"the viewer's form", viewer, "/cluster/models/coast", form, canary, nil, 403},
		{"the viewer's program", viewer, "/api/v1/models/coast", plain, `{"action":"promote","version":"3"}`, nil, 403},
		{"another website's form", operator, "/cluster/models/coast", form, canary, foreign, 403},
		{"no share", operator, "/cluster/models/coast", form, "action=canary&version=3&share=much", nil, 400},
		{"a share of nothing", operator, "/cluster/models/coast", form, "action=canary&version=3&share=0", nil, 400},
		{"a share of NaN", operator, "/cluster/models/coast", form, "action=canary&version=3&share=NaN", nil, 400},
		{"no action", operator, "/api/v1/models/coast", plain, `{}`, nil, 400}, {"no JSON", operator, "/api/v1/models/coast", plain, `x`, nil, 400},
		{"an unknown model", operator, "/api/v1/models/..%2fx", plain, `{"action":"promote","version":"3"}`, nil, 404},
		{"a version that was not published", operator, "/api/v1/models/coast", plain, `{"action":"promote","version":"9"}`, nil, 409},
		{"what runs already", operator, "/api/v1/models/coast", plain, `{"action":"promote","version":"2"}`, nil, 409},
	} {
		if status, body := post(c.token, c.path, c.media, c.body, c.change); status != c.want {
			t.Errorf("%s: %d, want %d: %s", c.name, status, c.want, body)
		}
	}
	if p := w.models.plan(t); p.Canary != nil || p.Desired != "2" {
		t.Fatalf("something was changed: %+v", p)
	}
	if status, body := post(operator, "/api/v1/models/coast", plain, `{"action":"canary","version":"3","share":0.1}`, nil); status != 200 || !strings.Contains(body, `"share":0.1`) {
		t.Errorf("the operator's canary: %d %s", status, body)
	}
	if p := w.models.plan(t); p.Canary == nil || p.Changes[len(p.Changes)-1].By != "otto" {
		t.Errorf("the coordinator has %+v", p)
	}
	if acts := w.console.audit.About("model ", 10); len(acts) != 5 || acts[0].Action != "canary" || acts[1].Action != "promote failed" {
		t.Errorf("the audit has %+v", acts)
	}
}

func TestTheClusterPageStaysWhileModelsAreNotKnown(t *testing.T) {
	w := newWorld(t, nil)
	w.models.away = errors.New("zookeeper: no answer")
	status, body := w.get("/cluster")
	if status != http.StatusOK || !strings.Contains(body, "zookeeper: no answer") || !strings.Contains(body, "worker-1") {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := w.get("/api/v1/models"); status != http.StatusServiceUnavailable {
		t.Errorf("the API answers %d", status)
	}
}
