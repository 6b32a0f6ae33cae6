package worker

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"cloudcanvas/shared/config"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

func TestAPipelineTakesTheKindsAndStreamsThatItNamesAndNoOthers(t *testing.T) {
	s := newStudio(map[string]fakeModel{"small": {colour(GivesBoxes), twoCars}, "large": {colour(GivesBoxes), twoCars}})
	steps := []Step{{Model: "small"}, {Model: "large"}}
	cfg := Config{
		Pipelines: []Pipeline{
			{Name: "gate", Want: "detect", Kinds: []string{"crop"}, Streams: []string{"gate"}, Steps: steps},
			{Name: "any", Want: "detect", Kinds: []string{"frame"}, Steps: steps},
		},
		Models: []Choice{{Want: "detect", Model: "small"}},
	}
	registry, err := NewRegistry(cfg, s)
	if err != nil {
		t.Fatal(err)
	}
	im := vision.Image{W: 1, H: 1, Pix: make([]byte, 3)}
	for _, c := range []struct {
		kind                event.Kind
		stream, asked, name string
	}{{event.Crop, "gate", "", "gate"}, {event.Crop, "door", "", "small"}, {event.Frame, "door", "", "any"}, {event.Crop, "gate", "small", "small"}, {event.Frame, "gate", "gate", "any"}} {
		r, err := registry.Pick(&event.Item{Kind: c.kind, Stream: c.stream, Attrs: event.Attrs{Want: "detect", Model: c.asked}}, &im)
		if err != nil || r.Name != c.name {
			t.Errorf("a %s of %s that asks for %q goes to %+v (%v), want %s", c.kind, c.stream, c.asked, r, err, c.name)
		}
	}
}

func TestPipelinesThatCannotWorkAreRefusedWithAReason(t *testing.T) {
	s := newStudio(map[string]fakeModel{
		"boxes": {colour(GivesBoxes), twoCars}, "mask": {colour(GivesMask), nil}, "words": {colour(GivesWords), nil}, "classes": {colour(GivesClasses), nil},
		"nir": {Needs{Version: "1", Gives: GivesClasses, Bands: []string{"nir"}}, nil},
	})
	for _, c := range []struct{ steps, why string }{
		{"classes boxes", "begin with"}, {"boxes mask", "gives a mask"}, {"boxes words classes", "put it last"}, {"boxes nir", "boxes sees pictures of 8-bit colour"}, {"boxes nosuch", "no such model"},
	} {
		p := Pipeline{Name: "p", Want: "detect"}
		for _, m := range strings.Fields(c.steps) {
			p.Steps = append(p.Steps, Step{Model: m})
		}
		if _, err := NewRegistry(Config{Pipelines: []Pipeline{p}}, s); err == nil || !strings.Contains(err.Error(), c.why) || errors.Is(err, ErrUnfit) != (c.why == "no such model") {
			t.Errorf("%s: %v, want something of %q", c.steps, err, c.why)
		}
	}
}

func TestEveryMistakeOfThePipelinesIsToldWithItsField(t *testing.T) {
	wide := 9.0
	two := []Step{{Model: "a"}, {Model: "b"}}
	cfg := Config{
		Late: "perhaps", MaxAge: -1, ModelsMemoryBytes: -1, Models: []Choice{{Want: "detect", Model: "a"}},
		Pipelines: []Pipeline{
			{Name: "a", Want: "detect", Steps: two},
			{Name: "p", Want: "detect", Steps: two, Kinds: []string{"reading"}, MaxAge: -1},
			{Name: "p", Steps: two[:1]},
			{Name: "q", Want: "detect", Steps: []Step{{Model: "a"}, {MinScore: 2, Accept: -1, Margin: &wide, Most: 1000, MinArea: -1, White: -1}}},
		},
	}
	told := map[string]bool{}
	cfg.Problems(func(field, message, hint string) {
		if message == "" || hint == "" {
			t.Errorf("%s: %q, %q", field, message, hint)
		}
		told[field] = true
	})
	for _, field := range []string{
		"late", "max_age", "models_memory_bytes", "pipelines.0.name", "pipelines.1.kinds", "pipelines.1.max_age", "pipelines.2.name", "pipelines.2.want", "pipelines.2.steps",
		"pipelines.3.steps.1.model", "pipelines.3.steps.1.min_score", "pipelines.3.steps.1.accept", "pipelines.3.steps.1.margin", "pipelines.3.steps.1.most",
		"pipelines.3.steps.1.min_area", "pipelines.3.steps.1.white",
	} {
		if !told[field] {
			t.Errorf("nothing is said of %s", field)
		}
		delete(told, field)
	}
	if len(told) > 0 {
		t.Errorf("said without need: %v", told)
	}
}

// documented is a document's settings of a worker.
type documented struct {
	Worker Config `yaml:"worker"`
}

func (s *documented) Problems(add func(field, message, hint string)) { s.Worker.Problems(add) }

func TestTheDocumentsSampleIsAGoodConfiguration(t *testing.T) {
	text, err := os.ReadFile("../../docs/pipelines.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	block, _, ok := strings.Cut(rest, "```")
	var s documented
	if err := config.Parse("docs/pipelines.md", []byte(block), &s, nil); err != nil || !ok {
		t.Fatal(err)
	}
	step := s.Worker.Pipelines[0].Steps[1]
	if len(s.Worker.Pipelines) != 2 || step.Margin == nil || *step.Margin != 0.2 || !slices.Equal(step.Labels, []string{"car", "truck", "bus"}) {
		t.Errorf("%+v", s.Worker.Pipelines)
	}
}
