package crashguard

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"cloudcanvas/shared/telemetry"
)

// Case is what is known of an input that was in native code when the process died: its JSON lies in suspects/ or in quarantine/, the bytes that
// were kept beside it.
type Case struct {
	Key    string    `json:"key"`    // the input's identity
	Source string    `json:"source"` // camera, image set, scene
	Name   string    `json:"name,omitempty"`
	Path   string    `json:"path,omitempty"`
	What   string    `json:"what,omitempty"` // what the bytes are, where they are no file
	Deaths int       `json:"deaths"`         // of the process with this input in native code, in a row
	First  time.Time `json:"first"`
	Last   time.Time `json:"last"`
	Why    string    `json:"why"`
	File   string    `json:"file,omitempty"` // the bytes, beside this JSON; empty: none were kept
	Bytes  int64     `json:"bytes"`

	// Proven counts the deaths that the process died of itself; Unknown those with this input alone in
	// native code of which nobody knows that. Earlier programs wrote a weight, which is not read: it counted
	// kills from outside.
	Proven  int    `json:"proven"`
	Unknown int    `json:"unknown,omitempty"`
	Run     string `json:"life"` // in which it was last in native code
	Live    bool   `json:"live,omitempty"`

	Reported  bool `json:"told,omitempty"`  // its quarantine was reported: see FirstReport
	KeepTried bool `json:"tried,omitempty"` // to keep its bytes when it came again

	goodFrames int // frames of a suspected source that went well
}

// caseFolder is a set of cases on disk.
type caseFolder struct {
	path  string
	cases map[string]*Case
}

// casesMost bounds a folder: the oldest case is forgotten, or the input let go, beyond it.
const casesMost = 2_000

func openFolder(path string) (*caseFolder, error) {
	f := &caseFolder{path: path, cases: map[string]*Case{}}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(path, "*.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var c Case
		if json.Unmarshal(b, &c) == nil && c.Key != "" && strings.TrimSuffix(filepath.Base(file), ".json") == c.place() {
			if c.File != "" {
				c.File = filepath.Base(c.File)
			}
			f.cases[c.Key] = &c
		}
	}
	return f, nil
}

// place is the name of a case's files.
func (c *Case) place() string {
	sum := sha256.Sum256([]byte(c.Key))
	return fmt.Sprintf("%x", sum[:12])
}

// put writes a case.
func (f *caseFolder) put(c *Case) error {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	f.cases[c.Key] = c
	for len(f.cases) > casesMost {
		f.remove(f.byAge()[0])
	}
	return renameio.WriteFile(filepath.Join(f.path, c.place()+".json"), append(b, '\n'), 0o600)
}

// keep puts an input's bytes beside its case.
func (f *caseFolder) keep(c *Case, data io.Reader) error {
	name := c.place() + ".bin"
	if ext := filepath.Ext(c.Name); ext != "" && len(ext) < 8 && !strings.ContainsRune(ext, os.PathSeparator) {
		name = c.place() + ext
	}
	file, err := os.OpenFile(filepath.Join(f.path, name), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(file, data)
	if e := file.Close(); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(file.Name())
		return err
	}
	c.File, c.Bytes = name, n
	return f.put(c)
}

func (f *caseFolder) remove(c *Case) {
	delete(f.cases, c.Key)
	os.Remove(filepath.Join(f.path, c.place()+".json"))
	f.dropBytes(c)
}

func (f *caseFolder) dropBytes(c *Case) {
	if c.File != "" {
		os.Remove(filepath.Join(f.path, c.File))
		c.File, c.Bytes = "", 0
	}
}

func (f *caseFolder) bytes() (n int64) {
	for _, c := range f.cases {
		n += c.Bytes
	}
	return n
}

func (f *caseFolder) byAge() []*Case {
	all := make([]*Case, 0, len(f.cases))
	for _, c := range f.cases {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *Case) int { return cmp.Or(a.Last.Compare(b.Last), strings.Compare(a.Key, b.Key)) })
	return all
}

// room lets bytes of the oldest go until so many more fit; their cases stay. False: they never fit.
func (f *caseFolder) room(more, limit int64) bool {
	if more > limit {
		return false
	}
	for _, c := range f.byAge() {
		if f.bytes()+more <= limit {
			break
		}
		if c.File == "" {
			continue
		}
		f.dropBytes(c)
		f.put(c)
	}
	return true
}

// moveTo takes a case and its bytes to another folder.
func (f *caseFolder) moveTo(to *caseFolder, c *Case) error {
	if c.File != "" {
		if err := os.Rename(filepath.Join(f.path, c.File), filepath.Join(to.path, c.File)); err != nil {
			c.File, c.Bytes = "", 0
		}
	}
	if err := to.put(c); err != nil {
		return err
	}
	delete(f.cases, c.Key)
	return os.Remove(filepath.Join(f.path, c.place()+".json"))
}

// keepBytes keeps the bytes of a quarantined input that came again, where they are not kept yet.
func (g *Guard) keepBytes(c *Case, in Input) {
	if c.File != "" || c.KeepTried {
		return
	}
	c.KeepTried = true
	size, path := int64(len(in.Data)), ""
	if size == 0 {
		info, err := os.Stat(in.Path)
		if err != nil || !info.Mode().IsRegular() {
			return
		}
		size, path = info.Size(), in.Path
	}
	if !g.room(g.quarantine, size) {
		g.log.Warn("a quarantined input is too large to be kept: it stays where it is", "source", c.Source, "path", in.Path, "bytes", size)
		g.quarantine.put(c)
		return
	}
	var err error
	if path == "" {
		err = g.quarantine.keep(c, bytes.NewReader(in.Data))
	} else {
		var f *os.File
		if f, err = os.Open(path); err == nil {
			err = g.quarantine.keep(c, f)
			f.Close()
		}
	}
	if err != nil {
		g.log.Warn("the bytes of a quarantined input could not be kept", "source", c.Source, "name", c.Name, telemetry.Err, err)
	}
}

// room makes room for bytes in a folder, first at the cost of suspects.
func (g *Guard) room(in *caseFolder, more int64) bool {
	limit := g.config.QuarantineBytes
	if in == g.quarantine {
		g.suspects.room(more+in.bytes(), limit)
		return in.room(more, limit-g.suspects.bytes())
	}
	return in.room(more, limit-g.quarantine.bytes())
}
