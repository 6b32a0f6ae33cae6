package onnx

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"cloudcanvas/shared/durable"
)

// Weights outside the file that an engine would read: those of the graph's initializers can be put into it, others
// (constants, graphs inside graphs, sparse ones) are not taken in.
var (
	errSecondFile = errors.New("keeps its weights in a second file; `canvas-edge models add` puts both into one, or save the model as one file")
	errDeepSecond = errors.New("keeps the data of a constant or of an inner graph in a second file; save the model as one file")
)

// mostSharing bounds how often, on the whole, weights of a second file are used.
const mostSharing = 2

// OneFile is the path of a network that is one file: path itself, or where its weights lie in files beside
// it, a copy in the folder into with all of them inside. The files must lie in the same folder, be regular
// files, and hold what the tensors say; together they stay below 2 GiB. beside are their names.
func OneFile(path, into string) (whole string, beside []string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", nil, fmt.Errorf("model file: %w", err)
	}
	if info.Size() >= MaxSize {
		return "", nil, fmt.Errorf("%s: is over 2 GiB; protobuf ends there, split the network", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", nil, fmt.Errorf("model file: %w", err)
	}
	g := gatherer{dir: filepath.Dir(path), left: MaxSize - info.Size(), open: map[string]*os.File{}}
	defer g.close()
	data, err = rewrite(data, ModelGraph, func(graph []byte) ([]byte, error) {
		return rewrite(graph, GraphInitializer, g.tensor)
	})
	switch {
	case errors.Is(err, ErrBroken):
		return path, nil, nil // the reader reports it
	case err != nil:
		return "", nil, fmt.Errorf("%s: %w", path, err)
	case len(g.names) == 0:
		return path, nil, nil
	}
	whole = filepath.Join(into, filepath.Base(path))
	if err := durable.WriteFile(whole, data, 0o600); err != nil {
		return "", nil, fmt.Errorf("put %s and %v into one file: %w", path, g.names, err)
	}
	return whole, g.names, nil
}

// gatherer reads weights from files beside a network's.
type gatherer struct {
	dir    string
	left   int64 // bytes that may still come
	open   map[string]*os.File
	names  []string
	inside int64 // bytes of all files
	taken  int64
}

func (g *gatherer) close() {
	for _, f := range g.open {
		f.Close()
	}
}

// tensor is a tensor with its weights inside.
func (g *gatherer) tensor(data []byte) ([]byte, error) {
	says := map[string]string{}
	external := false
	kept, err := without(data, TensorExternal, func(entry []byte) {
		external = true
		var k, v string
		parts(entry, func(num protowire.Number, value []byte) error {
			if num == EntryKey {
				k = string(value)
			} else if num == EntryValue {
				v = string(value)
			}
			return nil
		})
		says[k] = v
	})
	if err != nil || !external {
		return data, err
	}
	if kept, err = without(kept, TensorLocation, func([]byte) {}); err != nil {
		return nil, err
	}
	weights, err := g.read(says)
	if err != nil {
		return nil, err
	}
	return AppendMessage(kept, TensorRaw, weights), nil
}

func (g *gatherer) read(says map[string]string) ([]byte, error) {
	name := says["location"]
	f, err := g.file(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("weights in %s: %w", name, err)
	}
	number := func(key string, otherwise int64) (int64, error) {
		if says[key] == "" {
			return otherwise, nil
		}
		n, err := strconv.ParseInt(says[key], 10, 64)
		if err != nil || n < 0 || n > info.Size() {
			return 0, fmt.Errorf("weights in %s: %s %.40q is outside the file of %d bytes", name, key, says[key], info.Size())
		}
		return n, nil
	}
	offset, err := number("offset", 0)
	if err != nil {
		return nil, err
	}
	length, err := number("length", info.Size()-offset)
	if err != nil {
		return nil, err
	}
	g.taken += length
	switch g.left -= length; {
	case offset+length > info.Size():
		return nil, fmt.Errorf("weights in %s: %d bytes from %d on are more than the file's %d", name, length, offset, info.Size())
	case g.left < 0:
		return nil, fmt.Errorf("with its weights in %v it is over 2 GiB; split the network", g.names)
	case g.taken > mostSharing*g.inside:
		return nil, fmt.Errorf("uses the weights in %v over and over, more than %d times on the whole", g.names, mostSharing)
	}
	weights := make([]byte, length)
	if _, err := f.ReadAt(weights, offset); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("weights in %s: %w", name, err)
	}
	return weights, nil
}

// file opens one of the files beside the network's.
func (g *gatherer) file(name string) (*os.File, error) {
	if f := g.open[name]; f != nil {
		return f, nil
	}
	path := filepath.Join(g.dir, name)
	if name == "" || name != filepath.Base(path) || !filepath.IsLocal(name) {
		return nil, fmt.Errorf("%w: keeps weights in %.100q, which is not a file beside it", ErrUnsafe, name)
	}
	if len(g.open) >= maxSecondFiles {
		return nil, fmt.Errorf("keeps its weights in more than %d files; save the model as one file", maxSecondFiles)
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("keeps its weights in %s, which is not beside it; copy both files, or save the model as one", name)
	}
	if err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: keeps weights in %s, which is no regular file", ErrUnsafe, name)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("weights in %s: %w", name, err)
	}
	g.open[name], g.names, g.inside = f, append(g.names, name), g.inside+info.Size()
	return f, nil
}

// maxSecondFiles bounds the files that are open at once: some exporters write one for each tensor.
const maxSecondFiles = 256
