package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// FolderConfig is a folder in which other programs put scenes, images or videos.
type FolderConfig struct {
	Path     string        `yaml:"path"`
	Patterns []string      `yaml:"patterns"` // of file names; none: *.tif, *.tiff, *.jp2
	Every    time.Duration `yaml:"every"`    // between looks; 0: 2 s
	Settle   time.Duration `yaml:"settle"`   // size and time of change must stand still so long; 0: 5 s
	After    string        `yaml:"after"`    // keep (default), move (to done/ or failed/ inside), delete
	Ledger   string        `yaml:"ledger"`   // file that remembers what was read; empty: .canvas-read.json inside
}

// What becomes of a file that was read.
const (
	Keep   = "keep"
	Move   = "move"
	Delete = "delete"
)

func (c FolderConfig) withDefaults() FolderConfig {
	if len(c.Patterns) == 0 {
		c.Patterns = []string{"*.tif", "*.tiff", "*.jp2"}
	}
	if c.Every <= 0 {
		c.Every = 2 * time.Second
	}
	if c.Settle <= 0 {
		c.Settle = 5 * time.Second
	}
	if c.After == "" {
		c.After = Keep
	}
	if c.Ledger == "" {
		c.Ledger = filepath.Join(c.Path, ".canvas-read.json")
	}
	return c
}

// FolderCounts is what became of the files.
type FolderCounts struct {
	Read   int64 `json:"read"`
	Failed int64 `json:"failed"`
}

// Folder watches a folder and runs a source for each file that has settled, one after another, by
// name. A file is remembered as read only when the pipeline says that the last of it is Committed:
// after a crash it is read again. One that fails is told, remembered, and tried again only once
// it has changed.
type Folder struct {
	config FolderConfig
	open   func(path string) (Source, error)
	log    *slog.Logger
	now    func() time.Time

	seen map[string]sighting // of files not yet settled; used by Run alone
	mu   sync.Mutex          // guards what Committed touches, from the pipeline's goroutines
	read *fileLedger
	busy map[string]bool // handed on and not yet committed
	FolderCounts
}

// sighting is how a file was when it was first seen so.
type sighting struct {
	print fingerprint
	since time.Time
}

// NewFolder makes the source; open makes the source of one file.
func NewFolder(c FolderConfig, open func(path string) (Source, error), log *slog.Logger) *Folder {
	c = c.withDefaults()
	return &Folder{config: c, open: open, log: log.With("folder", c.Path), now: time.Now,
		seen: map[string]sighting{}, busy: map[string]bool{}}
}

// Name is the folder's path.
func (f *Folder) Name() string { return f.config.Path }

// Counts is what became of the files so far; safe from any goroutine.
func (f *Folder) Counts() FolderCounts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.FolderCounts
}

// Run looks, reads and hands on until ctx ends. A folder that is away for a while is waited for.
func (f *Folder) Run(ctx context.Context, emit func(context.Context, Picture) error) error {
	ledger, err := openFileLedger(f.config.Ledger)
	if err != nil {
		f.log.Warn("what was read before is not known; files will be read again", "problem", err)
	}
	f.read = ledger
	away := false
	for {
		ready, err := f.look()
		if gone := err != nil; gone != away {
			if away = gone; gone {
				f.log.Warn("the folder cannot be read; looking again", "problem", err)
			} else {
				f.log.Info("the folder is back")
			}
		}
		for _, path := range ready {
			if err := f.take(ctx, path, emit); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(f.config.Every):
		}
	}
}

// look gives the files that are new and have settled, by name.
func (f *Folder) look() ([]string, error) {
	entries, err := os.ReadDir(f.config.Path)
	if err != nil {
		return nil, err
	}
	now, present := f.now(), map[string]bool{}
	var ready []string
	for _, e := range entries {
		name := e.Name()
		if !f.wants(name) {
			continue
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		present[name] = true
		print := fingerprint{Size: info.Size(), Changed: info.ModTime().UnixNano()}
		if f.knows(name, print) {
			delete(f.seen, name)
			continue
		}
		was, known := f.seen[name]
		if !known || was.print != print {
			f.seen[name] = sighting{print, now}
		} else if now.Sub(was.since) >= f.config.Settle {
			ready = append(ready, filepath.Join(f.config.Path, name))
		}
	}
	for name := range f.seen {
		if !present[name] {
			delete(f.seen, name)
		}
	}
	f.mu.Lock()
	f.read.forgetAllBut(present)
	f.mu.Unlock()
	return ready, nil
}

// wants leaves out hidden files and the names under which files are commonly still being written.
func (f *Folder) wants(name string) bool {
	lower := strings.ToLower(name)
	if strings.HasPrefix(name, ".") || strings.HasSuffix(lower, ".part") || strings.HasSuffix(lower, ".tmp") {
		return false
	}
	return slices.ContainsFunc(f.config.Patterns, func(p string) bool {
		ok, _ := filepath.Match(strings.ToLower(p), lower)
		return ok
	})
}

func (f *Folder) knows(name string, print fingerprint) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.busy[name] || f.read.has(name, print)
}

// take runs one file's source. Its error is the pipeline's or ctx's; the file's own is told.
func (f *Folder) take(ctx context.Context, path string, emit func(context.Context, Picture) error) error {
	name := filepath.Base(path)
	print := f.seen[name].print
	delete(f.seen, name)
	f.mu.Lock()
	f.busy[name] = true
	f.mu.Unlock()

	var down error // the pipeline's error, told apart from the file's
	err := f.run(ctx, path, func(ctx context.Context, p Picture) error {
		if p.Last {
			p.Committed = sync.OnceFunc(func() { f.settle(name, print, nil) })
		}
		down = emit(ctx, p)
		return down
	})
	switch {
	case down != nil:
		return down
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		f.log.Warn("file left out", "file", name, "problem", err)
		f.settle(name, print, err)
	}
	return nil
}

func (f *Folder) run(ctx context.Context, path string, emit func(context.Context, Picture) error) error {
	if info, err := os.Stat(path); err == nil && info.Size() == 0 {
		return errors.New("it is empty (0 bytes)")
	}
	source, err := f.open(path)
	if err != nil {
		return err
	}
	return source.Run(ctx, emit)
}

// settle remembers a file that is done with, and puts it where the configuration says.
func (f *Folder) settle(name string, print fingerprint, failed error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.busy, name)
	to := "done"
	if failed != nil {
		to = "failed"
		f.Failed++
	} else {
		f.Read++
	}
	err := f.read.add(name, print)
	path := filepath.Join(f.config.Path, name)
	switch {
	case f.config.After == Delete && failed == nil:
		err = errors.Join(err, os.Remove(path))
	case f.config.After == Keep:
	default: // a file that failed is never deleted
		dir := filepath.Join(f.config.Path, to)
		err = errors.Join(err, os.MkdirAll(dir, 0o755), os.Rename(path, filepath.Join(dir, name)))
	}
	if err != nil {
		f.log.Warn("a file that was read could not be put away", "file", name, "problem", fmt.Errorf("%s: %w", f.config.After, err))
	}
}
