package model

import (
	"os"
	"strings"
	"testing"
)

const good = `name: ship
task: detect
input:
  colour: rgb
  size: [640, 640]
  fit: centre
  pad: 114
  std: [255]
output:
  decoder: ultralytics
  labels: [boat, buoy]
`

func TestAShortManifestIsFilledIn(t *testing.T) {
	m, err := Parse("model.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if m.Output.ScoreFloor != 0.05 || m.Output.NMSIoU != 0.45 || m.Output.Report != 0.3 || m.Input.Scale != 1 || m.Input.Layout != "nchw" || m.Input.Batch != 1 || m.Golden != "golden.json" {
		t.Fatalf("%+v", m)
	}
	if scale, offset := m.Input.Affine(2); scale != 1.0/255 || offset != 0 {
		t.Fatalf("v*%g + %g", scale, offset)
	}
}

func TestEveryMistakeIsToldWithItsLineAndAHint(t *testing.T) {
	for name, c := range map[string]struct {
		yaml string
		want []string
	}{
		"a typo":             {strings.Replace(good, "  pad:", "  padd:", 1), []string{`model.yaml:7: unknown field "input.padd"; did you mean "pad"?`}},
		"a stray field":      {good + "colour: rgb\n", []string{`model.yaml:12: unknown field "colour"`, "docs/models.md"}},
		"a field twice":      {good + "task: detect\n", []string{"model.yaml", `"task"`}},
		"a wrong kind":       {strings.Replace(good, "[640, 640]", "large", 1), []string{"line 5", "cannot unmarshal"}},
		"several at once":    {strings.NewReplacer("detect", "find", "rgb", "hsv", "centre", "middle").Replace(good), []string{"model.yaml:2: task", "model.yaml:4: input.colour", "model.yaml:6: input.fit"}},
		"no size":            {strings.Replace(good, "size: [640, 640]", "layout: nchw", 1), []string{"model.yaml:3: input.size is missing", "multiple_of"}},
		"two sizes":          {strings.Replace(good, "  fit", "  multiple_of: 32\n  fit: stretch #", 1), []string{"input.multiple_of contradicts size"}},
		"a decoder's task":   {strings.Replace(good, "ultralytics", "dense", 1), []string{`"dense" does not serve task detect`}},
		"text":               {strings.Replace(good, "detect", "text", 1), []string{`"ultralytics" does not serve task text`}},
		"bands and colour":   {strings.Replace(good, "colour", "bands: [red]\n  colour", 1), []string{"either bands or colour"}},
		"resized bands":      {strings.Replace(good, "colour: rgb", "bands: [red]", 1), []string{`input.fit "centre" is not for bands`}},
		"mean of other size": {strings.Replace(good, "std: [255]", "mean: [1, 2]", 1), []string{"for 3 channels"}},
		"division by zero":   {strings.Replace(good, "[255]", "[0]", 1), []string{"input.std is zero"}},
		"no labels":          {strings.Replace(good, "  labels: [boat, buoy]\n", "", 1), []string{"output.labels is missing"}},
		"a plain address":    {good + "fetch: {url: http://x/y.onnx}\n", []string{"fetch.url", "https", "sha256 is missing"}},
		"a vague package":    {good + "sha256: " + strings.Repeat("0", 64) + "\nfetch: {package: ship}\n", []string{"exact version"}},
		"a short checksum":   {good + "sha256: abc\n", []string{"sha256sum"}},
		"a path for golden":  {good + "golden: ../x.json\n", []string{"beside model.yaml"}},
		"a name with a path": {strings.Replace(good, "name: ship", "name: ../ship", 1), []string{"model.yaml:1: name"}},
		"a floor of 2":       {good + "  score_floor: 2\n", []string{"output.score_floor 2 is out of range"}},
		"a half class map":   {"name: a\ntask: segment\ninput: {bands: [red], size: [8, 8]}\noutput: {decoder: dense, choose: threshold, class_map: [1, 2, 3]}\n", []string{"[0, 2]"}},
		"nothing":            {"", []string{"empty"}},
		"a list":             {"- a\n", []string{"no mapping"}},
		"no YAML":            {"\tx: [", []string{"is not YAML"}},
	} {
		_, err := Parse("model.yaml", []byte(c.yaml))
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, should say %q", name, err, want)
			}
		}
	}
}

func TestTheManualsExamplesAreRight(t *testing.T) {
	data, err := os.ReadFile("../../docs/models.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := 0
	for i, block := range strings.Split(string(data), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		if !strings.HasPrefix(block, "name:") {
			continue // an excerpt
		}
		examples++
		if _, err := Parse("docs/models.md", []byte(block)); err != nil {
			t.Errorf("example %d: %v", i+1, err)
		}
	}
	if examples < 4 {
		t.Errorf("only %d whole examples", examples)
	}
	for field := range strings.FieldsSeq("name task description licence source sha256 builtin golden fetch.package fetch.file fetch.url " +
		"input.bands input.colour input.size input.multiple_of input.max_side input.scale input.mean input.std input.fit input.pad input.void input.layout input.batch " +
		"output.decoder output.labels output.tensors output.strides output.score_floor output.report output.nms_iou output.top output.class_map output.activation output.choose output.threshold") {
		if !strings.Contains(string(data), "`"+field+"`") {
			t.Errorf("docs/models.md does not explain %s", field)
		}
	}
}

func TestCOCOLabelsHaveTheirOfficialIds(t *testing.T) {
	m := Manifest{Output: Output{Labels: COCOLabels()}}
	ids := m.CategoryIDs()
	if len(ids) != 80 {
		t.Fatalf("%d labels", len(ids))
	}
	for label, id := range map[string]int{"person": 1, "car": 3, "fire hydrant": 11, "stop sign": 13, "backpack": 27, "handbag": 31, "wine glass": 46, "dining table": 67, "toilet": 70, "tv": 72, "refrigerator": 82, "book": 84, "toothbrush": 90} {
		for i, l := range m.Output.Labels {
			if l == label && ids[i] != id {
				t.Errorf("%s is %d, should be %d", label, ids[i], id)
			}
		}
	}
	if ids := (Manifest{Output: Output{Labels: []string{"car", "person"}}}).CategoryIDs(); ids[0] != 3 || ids[1] != 1 {
		t.Errorf("some of COCO's labels: %v", ids)
	}
	if ids := (Manifest{Output: Output{Labels: []string{"person", "buoy"}}}).CategoryIDs(); ids[0] != 1 || ids[1] != 2 {
		t.Errorf("other labels: %v", ids)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("name: {a: [b]}\ninput: 3\n"))
	f.Add([]byte("input: {mean: [1,2], bands: [red]}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := Parse("model.yaml", data); err == nil {
			for c := range m.Input.Channels() { // nothing that a manifest lets pass may panic later
				m.Input.Affine(c)
			}
		}
	})
}
