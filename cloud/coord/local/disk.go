package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"cloudcanvas/cloud/coord"
)

// kept is what outlives the process: what owners noted and did not take back, and what members wrote for
// each other. Who is there and who owns what ends with the process.
type kept struct {
	Epoch coord.Epoch             `json:"epoch"`
	Notes map[string]string       `json:"notes"`
	Docs  map[string]keptDocument `json:"documents"`
}

type keptDocument struct {
	Value   []byte `json:"value"`
	Version int64  `json:"version"`
}

// mostKept bounds the file that is read at the start.
const mostKept = 64 << 20

// OpenSpace makes a space whose notes and documents are kept in a folder. It is one process's at a time.
// What can't be read is moved aside: a coordinator that does not start helps nobody.
func OpenSpace(dir string) (*Space, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the coordinator's folder: %w", err)
	}
	s := NewSpace()
	s.file = filepath.Join(dir, "coordinator.json")
	info, err := os.Stat(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	var b []byte
	if err == nil && info.Size() <= mostKept {
		b, err = os.ReadFile(s.file)
	}
	if err != nil {
		return nil, fmt.Errorf("open the coordinator's file: %w", err)
	}
	var k kept
	if err := json.Unmarshal(b, &k); err != nil {
		if err := os.Rename(s.file, s.file+".unreadable"); err != nil {
			return nil, fmt.Errorf("move an unreadable coordinator's file aside: %w", err)
		}
		return s, nil
	}
	s.epoch = k.Epoch
	for key, note := range k.Notes {
		s.notes[key] = note
	}
	for name, d := range k.Docs {
		s.docs[name] = document{d.Value, d.Version}
	}
	return s, nil
}

// keep writes what outlives the process. The caller holds mu. Owners note when they begin, when they leave,
// and each item that is tried alone: that is seldom enough for a file that is written anew.
func (s *Space) keep() error {
	if s.file == "" {
		return nil
	}
	k := kept{Epoch: s.epoch, Notes: map[string]string{}, Docs: map[string]keptDocument{}}
	for key, note := range s.notes {
		if note != "" {
			k.Notes[key] = note
		}
	}
	for name, d := range s.docs {
		k.Docs[name] = keptDocument{d.value, d.version}
	}
	b, err := json.Marshal(k)
	if err == nil {
		err = renameio.WriteFile(s.file, b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep what the coordinator knows: %w", err)
	}
	return nil
}
