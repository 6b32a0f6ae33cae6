// Package reference keeps small views of ground that was sent, for telling later whether it has
// changed. They are a memory, not a record: a view that is lost, or was torn by a power cut, costs
// one tile more on the link. So nothing here is synced, and everything read is checked.
package reference

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"cloudcanvas/shared/config"
)

// View is what is known of one piece of ground.
type View struct {
	Source string    // which file its newest part was taken from
	Seen   time.Time // when that was taken
	Data   []byte
}

// Config bounds the memory.
type Config struct {
	QuotaBytes int64         `yaml:"quota_bytes" desc:"bytes of views on disk; beyond, the oldest go" range:"1MiB.."`
	MaxAge     time.Duration `yaml:"max_age" desc:"an older view is not believed: the ground is sent again" range:"1m.."`
}

// DefaultConfig is room for some twenty thousand tiles, each good for three months.
func DefaultConfig() Config { return Config{QuotaBytes: 256 << 20, MaxAge: 90 * 24 * time.Hour} }

// Problems names every mistake: add takes the field, what is wrong, and what to do.
func (c Config) Problems(add func(field, message, hint string)) {
	config.Limits(c, DefaultConfig(), add)
}

// Store is the memory, in a folder of its own. Safe for concurrent use.
type Store struct {
	dir    string
	config Config
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
	ending       = ".view"
	unfinished   = ".tmp"
	maxViewBytes = 8 << 20
	maxSource    = 4096
	// ahead is how far in the future a view may have been kept: the clock was wrong then, or is now,
	// and its age can't be told.
	ahead = 24 * time.Hour
)

// Open opens the memory in dir, or makes it there.
func Open(dir string, c Config) (*Store, error) {
	s := &Store{dir: dir, config: c, now: time.Now, files: map[string]file{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of reference views: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the folder of reference views: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case err != nil || !info.Mode().IsRegular():
		case strings.HasSuffix(e.Name(), unfinished):
			os.Remove(filepath.Join(dir, e.Name()))
		case strings.HasSuffix(e.Name(), ending):
			s.files[e.Name()] = file{info.Size(), info.ModTime()}
			s.bytes += info.Size()
		}
	}
	s.makeRoom(0)
	return s, nil
}

// name is the file of a key, which may be long and hold anything.
func name(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16]) + ending
}

// Last is the view that was kept under key; false if there is none that is whole and not too old.
func (s *Store) Last(key string) (View, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := name(key)
	f, known := s.files[n]
	if !known || f.size > maxViewBytes {
		return View{}, false
	}
	data, err := os.ReadFile(filepath.Join(s.dir, n))
	v, kept, ok := decode(data)
	if age := s.now().Sub(kept); err != nil || !ok || age > s.config.MaxAge || age < -ahead {
		s.forget(n)
		return View{}, false
	}
	return v, true
}

// Keep remembers a view instead of the last one under key, and removes the oldest where there is no
// room. It is there as a whole or not at all.
func (s *Store) Keep(key string, v View) error {
	if len(v.Source) > maxSource {
		v.Source = v.Source[:maxSource]
	}
	now := s.now()
	data := encode(v, now)
	if int64(len(data)) > min(maxViewBytes, s.config.QuotaBytes) {
		return fmt.Errorf("a reference view of %d bytes is too large to keep", len(data))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := name(key)
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

// A file is: form, CRC-32 of what follows, when it was kept, when it was seen (Unix nanoseconds),
// the length of the source, the source, the data.
const (
	form   = "CVR1"
	header = len(form) + 4 + 8 + 8 + 2
)

func encode(v View, kept time.Time) []byte {
	b := make([]byte, 0, header+len(v.Source)+len(v.Data))
	b = append(b, form...)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(kept.UnixNano()))
	b = binary.BigEndian.AppendUint64(b, uint64(v.Seen.UnixNano()))
	b = binary.BigEndian.AppendUint16(b, uint16(len(v.Source)))
	b = append(append(b, v.Source...), v.Data...)
	binary.BigEndian.PutUint32(b[len(form):], crc32.ChecksumIEEE(b[len(form)+4:]))
	return b
}

func decode(b []byte) (v View, kept time.Time, ok bool) {
	if len(b) < header || string(b[:len(form)]) != form || binary.BigEndian.Uint32(b[len(form):]) != crc32.ChecksumIEEE(b[len(form)+4:]) {
		return v, kept, false
	}
	b = b[len(form)+4:]
	kept = time.Unix(0, int64(binary.BigEndian.Uint64(b)))
	v.Seen = time.Unix(0, int64(binary.BigEndian.Uint64(b[8:]))).UTC()
	n := int(binary.BigEndian.Uint16(b[16:]))
	if b = b[18:]; n > len(b) {
		return v, kept, false
	}
	v.Source, v.Data = string(b[:n]), b[n:]
	return v, kept, true
}
