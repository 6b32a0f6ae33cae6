// Package reference keeps small views of ground that was sent, for telling later whether it has
// changed. They are a memory, not a record: a view that is lost, or was torn by a power cut, costs
// some tiles more on the link. So nothing here is synced, and everything read is checked.
package reference

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"cloudcanvas/shared/config"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/ground"
)

// Config bounds the memory.
type Config struct {
	QuotaBytes int64         `yaml:"quota_bytes" desc:"bytes of views on disk; beyond, the oldest go" range:"1MiB.."`
	MaxAge     time.Duration `yaml:"max_age" desc:"a view that was kept longer ago, or seen longer before the scene, is not believed: the ground is sent again" range:"1m.."`

	Shared            bool          `yaml:"shared" desc:"fetch the cloud's views of the ground of other devices, for what this one sees: screening.md#the-views-of-others"`
	SharedBytesPerDay int64         `yaml:"shared_bytes_per_day" desc:"bytes of such views that are asked for on a day of UTC; 0: any number" range:"0 or 128KiB.."`
	SharedEvery       time.Duration `yaml:"shared_every" desc:"how often the cloud is asked what has changed, once all is here" range:"1s.."`
	Systems           []string      `yaml:"systems" desc:"ground systems whose views are fetched before the first scene, in the words of the status: EPSG:32632 10 0 0 -10 0 0 blue,green,red,nir; eight at most" default:"those of the scenes that were read"`
}

// DefaultConfig is room for some twenty thousand blocks of ground, each good for three months; of the cloud's
// views three thousand blocks a day.
func DefaultConfig() Config {
	return Config{QuotaBytes: 256 << 20, MaxAge: 90 * 24 * time.Hour, SharedBytesPerDay: 32 << 20, SharedEvery: 10 * time.Minute}
}

// Problems names every mistake: add takes the field, what is wrong, and what to do.
func (c Config) Problems(add func(field, message, hint string)) {
	config.Limits(c, DefaultConfig(), add)
	if len(c.Systems) > event.MaxWantedViews {
		add("systems", fmt.Sprintf("has %d systems, %d are possible", len(c.Systems), event.MaxWantedViews), "leave those out that are seen seldom: they are fetched once a scene was read")
	}
	for _, s := range c.Systems {
		if err := ground.System(s).Check(); err != nil || !ground.System(s).Shared() {
			add("systems", fmt.Sprintf("%q is no ground system", s), "write it as the status of a device says it, such as EPSG:32632 10 0 0 -10 0 0 blue,green,red,nir")
		}
	}
}

// Key names a view.
type Key struct {
	// From tells whose view it is: this device's, of one life of its buffer, or the cloud's.
	From   string
	System ground.System
	Block  ground.Block
}

func (k Key) String() string {
	return fmt.Sprintf("%s %s %d %d", k.From, k.System, k.Block.X, k.Block.Y)
}

// name is the file of a key.
func (k Key) name() string {
	sum := sha256.Sum256([]byte(k.String()))
	return hex.EncodeToString(sum[:16]) + ending
}

// Store is the memory, in a folder of its own. Safe for concurrent use.
type Store struct {
	dir    string
	config Config
	log    *slog.Logger
	now    func() time.Time

	mu    sync.Mutex
	files map[string]file // by name
	bytes int64
}

type file struct {
	size int64
	kept time.Time
}

const (
	ending       = ".ground"
	endingBefore = ".view" // of views by tiles, which versions up to November 2026 kept
	unfinished   = ".tmp"
	maxFileBytes = 4 * ground.MaxViewBytes
	// ahead is how far in the future a view may have been kept: the clock was wrong then, or is now,
	// and its age can't be told.
	ahead = 24 * time.Hour
)

// Open opens the memory in dir, or makes it there.
func Open(dir string, c Config, log *slog.Logger) (*Store, error) {
	s := &Store{dir: dir, config: c, log: log, now: time.Now, files: map[string]file{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of reference views: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the folder of reference views: %w", err)
	}
	earlier := 0
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case err != nil || !info.Mode().IsRegular():
		case strings.HasSuffix(e.Name(), unfinished):
			os.Remove(filepath.Join(dir, e.Name()))
		case strings.HasSuffix(e.Name(), endingBefore):
			if os.Remove(filepath.Join(dir, e.Name())) == nil {
				earlier++
			}
		case strings.HasSuffix(e.Name(), ending):
			s.files[e.Name()] = file{info.Size(), info.ModTime()}
			s.bytes += info.Size()
		}
	}
	if earlier > 0 {
		log.Info("reference views that an earlier version kept by tiles are removed; their ground is sent once more", "views", earlier)
	}
	s.makeRoom(0)
	return s, nil
}

// Last is what was kept under key; false if there is nothing that is whole and not too old.
func (s *Store) Last(key Key) (Entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read(key.name())
}

func (s *Store) read(n string) (Entry, bool) {
	f, known := s.files[n]
	if !known || f.size > maxFileBytes {
		return Entry{}, false
	}
	data, err := os.ReadFile(filepath.Join(s.dir, n))
	e, kept, ok := decode(data)
	if age := s.now().Sub(kept); err != nil || !ok || age > s.config.MaxAge || age < -ahead {
		s.forget(n)
		return Entry{}, false
	}
	return e, true
}

// Update keeps what change makes of the last entry under key, the zero Entry if there is none, and removes the
// oldest where there is no room. It is there as a whole or not at all.
func (s *Store) Update(key Key, change func(Entry) (Entry, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := key.name()
	last, _ := s.read(n)
	e, err := change(last)
	if err != nil {
		return err
	}
	now := s.now()
	data, err := encode(e, now)
	if err != nil {
		return err
	}
	if int64(len(data)) > min(maxFileBytes, s.config.QuotaBytes) {
		return fmt.Errorf("a reference view of %d bytes is too large to keep", len(data))
	}
	s.makeRoom(int64(len(data)))
	path := filepath.Join(s.dir, n)
	if err := errors.Join(os.WriteFile(path+unfinished, data, 0o600), os.Chtimes(path+unfinished, now, now)); err != nil {
		os.Remove(path + unfinished)
		return fmt.Errorf("write a reference view: %w", err)
	}
	if err := os.Rename(path+unfinished, path); err != nil {
		os.Remove(path + unfinished)
		return fmt.Errorf("write a reference view: %w", err)
	}
	s.bytes += int64(len(data)) - s.files[n].size
	s.files[n] = file{int64(len(data)), now}
	return nil
}

// MaxAge is how old a view may be.
func (s *Store) MaxAge() time.Duration { return s.config.MaxAge }

// Bytes is how much lies on the disk.
func (s *Store) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// makeRoom removes the oldest until so many bytes fit, and a tenth of the quota more, so that not
// every view has to look for the oldest. The caller holds mu, or is alone.
func (s *Store) makeRoom(bytes int64) {
	if s.bytes+bytes <= s.config.QuotaBytes {
		return
	}
	names := make([]string, 0, len(s.files))
	for n := range s.files {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int { return s.files[a].kept.Compare(s.files[b].kept) })
	for _, n := range names {
		if s.bytes+bytes <= s.config.QuotaBytes*9/10 {
			return
		}
		s.forget(n)
	}
}

// forget takes a file away. One that can't be removed still counts: it takes room.
func (s *Store) forget(n string) {
	if err := os.Remove(filepath.Join(s.dir, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return
	}
	s.bytes -= s.files[n].size
	delete(s.files, n)
}
