package event

import (
	"bytes"
	"strings"
	"testing"
)

func offer() DownModel {
	sum := strings.Repeat("0", 64)
	return DownModel{Type: ModelOffer, Model: "ship_yolo", Version: "3", Files: []ModelFile{{ModelManifest, 300, sum}, {ModelWeights, 4 << 20, sum}}}
}

func TestMessagesOfModelsComeBackAsTheyWere(t *testing.T) {
	for _, want := range []DownModel{offer(), {Type: ModelOffer, Model: "m"}, {Type: ModelPart, Model: "m", Version: "2", File: ModelWeights, Offset: 65536, Data: []byte("{\n\x00")}} {
		payload, err := want.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseDownModel(payload)
		if err != nil || got.Model != want.Model || got.Version != want.Version || len(got.Files) != len(want.Files) || got.Offset != want.Offset || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%+v: %v, want %+v", got, err, want)
		}
	}
}

func TestMessagesOfModelsThatCouldDoHarmAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*DownModel){
		"a path for a model":       func(d *DownModel) { d.Model = "../../etc" },
		"a path for a version":     func(d *DownModel) { d.Version = "../1" },
		"a file of another name":   func(d *DownModel) { d.Files[0].Name = "../model.yaml" },
		"a file twice":             func(d *DownModel) { d.Files[1].Name = ModelManifest },
		"a file of no size":        func(d *DownModel) { d.Files[1].Size = 0 },
		"no weights":               func(d *DownModel) { d.Files = d.Files[:1] },
		"a type that nobody knows": func(d *DownModel) { d.Type = "install" },
		"a part of nothing":        func(d *DownModel) { d.Type, d.File = ModelPart, ModelWeights },
		"a part before the file":   func(d *DownModel) { d.Type, d.File, d.Offset, d.Data = ModelPart, ModelWeights, -1, []byte("x") },
		"a part that is too large": func(d *DownModel) { d.Type, d.File, d.Data = ModelPart, ModelWeights, make([]byte, PartOfModel+1) },
	} {
		d := offer()
		spoil(&d)
		payload, err := d.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseDownModel(payload); err == nil {
			t.Errorf("%s was taken: %+v", name, got)
		}
	}
}

func FuzzParseDownModel(f *testing.F) {
	good, _ := offer().Marshal()
	f.Add(good)
	f.Add([]byte("{\"type\":\"part\",\"model\":\"m\",\"version\":\"2\",\"file\":\"model.onnx\"}\nbytes"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		d, err := ParseDownModel(payload)
		if err == nil && (strings.Contains(d.Model+d.Version+d.File, "/") || len(d.Data) > len(payload)) {
			t.Errorf("%+v", d)
		}
	})
}
