package config

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

type camera struct {
	Name string  `yaml:"name"`
	URL  string  `yaml:"url"`
	FPS  float64 `yaml:"fps"`
}

func (c *camera) SetDefaults() { c.FPS = 5 }

type sample struct {
	Edge    string            `yaml:"edge"`
	Uplink  uplink            `yaml:"uplink"`
	Cameras []camera          `yaml:"cameras"`
	Labels  map[string]string `yaml:"labels"`
	Brokers []string          `yaml:"brokers"`
}

type uplink struct {
	Window  int           `yaml:"window"`
	Timeout time.Duration `yaml:"timeout"`
}

func (s sample) Problems(add func(field, message, hint string)) {
	for i, c := range s.Cameras {
		if c.URL == "" {
			add("cameras."+string(rune('0'+i))+".url", "is missing", "name a file, rtsp:// address or device")
		}
	}
}

func parse(t *testing.T, text string, environ ...string) (sample, error) {
	t.Helper()
	s := sample{Uplink: uplink{Window: 32, Timeout: 30 * time.Second}}
	err := Parse("edge.yaml", []byte(text), &s, environ)
	return s, err
}

func TestDefaultsStayWhereTheFileIsSilent(t *testing.T) {
	s, err := parse(t, "edge: mast-7\ncameras:\n  - name: gate\n    url: rtsp://x\n")
	if err != nil {
		t.Fatal(err)
	}
	if s.Uplink.Window != 32 || s.Uplink.Timeout != 30*time.Second || s.Cameras[0].FPS != 5 {
		t.Fatalf("%+v", s)
	}
}

func TestVariablesAndOverrides(t *testing.T) {
	s, err := parse(t, "edge: ${NAME:-mast}-${N}\nbrokers: a:1\nuplink: {window: 8}\n", "N=3", "CANVAS_UPLINK_WINDOW=64", "CANVAS_UPLINK_TIMEOUT=1m")
	if err != nil {
		t.Fatal(err)
	}
	if s.Edge != "mast-3" || s.Uplink.Window != 64 || s.Uplink.Timeout != time.Minute || s.Brokers[0] != "a:1" {
		t.Fatalf("%+v", s)
	}
}

func TestEveryMistakeIsToldAtOnceWithItsLine(t *testing.T) {
	_, err := parse(t, "edg: mast\nuplink:\n  window: many\n  timeout: 5\ncameras: 3\nlabels: [a]\n")
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{
		"edge.yaml:1: edg: is not a setting\n    did you mean edge?",
		`edge.yaml:3: uplink.window: is "many", not a whole number`,
		`edge.yaml:4: uplink.timeout: is "5", not a duration` + "\n    write it as timeout: 5s",
		"edge.yaml:5: cameras.0: is \"3\"",
		"edge.yaml:6: labels: is a list",
	} {
		if !strings.Contains(e.Error(), want) {
			t.Errorf("no %q in\n%s", want, e)
		}
	}
}

func TestAProblemFoundByTheConfigurationNamesTheNearestLine(t *testing.T) {
	_, err := parse(t, "cameras:\n  - name: gate\n  - name: yard\n    url: rtsp://x\n")
	if err == nil || !strings.Contains(err.Error(), "edge.yaml:2: cameras.0.url: is missing") {
		t.Fatalf("got %v", err)
	}
}

func TestAnUnsetVariableIsAMistake(t *testing.T) {
	_, err := parse(t, "edge: ${NOBODY}\n")
	if err == nil || !strings.Contains(err.Error(), "NOBODY, which is not set") {
		t.Fatalf("got %v", err)
	}
}

func TestBrokenYAMLNamesItsLine(t *testing.T) {
	_, err := parse(t, "edge: a\nuplink: [\n")
	if !IsMistake(err) || !strings.Contains(err.Error(), "edge.yaml:") {
		t.Fatalf("got %v", err)
	}
}

func FuzzParseNeverPanics(f *testing.F) {
	f.Add("edge: a\ncameras: [{name: x}]\nuplink: {window: 1}")
	f.Add("&a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		var s sample
		_ = Parse("f", []byte(text), &s, nil)
	})
}

type limited struct {
	Window int           `yaml:"window" desc:"messages in flight" range:"1..9"`
	Rest   time.Duration `yaml:"rest" desc:"a rest" range:"0 or 5s..1m"`
	Bytes  int64         `yaml:"bytes" desc:"bytes that may wait" range:"1MiB.."`
	Order  string        `yaml:"order" desc:"what goes first" enum:"oldest, newest"`
	Inner  struct {
		Share *float64 `yaml:"share" desc:"a share" range:"0..1"`
	} `yaml:"inner" desc:"what lies inside"`
}

func TestLimitsAreThoseOfTheTags(t *testing.T) {
	good := limited{Window: 9, Bytes: 32 << 20, Order: "oldest"}
	var told []string
	add := func(field, message, hint string) { told = append(told, field+" "+message+": "+hint) }
	Limits(good, good, add)
	if told != nil {
		t.Errorf("of good settings: %v", told)
	}
	share := 1.5
	bad := limited{Rest: time.Second, Bytes: 5, Order: "any"}
	bad.Inner.Share = &share
	Limits(bad, good, add)
	want := []string{"window is 0, must be 1 to 9: messages in flight; 9 suits most", "rest is 1s, must be 0, or 5s to 1m: a rest; leave it out if in doubt",
		"bytes is 5, must be at least 1 MiB: bytes that may wait; 33554432 (32 MiB) suits most", `order is "any", must be oldest or newest: what goes first; oldest suits most`,
		"inner.share is 1.5, must be 0 to 1: a share; leave it out if in doubt"}
	if !slices.Equal(told, want) {
		t.Errorf("told\n%s\nnot\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
}
