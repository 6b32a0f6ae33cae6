package infer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// keptFile is a network as its engine has laid it out for this machine, beside what is remembered of its
// trials: working that out takes longer than the rest of a start. Its digest stands in its name, so that
// a torn file is told from a whole one, and the golden case is run on it as on any.
type keptFile struct {
	folder string
	kind   string // begins the names of all files of this network and engine
	key    string // of what the file depends on
}

// keptAs says where the network is kept for an engine; nil: nothing is kept.
func (f *file) keptAs(s *spec, l Layout) *keptFile {
	if l.Remember == "" || s == nil || s.kept == nil {
		return nil
	}
	version := s.kept(f, l)
	if version == "" {
		return nil
	}
	return &keptFile{l.Remember, f.model.Name + "-" + s.name + "-", f.identity(version) + "-"}
}

func keptByORT(_ *file, l Layout) string { return versionORT(l.Runtime) }

func keptByOV(f *file, l Layout) string {
	in := f.model.Input
	return fmt.Sprint(versionOV(l.Runtime), " batch ", l.MaxBatch, " size ", in.Size, in.MultipleOf) // hence which shape is fixed
}

func (k *keptFile) path(digest string) string {
	return filepath.Join(k.folder, k.kind+k.key+digest+".kept")
}

// read gives what is kept; nil where there is nothing, or nothing whole.
func (k *keptFile) read() []byte {
	for _, path := range k.files() {
		data, err := os.ReadFile(path)
		if err == nil && len(data) > 0 && path == k.path(digest(data)) {
			return data
		}
		os.Remove(path)
	}
	return nil
}

// forget removes what is kept, and says whether there was anything.
func (k *keptFile) forget() bool {
	files := k.files()
	for _, path := range files {
		os.Remove(path)
	}
	return len(files) > 0
}

func (k *keptFile) files() []string {
	if k == nil {
		return nil
	}
	paths, _ := filepath.Glob(k.path("*"))
	return paths
}

// write keeps what lay writes to a path. Copies of the same network for what this machine was before go.
func (k *keptFile) write(lay func(path string) error) error {
	if k == nil {
		return nil
	}
	if err := os.MkdirAll(k.folder, 0o755); err != nil {
		return err
	}
	part, err := os.CreateTemp(k.folder, ".kept-*")
	if err != nil {
		return err
	}
	part.Close()
	defer os.Remove(part.Name())
	if err := lay(part.Name()); err != nil {
		return err
	}
	data, err := os.ReadFile(part.Name())
	if err != nil {
		return err
	}
	path := k.path(digest(data))
	if err := os.Rename(part.Name(), path); err != nil {
		return err
	}
	others, _ := filepath.Glob(filepath.Join(k.folder, k.kind+"*.kept"))
	for _, other := range others {
		if other != path {
			os.Remove(other)
		}
	}
	return nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}
