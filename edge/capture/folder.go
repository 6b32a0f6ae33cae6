package capture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/renameio/v2"

	"cloudcanvas/shared/telemetry"
)

// FolderConfig is a folder in which other programs put scenes.
type FolderConfig struct {
	Path     string        `yaml:"path"`
	Patterns []string      `yaml:"patterns"` // of names, of files and of folders; none: see scenePatterns, and every folder that is a product
	Every    time.Duration `yaml:"every"`    // between scans; 0: 2 s
	Settle   time.Duration `yaml:"settle"`   // size and time of change must stand still so long; 0: 5 s
	After    string        `yaml:"after"`    // keep (default), move (to done/ or failed/ inside), delete
	Ledger   string        `yaml:"ledger"`   // file with the list of what was read; empty: .canvas-read.json inside
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
	Passed int64 `json:"passed"` // things that lie in the folder and are not taken for scenes, at the last scan
}

// Folder watches a folder and runs a source for each file, and each folder that is a product, that has
// settled, one after another, by name. A file is remembered as read only when the pipeline says that the last of it is Committed:
// after a crash it is read again. One that fails is logged, remembered, and tried again only once
// it has changed.
type Folder struct {
	config FolderConfig
	open   func(path string) (Source, error)
	log    *slog.Logger
	now    func() time.Time
	// acquisitions are what the YAML files of a folder of echoes name; nil in a folder of scenes.
	acquisitions acquisitions

	candidates map[string]candidate   // of files not yet settled; used by Run alone
	passed     map[string]fingerprint // folders that hold no product, as they were; used by Run alone
	logged     map[string]bool        // messages on things that are passed over or waited for; used by Run alone

	mu   sync.Mutex // guards what Committed touches, from the pipeline's goroutines
	read *readFiles
	busy map[string]bool // passed on and not yet committed
	FolderCounts
}

// candidate is how a file was when it was first seen so.
type candidate struct {
	print fingerprint
	since time.Time
}

// NewFolder makes the source; open makes the source of one file.
func NewFolder(c FolderConfig, open func(path string) (Source, error), log *slog.Logger) *Folder {
	c = c.withDefaults()
	return &Folder{config: c, open: open, log: log.With("folder", c.Path), now: time.Now,
		candidates: map[string]candidate{}, passed: map[string]fingerprint{}, logged: map[string]bool{}, busy: map[string]bool{}}
}

// Counts is what became of the files so far; safe from any goroutine.
func (f *Folder) Counts() FolderCounts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.FolderCounts
}

// Run scans, reads and passes on until ctx ends. A folder that is away for a while is waited for.
func (f *Folder) Run(ctx context.Context, emit func(context.Context, Picture) error) error {
	read, err := openReadFiles(f.config.Ledger)
	if err != nil {
		f.log.Warn("the list of files that were read before can't be read; all files of the watched folder are read again", telemetry.Err, err)
	}
	f.read = read
	away := false
	for {
		ready, err := f.scan()
		if gone := err != nil; gone != away {
			if away = gone; gone {
				f.log.Warn("the watched folder can't be read; trying again", telemetry.Err, err)
			} else {
				f.log.Info("the watched folder can be read again")
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

// take runs one file's source. Its error is the pipeline's or ctx's; the file's own is logged.
func (f *Folder) take(ctx context.Context, path string, emit func(context.Context, Picture) error) error {
	name := filepath.Base(path)
	print := f.candidates[name].print
	delete(f.candidates, name)
	f.mu.Lock()
	f.busy[name] = true
	f.mu.Unlock()

	var down error // the pipeline's error, as against the file's
	err := f.run(ctx, path, func(ctx context.Context, p Picture) error {
		if p.Last {
			p.Committed = sync.OnceFunc(func() { f.finish(name, print, nil) })
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
		f.log.Warn("file of the watched folder skipped", "file", name, telemetry.Err, err)
		f.finish(name, print, err)
	}
	return nil
}

func (f *Folder) run(ctx context.Context, path string, emit func(context.Context, Picture) error) error {
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Size() == 0 {
		return errors.New("the file is empty (0 bytes)")
	}
	source, err := f.open(path)
	if err != nil {
		return err
	}
	return source.Run(ctx, emit)
}

// finish remembers a file that is done with, and puts it where the configuration says.
func (f *Folder) finish(name string, print fingerprint, failed error) {
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
		f.log.Warn("a file of the watched folder was read and could not be noted, moved or deleted", "file", name, telemetry.Err, fmt.Errorf("%s: %w", f.config.After, err))
	}
}

// putAway deletes a file, or a folder with all that is in it, or moves it to done/ or failed/. What failed
// is never deleted. What has changed since stays: it is read again.
func (f *Folder) putAway(name string, print fingerprint, to string) error {
	path, dir := filepath.Join(f.config.Path, name), filepath.Join(f.config.Path, to)
	if now, _, err := f.printOf(path); err != nil || now != print {
		return err
	}
	var parts []string
	if f.acquisitions != nil {
		parts = f.acquisitions.owned(path)
	}
	if f.config.After == Delete && to == doneFolder {
		return errors.Join(os.RemoveAll(path), f.putPartsAway(parts, ""))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	goal := filepath.Join(dir, name)
	for n := 2; isFolder(goal); n++ { // a folder can't take the place of another, as a file does
		goal = filepath.Join(dir, fmt.Sprintf("%s-%d", name, n))
	}
	if err := os.Rename(path, goal); err != nil {
		return err
	}
	return f.putPartsAway(parts, dir)
}

func isFolder(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}

// fingerprint tells a file, or a folder with all that is in it, from another of the same name.
type fingerprint struct {
	Size    int64 `json:"size"`            // bytes, of a folder those of all its files
	Changed int64 `json:"changed"`         // unix nanoseconds, of a folder those of its newest file
	Files   int   `json:"files,omitempty"` // of a folder
}

// readFiles remembers which files of a folder were read. It is a small JSON file, replaced as a
// whole, and knows no more files than the folder has.
type readFiles struct {
	path  string
	files map[string]fingerprint
}

// maxReadFilesBytes bounds what is read back: some hundred thousand files.
const maxReadFilesBytes = 32 << 20

// openReadFiles reads the list. It is usable, and empty, also when there is an error.
func openReadFiles(path string) (*readFiles, error) {
	l := &readFiles{path: path, files: map[string]fingerprint{}}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return l, nil
	}
	data, _, err := readBounded(path, maxReadFilesBytes)
	if err == nil {
		err = json.Unmarshal(data, &l.files)
	}
	if err != nil || l.files == nil {
		l.files = map[string]fingerprint{}
	}
	if err != nil {
		return l, fmt.Errorf("the list of files read, %s: %w", path, err)
	}
	return l, nil
}

func (l *readFiles) has(name string, print fingerprint) bool {
	was, ok := l.files[name]
	return ok && was == print
}

func (l *readFiles) add(name string, print fingerprint) error {
	l.files[name] = print
	return l.write()
}

// keepOnly drops what is no longer in the folder; the next add writes it.
func (l *readFiles) keepOnly(present map[string]bool) {
	for name := range l.files {
		if !present[name] {
			delete(l.files, name)
		}
	}
}

func (l *readFiles) write() error {
	data, err := json.Marshal(l.files)
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(l.path, data, 0o600); err != nil {
		return fmt.Errorf("the list of files read, %s: %w", l.path, err)
	}
	return nil
}
