package capture

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"

	"cloudcanvas/shared/sar"
)

// echoesPatterns are the names that are taken for acquisitions where none are configured.
var echoesPatterns = []string{"*.yaml", "*.yml", "*.cphd"}

// NewEchoesFolder is a Folder of acquisitions: of YAML files, each with the files that it names, which settle with it,
// and of files that are acquisitions by themselves.
func NewEchoesFolder(c FolderConfig, open func(path string) (Source, error), log *slog.Logger) *Folder {
	if len(c.Patterns) == 0 {
		c.Patterns = echoesPatterns
	}
	f := NewFolder(c, open, log)
	f.acquisitions = acquisitions{}
	return f
}

// acquisitions are what the YAML files of a folder name, by their paths: each is read once and again when it has changed.
type acquisitions map[string]acquisition

type acquisition struct {
	yaml  fingerprint
	parts []string // paths of the files that it names
	data  string   // of these, the echoes …
	bytes int64    // … and how many bytes they should have; 0: the YAML does not say it well
}

// maxParametersBytes bounds a YAML file that is looked into; what is larger fails when it is opened.
const maxParametersBytes = 1 << 20

// of is what the YAML file at path names.
func (a acquisitions) of(path string) acquisition {
	print, _, err := fingerprintOf(path)
	if known, ok := a[path]; ok && err == nil && known.yaml == print {
		return known
	}
	found := readAcquisition(path)
	found.yaml = print
	a[path] = found
	return found
}

// readAcquisition takes from a YAML file no more than what tells its files: whether the rest is right is for sar.Open to say.
func readAcquisition(path string) (a acquisition) {
	var p struct {
		Data    string     `yaml:"data"`
		AGC     string     `yaml:"agc"`
		Format  sar.Format `yaml:"format"`
		Lines   int64      `yaml:"lines"`
		Samples int64      `yaml:"samples"`
	}
	f, err := os.Open(path)
	if err != nil {
		return a
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxParametersBytes))
	if err != nil || yaml.Unmarshal(text, &p) != nil {
		return a
	}
	for _, name := range []string{p.Data, p.AGC} {
		if name != "" && filepath.IsLocal(name) {
			a.parts = append(a.parts, filepath.Join(filepath.Dir(path), name))
		}
	}
	const most = 1 << 30
	if len(a.parts) > 0 && p.Data != "" && p.Lines > 0 && p.Samples > 0 && p.Lines < most && p.Samples < most {
		a.data = a.parts[0]
		a.bytes = p.Lines * p.Samples * int64(cmp.Or(p.Format, sar.IQ8).Bytes())
	}
	return a
}

// missing says what of the acquisition is not there yet; "" where all of it is.
func (a acquisition) missing() string {
	for _, part := range a.parts {
		info, err := os.Stat(part)
		if err != nil {
			return fmt.Sprintf("%s is not there", filepath.Base(part))
		}
		if part == a.data && info.Size() < a.bytes {
			return fmt.Sprintf("%s has %d of %d bytes", filepath.Base(part), info.Size(), a.bytes)
		}
	}
	return ""
}

// print is how the YAML file and what it names are now; what is not there counts as empty.
func (a acquisition) print() fingerprint {
	print := a.yaml
	print.Files = 1
	for _, part := range a.parts {
		if info, err := os.Stat(part); err == nil {
			print.Size += info.Size()
			print.Changed = max(print.Changed, info.ModTime().UnixNano())
			print.Files++
		}
	}
	return print
}

// readAcquisitions looks into the YAML files of a folder of acquisitions, so that what they name is known before it is met.
func (f *Folder) readAcquisitions(entries []fs.DirEntry) {
	for _, e := range entries {
		if f.acquisitions != nil && e.Type().IsRegular() && f.named(e.Name()) {
			f.acquisitions.of(filepath.Join(f.config.Path, e.Name()))
		}
	}
}

// has says whether a YAML file names the file at path.
func (a acquisitions) has(path string) bool {
	for _, o := range a {
		if slices.Contains(o.parts, path) {
			return true
		}
	}
	return false
}

// keepOnly forgets the YAML files that are no longer in the folder.
func (a acquisitions) keepOnly(present map[string]bool) {
	for path := range a {
		if !present[filepath.Base(path)] {
			delete(a, path)
		}
	}
}

// owned are the files that go where the YAML file goes: those that no other YAML file of the folder names.
func (a acquisitions) owned(path string) (parts []string) {
	for _, part := range a.of(path).parts {
		shared := false
		for other, o := range a {
			if other != path && slices.Contains(o.parts, part) {
				_, away := os.Lstat(other)
				shared = shared || away == nil
			}
		}
		if !shared {
			parts = append(parts, part)
		}
	}
	return parts
}

// printOf is fingerprintOf, in a folder of acquisitions with the files that a YAML file names.
func (f *Folder) printOf(path string) (print fingerprint, whole bool, err error) {
	print, whole, err = fingerprintOf(path)
	if err == nil && f.acquisitions != nil && print.Files == 0 && f.named(filepath.Base(path)) {
		print = f.acquisitions.of(path).print()
	}
	return print, whole, err
}

// putPartsAway deletes, or moves into dir, what a YAML file names, now that it is away itself.
func (f *Folder) putPartsAway(parts []string, dir string) (err error) {
	for _, part := range parts {
		name, outside := filepath.Rel(f.config.Path, part)
		goal := filepath.Join(dir, name)
		switch {
		case outside != nil:
		case dir == "":
			err = errors.Join(err, os.Remove(part))
		default:
			if e := os.MkdirAll(filepath.Dir(goal), 0o755); e != nil {
				err = errors.Join(err, e)
				continue
			}
			err = errors.Join(err, os.Rename(part, goal))
		}
	}
	return err
}

// EchoesFingerprint tells an acquisition from another that is at the same path later, as Fingerprint does: by
// its YAML file and all that it names.
func EchoesFingerprint(path string) (string, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	p := acquisitions{}.of(path).print()
	return fmt.Sprintf("%d:%d:%d", p.Size, p.Changed, p.Files), nil
}
