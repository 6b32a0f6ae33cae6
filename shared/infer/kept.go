package infer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	ort "github.com/yalue/onnxruntime_go"
)

// keptFile is a network as ONNX Runtime has laid it out for this machine, beside what is remembered of its
// trials: working that out takes longer than the rest of a start. Its digest stands in its name, so that
// a torn file is told from a whole one, and the golden case is run on it as on any.
type keptFile struct {
	folder string
	name   string // of the file, up to its digest
}

// keptAs says where the network is kept for an engine; nil: nothing is kept.
func (f *file) keptAs(engine string, l Layout) *keptFile {
	if l.Remember == "" || engine == ORTCUDA {
		return nil
	}
	return &keptFile{l.Remember, fmt.Sprintf("%s-%s-%s-", f.model.Name, engine, f.identity(versionORT(l.Runtime)))}
}

// read gives what is kept; nil where there is nothing, or nothing whole.
func (k *keptFile) read() []byte {
	for _, path := range k.files() {
		data, err := os.ReadFile(path)
		if err == nil && strings.HasSuffix(path, k.name+digest(data)+".onnx") {
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
	paths, _ := filepath.Glob(filepath.Join(k.folder, k.name+"*.onnx"))
	return paths
}

// write keeps what lay writes to a path. Copies of the same network for what this machine was before go.
func (k *keptFile) write(lay func(path string) error) error {
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
	path := filepath.Join(k.folder, k.name+digest(data)+".onnx")
	if err := os.Rename(part.Name(), path); err != nil {
		return err
	}
	forKind := strings.TrimSuffix(k.name, "-")
	forKind = forKind[:strings.LastIndex(forKind, "-")+1]
	others, _ := filepath.Glob(filepath.Join(k.folder, forKind+"*.onnx"))
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

// keep writes the network as it was laid out, unless that is where it came from. What can't be written
// is worked out again at the next start.
func (e *ortEngine) keep() {
	if e.kept == nil || e.settled {
		return
	}
	e.kept.write(func(path string) error {
		s, err := e.load(func(o *ort.SessionOptions) error { return o.SetOptimizedModelFilePath(path) })
		if err != nil {
			return err
		}
		return s.Destroy()
	})
}
