package edge

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/google/renameio/v2"

	"cloudcanvas/edge/capture"
)

// shelf knows which file each scene was read from and how it was cut, so that a tile that was left
// out can still be had while the file is there. It is a small JSON file, replaced as a whole.
type shelf struct {
	path string
	mu   sync.Mutex
	list []shelved // oldest first
}

type shelved struct {
	Scene   string               `json:"scene"`
	Path    string               `json:"path"`
	File    string               `json:"file"` // tells this very file from a later one of the same name
	Options capture.SceneOptions `json:"options"`
}

const (
	maxShelved    = 4096
	maxShelfBytes = 16 << 20
)

// openShelf reads what was shelved before. It is usable, and empty, also when there is an error.
func openShelf(path string) (*shelf, error) {
	s := &shelf{path: path}
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err == nil && info.Size() > maxShelfBytes {
		err = fmt.Errorf("it has %d bytes", info.Size())
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(path)
	}
	if err == nil {
		err = json.Unmarshal(data, &s.list)
	}
	if err != nil {
		s.list = nil
		return s, fmt.Errorf("the list of scenes %s: %w", path, err)
	}
	return s, nil
}

// put shelves a scene; one of the same id is forgotten.
func (s *shelf) put(e shelved) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(s.list, func(o shelved) bool { return o.Scene == e.Scene })
	s.list = append(s.list, e)
	s.list = slices.Delete(s.list, 0, max(0, len(s.list)-maxShelved))
	data, err := json.Marshal(s.list)
	if err == nil {
		err = renameio.WriteFile(s.path, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("the list of scenes %s: %w", s.path, err)
	}
	return nil
}

func (s *shelf) find(scene string) (shelved, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.list, func(e shelved) bool { return e.Scene == scene })
	if i < 0 {
		return shelved{}, false
	}
	return s.list[i], true
}
