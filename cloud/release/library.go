package release

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/model"
)

// Objects is the object store.
type Objects interface {
	Put(ctx context.Context, key string, data []byte) error
	Get(ctx context.Context, key string, limit int64) ([]byte, error)
	Keys(ctx context.Context, prefix string) ([]string, error)
}

// maxModel bounds one file of a model.
const maxModel = 4 << 30

// prefix is where versions rest: models/<name>/<version>/{model.onnx, golden.json, int8.json, model.yaml}.
const prefix = "models/"

// Library is the versions that were published. A version never changes; its model.yaml is written
// last, so that a version is there whole or not at all.
type Library struct{ Objects Objects }

// Versions are the published versions of each model, ascending.
func (l Library) Versions(ctx context.Context) (map[string][]string, error) {
	keys, err := l.Objects.Keys(ctx, prefix)
	if err != nil {
		return nil, err
	}
	versions := map[string][]string{}
	for _, key := range keys {
		parts := strings.Split(strings.TrimPrefix(key, prefix), "/")
		if len(parts) == 3 && parts[2] == "model.yaml" && number(parts[1]) > 0 {
			versions[parts[0]] = append(versions[parts[0]], parts[1])
		}
	}
	for _, all := range versions {
		slices.SortFunc(all, func(a, b string) int { return cmp.Compare(number(a), number(b)) })
	}
	return versions, nil
}

// firstPublished leaves 1 to what is shipped with the workers.
const firstPublished = 2

// Publish writes a model as a new version and gives its number. dir is a model's folder, with
// model.yaml and perhaps its golden case beside it; m is the version in it to publish.
func (l Library) Publish(ctx context.Context, m model.Model, dir string) (version string, err error) {
	if m.Path == "" {
		return "", fmt.Errorf("model %s is built in: it has no file to publish", m.Name)
	}
	weights, err := os.ReadFile(m.Path)
	if err != nil {
		return "", fmt.Errorf("publishing model %s: %w", m.Name, err)
	}
	if err := m.VerifyBytes(weights); err != nil {
		return "", err
	}
	manifest, err := os.ReadFile(filepath.Join(dir, "model.yaml"))
	if err != nil {
		return "", fmt.Errorf("publishing model %s: %w: a version is published with its manifest", m.Name, err)
	}
	all, err := l.Versions(ctx)
	if err != nil {
		return "", err
	}
	next := max(firstPublished, number(m.Version))
	if have := all[m.Name]; len(have) > 0 {
		next = max(next, number(have[len(have)-1])+1)
	}
	version = strconv.Itoa(next)
	at := prefix + m.Name + "/" + version + "/"
	if err := l.Objects.Put(ctx, at+"model.onnx", weights); err != nil {
		return "", err
	}
	for _, name := range []string{m.Manifest.Golden, event.ModelInt8} {
		switch beside, err := os.ReadFile(filepath.Join(dir, name)); {
		case err == nil:
			if err := l.Objects.Put(ctx, at+name, beside); err != nil {
				return "", err
			}
		case !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("publishing model %s: %w", m.Name, err)
		}
	}
	sum := sha256.Sum256(weights)
	if m.SHA256 == "" { // what is fetched must be what was published
		manifest = append(bytes.TrimRight(manifest, "\n"), "\nsha256: "+hex.EncodeToString(sum[:])+"\n"...)
	}
	return version, l.Objects.Put(ctx, at+"model.yaml", manifest)
}

// Files are the files of a version, as an edge is offered them.
func (l Library) Files(ctx context.Context, name, version string) (files []event.ModelFile, err error) {
	keys, err := l.Objects.Keys(ctx, prefix+name+"/"+version+"/")
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		data, err := l.Objects.Get(ctx, key, maxModel)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(data)
		files = append(files, event.ModelFile{Name: path.Base(key), Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])})
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("model %s has no version %s: %w", name, version, fs.ErrNotExist)
	}
	return files, nil
}

// Key is where a version's file rests.
func Key(name, version, file string) string { return prefix + name + "/" + version + "/" + file }

// Fetch brings a version into a repository of its own below dir and opens it. What is there already
// is not fetched again.
func (l Library) Fetch(ctx context.Context, name, version, dir string) (model.Model, error) {
	if number(version) == 0 {
		return model.Model{}, fmt.Errorf("model %s: %q is no version: it is a number such as 3", name, version)
	}
	repository := filepath.Join(dir, name+"@"+version)
	home := filepath.Join(repository, name)
	if _, err := os.Stat(filepath.Join(home, "model.yaml")); err != nil {
		if err := l.fetch(ctx, name, version, home); err != nil {
			return model.Model{}, fmt.Errorf("fetching model %s version %s: %w", name, version, err)
		}
	}
	r, err := model.Open(repository)
	if err != nil {
		return model.Model{}, err
	}
	m, err := r.Find(name + "@" + version)
	if err == nil {
		err = m.Verify()
	}
	if err != nil {
		return m, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return m, nil
}

// ErrBroken says that a version is there and can't be used.
var ErrBroken = errors.New("the published version is broken")

// fetch writes the files, the manifest last.
func (l Library) fetch(ctx context.Context, name, version, home string) error {
	keys, err := l.Objects.Keys(ctx, prefix+name+"/"+version+"/")
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(keys, func(k string) bool { return path.Base(k) == "model.yaml" }) {
		return fmt.Errorf("%w: `models ls` shows those that are published", fs.ErrNotExist)
	}
	if err := durable.MkdirAll(filepath.Join(home, version), 0o755); err != nil {
		return err
	}
	slices.SortFunc(keys, func(a, b string) int { // "model.yaml" says that all is there
		return cmp.Compare(btoi(path.Base(a) == "model.yaml"), btoi(path.Base(b) == "model.yaml"))
	})
	for _, key := range keys {
		data, err := l.Objects.Get(ctx, key, maxModel)
		if err != nil {
			return err
		}
		file := filepath.Join(home, path.Base(key))
		if path.Base(key) == "model.onnx" {
			file = filepath.Join(home, version, "model.onnx")
		}
		if err := durable.WriteFile(file, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
