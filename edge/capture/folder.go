package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"cloudcanvas/shared/telemetry"
)

// FolderConfig is a folder in which other programs put scenes.
type FolderConfig struct {
	Path     string        `yaml:"path"`
	Patterns []string      `yaml:"patterns"` // of names, of files and of folders; none: see scenePatterns, and every folder that is a product
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

// Where Move puts things, inside the folder.
const (
	doneFolder   = "done"
	failedFolder = "failed"
)

func (c FolderConfig) withDefaults() FolderConfig {
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
	Passed int64 `json:"passed"` // things that lie in the folder and are not taken for scenes, at the last look
}

// Folder watches a folder and runs a source for each file, and each folder that is a product, that has
// settled, one after another, by name. A file is remembered as read only when the pipeline says that the last of it is Committed:
// after a crash it is read again. One that fails is told, remembered, and tried again only once
// it has changed.
type Folder struct {
	config FolderConfig
	open   func(path string) (Source, error)
	log    *slog.Logger
	now    func() time.Time

	seen   map[string]sighting    // of files not yet settled; used by Run alone
	passed map[string]fingerprint // folders that hold no product, as they were; used by Run alone
	told   map[string]bool        // what was said of things that are passed over or waited for; used by Run alone

	mu   sync.Mutex // guards what Committed touches, from the pipeline's goroutines
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
		seen: map[string]sighting{}, passed: map[string]fingerprint{}, told: map[string]bool{}, busy: map[string]bool{}}
}

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
		f.log.Warn("what was read before is not known; files will be read again", telemetry.Err, err)
	}
	f.read = ledger
	away := false
	for {
		ready, err := f.look()
		if gone := err != nil; gone != away {
			if away = gone; gone {
				f.log.Warn("the folder cannot be read; looking again", telemetry.Err, err)
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
		f.log.Warn("file left out", "file", name, telemetry.Err, err)
		f.settle(name, print, err)
	}
	return nil
}

func (f *Folder) run(ctx context.Context, path string, emit func(context.Context, Picture) error) error {
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Size() == 0 {
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
	to := doneFolder
	if failed != nil {
		to = failedFolder
		f.Failed++
	} else {
		f.Read++
	}
	err := f.read.add(name, print)
	if f.config.After != Keep {
		err = errors.Join(err, f.putAway(name, print, to))
	}
	if err != nil {
		f.log.Warn("a file that was read could not be put away", "file", name, telemetry.Err, fmt.Errorf("%s: %w", f.config.After, err))
	}
}

// putAway deletes a file, or a folder with all that is in it, or moves it to done/ or failed/. What failed
// is never deleted. What has changed since stays: it is read again.
func (f *Folder) putAway(name string, print fingerprint, to string) error {
	path, dir := filepath.Join(f.config.Path, name), filepath.Join(f.config.Path, to)
	if now, _, err := printOf(path); err != nil || now != print {
		return err
	}
	if f.config.After == Delete && to == doneFolder {
		return os.RemoveAll(path)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	goal := filepath.Join(dir, name)
	for n := 2; isFolder(goal); n++ { // a folder can't take the place of another, as a file does
		goal = filepath.Join(dir, fmt.Sprintf("%s-%d", name, n))
	}
	return os.Rename(path, goal)
}

func isFolder(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}
