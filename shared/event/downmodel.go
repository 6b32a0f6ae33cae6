package event

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// What a message on down/models is.
const (
	ModelOffer = "offer" // a version that the edge shall run; the empty version is what it came with
	ModelPart  = "part"  // bytes that it asked for
)

// Names of a version's files.
const (
	ModelManifest = "model.yaml"
	ModelGolden   = "golden.json"
	ModelInt8     = "int8.json"
	ModelWeights  = "model.onnx"
)

// DownModel is a message on down/models: a line of JSON, and behind it the bytes of a part.
type DownModel struct {
	Type    string      `json:"type"` // offer, part
	Model   string      `json:"model"`
	Version string      `json:"version"`
	Files   []ModelFile `json:"files,omitempty"`  // of an offer
	File    string      `json:"file,omitempty"`   // of a part: which file …
	Offset  int64       `json:"offset,omitempty"` // … and where in it

	Data []byte `json:"-"`
}

// ModelFile is a file of a version.
type ModelFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // 64 hex digits
}

// PartOfModel is how large a part is at most.
const PartOfModel = 64 << 10

// maxModelHead bounds the line of JSON.
const maxModelHead = 4 << 10

// Marshal is the message's payload.
func (d DownModel) Marshal() ([]byte, error) {
	head, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	return append(append(head, '\n'), d.Data...), nil
}

// ParseDownModel reads the payload of down/models and checks everything that an edge relies on.
func ParseDownModel(payload []byte) (DownModel, error) {
	var d DownModel
	end := bytes.IndexByte(payload[:min(len(payload), maxModelHead)], '\n')
	if end < 0 {
		return d, fmt.Errorf("%w: a model's message without a line of JSON", ErrMalformed)
	}
	if err := json.Unmarshal(payload[:end], &d); err != nil {
		return DownModel{}, fmt.Errorf("%w: a model's message: %w", ErrMalformed, err)
	}
	d.Data = payload[end+1:]
	if err := CheckName(d.Model); err != nil {
		return d, fmt.Errorf("%w: a model's message: model: %w", ErrMalformed, err)
	}
	if d.Version != "" || d.Type == ModelPart {
		if err := CheckName(d.Version); err != nil {
			return d, fmt.Errorf("%w: a model's message: version: %w", ErrMalformed, err)
		}
	}
	switch d.Type {
	case ModelOffer:
		return d, d.checkFiles()
	case ModelPart:
		if !modelFile(d.File) || d.Offset < 0 || len(d.Data) == 0 || len(d.Data) > PartOfModel {
			return d, fmt.Errorf("%w: a part of %d bytes at %d of a model's file %.40q", ErrMalformed, len(d.Data), d.Offset, d.File)
		}
		return d, nil
	}
	return d, fmt.Errorf("%w: a model's message of type %.40q", ErrMalformed, d.Type)
}

func (d DownModel) checkFiles() error {
	if d.Version == "" {
		return nil
	}
	seen := map[string]bool{}
	for _, f := range d.Files {
		if !modelFile(f.Name) || seen[f.Name] || f.Size < 1 || len(f.SHA256) != 64 {
			return fmt.Errorf("%w: an offer with file %.40q of %d bytes and sha256 %.80q", ErrMalformed, f.Name, f.Size, f.SHA256)
		}
		seen[f.Name] = true
	}
	if !seen[ModelManifest] || !seen[ModelWeights] {
		return fmt.Errorf("%w: an offer without %s or %s", ErrIncomplete, ModelManifest, ModelWeights)
	}
	return nil
}

func modelFile(name string) bool {
	return name == ModelManifest || name == ModelGolden || name == ModelInt8 || name == ModelWeights
}
