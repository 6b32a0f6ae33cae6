package firmware

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// rules is the form of Prometheus's rule files.
type rules struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr, For    string
			Labels, Annotations map[string]string
		}
	}
}

// metricNames are those that the programs register, as their sources have them.
func metricNames(t *testing.T) map[string]bool {
	t.Helper()
	literal, outbox := regexp.MustCompile(`"(canvas_[a-z_]+[a-z])"`), regexp.MustCompile(`(counter|gauge)\("([a-z_]+)"`)
	names := map[string]bool{}
	for _, side := range []string{"../edge", "../cloud"} {
		err := filepath.WalkDir(side, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, m := range literal.FindAllSubmatch(text, -1) {
				names[string(m[1])] = true
			}
			for _, m := range outbox.FindAllSubmatch(text, -1) {
				name := "canvas_edge_" + string(m[2])
				if strings.Contains(path, "uplink") {
					name = "canvas_edge_uplink_" + string(m[2])
				}
				if string(m[1]) == "counter" {
					name += "_total"
				}
				names[name] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return names
}

// checkExpr says whether an expression asks only for metrics that exist, and its brackets match.
func checkExpr(t *testing.T, where, expr string, names map[string]bool) {
	t.Helper()
	asked := regexp.MustCompile(`canvas_[a-z_]+`).FindAllString(expr, -1)
	if len(asked) == 0 {
		t.Errorf("%s: %q asks for no metric", where, expr)
	}
	for _, name := range asked {
		if !names[name] && !names[strings.TrimSuffix(name, "_bucket")] {
			t.Errorf("%s: no program tells %s", where, name)
		}
	}
	for _, pair := range []string{"()", "[]", "{}"} {
		if strings.Count(expr, pair[:1]) != strings.Count(expr, pair[1:]) {
			t.Errorf("%s: %q: brackets %s do not match", where, expr, pair)
		}
	}
}

func TestAlertsAskForMetricsThatExistAndSayWhatToDo(t *testing.T) {
	const file = "prometheus/alerts.yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r rules
	if err := yaml.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	names, alerts := metricNames(t), 0
	for _, g := range r.Groups {
		for _, a := range g.Rules {
			alerts++
			checkExpr(t, a.Alert, a.Expr, names)
			if a.Alert == "" || a.Annotations["summary"] == "" || a.Annotations["action"] == "" || a.Labels["severity"] == "" {
				t.Errorf("%s: a rule has a name, a severity, a summary and an action", a.Alert)
			}
		}
	}
	if alerts == 0 {
		t.Error("there is no alert")
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Log("promtool is not here: the rules were read as YAML only")
		return
	}
	if out, err := exec.Command(promtool, "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("promtool: %s", out)
	}
}

func TestTheDashboardAsksForMetricsThatExist(t *testing.T) {
	text, err := os.ReadFile("grafana/canvas.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Title  string
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	names, seen := metricNames(t), map[int]bool{}
	for _, p := range d.Panels {
		if seen[p.ID] || p.Title == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d %q: an id twice, no title, or nothing to show", p.ID, p.Title)
		}
		seen[p.ID] = true
		for _, target := range p.Targets {
			checkExpr(t, p.Title, target.Expr, names)
		}
	}
	if len(d.Panels) == 0 {
		t.Error("the dashboard is empty")
	}
}
