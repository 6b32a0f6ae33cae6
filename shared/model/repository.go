package model

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"cloudcanvas/shared/onnx"
)

// Model is one version of a network that is on disk, or built in.
type Model struct {
	Manifest
	Path    string  // of the .onnx; empty for a built-in
	Version string  // the version folder's number; "1" for a bare file or a built-in
	Case    *Golden // nil where the model has no golden case
	Int8    *Int8   // nil where none of its convolutions is known to do in 8 bits
}

// ErrUnknown says that no model of that name is there.
var ErrUnknown = errors.New("no such model")

// ErrChecksum says that a file is not the one its manifest names.
var ErrChecksum = errors.New("sha256 differs")

// Repository is what Open has found. It is read-only and safe for concurrent use.
type Repository struct {
	models   []Model
	problems []error
}

// Folders are those that were named, and the one in home where set-up puts models. That one may be absent, as
// on a device whose models all lie in folders of its own; a named one may not.
func Folders(named []string, home string) []string {
	own := filepath.Join(home, "models")
	if _, err := os.Stat(own); errors.Is(err, os.ErrNotExist) {
		return slices.Clone(named)
	}
	return append(slices.Clone(named), own)
}

// Open reads repositories (<dir>/<model>/model.yaml, <dir>/<model>/<version>/model.onnx) and folders
// of bare .onnx files that a manifest of the project names by sha256, or that have a manifest of
// their own name beside them (<name>.yaml). Earlier folders win where a name and version are met
// twice. A faulty model does not hide the others: see Problems. A folder that cannot be read is an
// error. The built-in detectors are always there.
func Open(dirs ...string) (*Repository, error) {
	known, err := Known()
	if err != nil {
		return nil, err
	}
	r := &Repository{}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("model folder: %w", err)
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			switch info, err := os.Stat(path); {
			case strings.HasPrefix(e.Name(), "."): // being written, or left by one who was cut off
			case err != nil:
				r.problems = append(r.problems, fmt.Errorf("model folder: %w", err))
			case info.IsDir():
				r.addFolder(path, known)
			case strings.EqualFold(filepath.Ext(path), ".onnx"):
				r.addBare(path, known)
			}
		}
	}
	for _, k := range known {
		if k.Builtin != "" {
			r.add(Model{Manifest: k.Manifest, Version: "1"})
		}
	}
	slices.SortStableFunc(r.models, func(a, b Model) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(number(b.Version), number(a.Version)))
	})
	return r, nil
}

func number(version string) int {
	n, _ := strconv.Atoi(version)
	return n
}

// add keeps the first of each name and version.
func (r *Repository) add(m Model) {
	for _, have := range r.models {
		if have.Name == m.Name && have.Version == m.Version {
			return
		}
	}
	r.models = append(r.models, m)
}

func (r *Repository) addProblem(err error) { r.problems = append(r.problems, err) }

// addFolder reads one <repo>/<model>. Weights without a model.yaml belong to the project's manifest
// of the folder's name; Verify finds out whether they are the right ones.
func (r *Repository) addFolder(dir string, known []Model) {
	versions := versionsIn(dir)
	if len(versions) == 0 {
		if _, err := os.Stat(filepath.Join(dir, "model.yaml")); err == nil {
			r.addProblem(fmt.Errorf("%s: has a model.yaml and no <version>/model.onnx; fetch it (canvas-edge models pull) or put the file at %s",
				dir, filepath.Join(dir, "1", "model.onnx")))
		}
		return
	}
	m, err := readManifest(os.DirFS(dir), filepath.Join(dir, "model.yaml"), "model.yaml")
	if errors.Is(err, fs.ErrNotExist) {
		i := slices.IndexFunc(known, func(k Model) bool { return k.Name == filepath.Base(dir) })
		if i < 0 {
			r.addProblem(fmt.Errorf("%s: has no model.yaml, and the project knows no model of that name; docs/models.md shows how to write one", dir))
			return
		}
		m, err = known[i], nil
	}
	if err == nil && m.Name != filepath.Base(dir) {
		err = fmt.Errorf("%s: name is %q, its folder %q; give both the same", filepath.Join(dir, "model.yaml"), m.Name, filepath.Base(dir))
	}
	if err != nil {
		r.addProblem(err)
		return
	}
	for _, v := range versions {
		m.Version, m.Path = v, filepath.Join(dir, v, "model.onnx")
		r.findInt8(&m, known)
		r.add(m)
	}
}

// versionsIn lists the folders with integer names that hold a model.onnx.
func versionsIn(dir string) []string {
	var versions []string
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil && n > 0 && strconv.Itoa(n) == e.Name() {
			if _, err := os.Stat(filepath.Join(dir, e.Name(), "model.onnx")); err == nil {
				versions = append(versions, e.Name())
			}
		}
	}
	return versions
}

func (r *Repository) addBare(path string, known []Model) {
	base := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	m, err := readManifest(os.DirFS(filepath.Dir(path)), filepath.Join(filepath.Dir(path), base+".yaml"), base+".yaml")
	if errors.Is(err, fs.ErrNotExist) {
		var sum string
		if sum, err = Sum(path); err == nil {
			i := slices.IndexFunc(known, func(k Model) bool { return k.SHA256 == sum })
			if i < 0 {
				r.addProblem(fmt.Errorf("%s: no manifest of the project has its sha256 (%s); write %s.yaml beside it as docs/models.md shows", path, sum, base))
				return
			}
			m = known[i]
		}
	}
	if err != nil {
		r.addProblem(err)
		return
	}
	m.Version, m.Path = "1", path
	r.findInt8(&m, known)
	r.add(m)
}

// readManifest reads a manifest and, beside it, its golden case.
func readManifest(dir fs.FS, shown, name string) (Model, error) {
	data, err := fs.ReadFile(dir, name)
	if err != nil {
		return Model{}, err
	}
	// A manifest without a name has that of its folder, or of its file where files share a folder.
	given := filepath.Base(filepath.Dir(shown))
	if name != "model.yaml" {
		given = strings.TrimSuffix(name, filepath.Ext(name))
	}
	manifest, err := parse(shown, data, given)
	if err != nil {
		return Model{}, err
	}
	m := Model{Manifest: manifest}
	golden := manifest.Golden
	if name != "model.yaml" && golden == "golden.json" { // bare files share a folder
		golden = manifest.Name + ".golden.json"
	}
	data, err = fs.ReadFile(dir, golden)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil {
		m.Case, err = parseGolden(data)
	}
	if err != nil {
		return m, fmt.Errorf("golden case %s of %s: %w", golden, shown, err)
	}
	return m, nil
}

// Find is the newest version of the model of that name, or the one of "name@version". The error
// lists the names there are.
func (r *Repository) Find(name string) (Model, error) {
	base, version, exact := strings.Cut(name, "@")
	var names []string
	for _, m := range r.models {
		if m.Name == base && (!exact || m.Version == version) {
			return m, nil
		}
		if !slices.Contains(names, m.Name) {
			names = append(names, m.Name)
		}
	}
	err := fmt.Errorf("model %q: %w; there are: %s", name, ErrUnknown, strings.Join(names, ", "))
	for _, p := range r.problems {
		if strings.Contains(p.Error(), base) {
			err = fmt.Errorf("%w (%w)", err, p)
		}
	}
	return Model{}, err
}

// List is every model, by name, newest version first.
func (r *Repository) List() []Model { return slices.Clone(r.models) }

// Problems are the models that were passed over, each with file, line and what to do.
func (r *Repository) Problems() []error { return slices.Clone(r.problems) }

// Verify checks the file against the manifest's sha256. A model without one passes.
func (m Model) Verify() error {
	if m.Path == "" || m.SHA256 == "" {
		return nil
	}
	sum, err := Sum(m.Path)
	if err != nil {
		return err
	}
	return m.compare(sum)
}

// VerifyBytes is Verify for a file that has been read.
func (m Model) VerifyBytes(data []byte) error {
	if m.SHA256 == "" {
		return nil
	}
	sum := sha256.Sum256(data)
	return m.compare(hex.EncodeToString(sum[:]))
}

// InOneFile is a model whose weights are in one file: itself, or after its sha256 was checked, with the copy
// that onnx.OneFile makes.
func (m Model) InOneFile(into string) (Model, error) {
	whole, beside, err := onnx.OneFile(m.Path, into)
	if err != nil || len(beside) == 0 {
		return m, err
	}
	if err := m.Verify(); err != nil {
		return m, err
	}
	m.Path = whole
	m.SHA256, err = Sum(whole)
	return m, err
}

func (m Model) compare(sum string) error {
	if sum == m.SHA256 {
		return nil
	}
	return fmt.Errorf("model %s: %s: %w: it is %s, the manifest says %s; fetch it again (canvas-edge models pull) or correct the manifest",
		m.Name, m.Path, ErrChecksum, sum, m.SHA256)
}

// Sum is a file's sha256 in hex.
func Sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("model file: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("model file %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
