package outbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	inline       = 16 << 10 // smaller payloads lie in the database
	segmentBytes = 64 << 20 // then a new segment begins
	page         = 4096     // of the filesystem
)

// segments hold the larger payloads, so that their bytes are written once and not, as in the
// database, into a log and again into its place. A payload is appended and synced before the
// transaction that names it commits; so what the database names is there, and what a crash left at
// a segment's end is named by nothing. A payload that is no longer wanted is punched out of its file
// where the filesystem can do that; a segment whose payloads are all gone is removed.
// docs/decisions/0003-payload-segments.md argues it.
type segments struct {
	dir   string
	alive map[uint64]int64 // items that wait, by segment; the owner's
	id    uint64           // of the segment being written; 0: none yet
	size  int64
	dirty bool

	mu    sync.Mutex
	files map[uint64]*os.File
}

// span is where a payload lies.
type span struct {
	segment uint64
	place   int64
	bytes   int64
}

// openSegments takes the files over that still hold something, and removes the others. Nothing is
// appended to a former process's segment: its end may be torn.
func openSegments(dir string, alive map[uint64]int64) (*segments, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &segments{dir: dir, alive: alive, files: map[uint64]*os.File{}}
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		id, err := strconv.ParseUint(strings.TrimSuffix(n.Name(), ".seg"), 10, 64)
		if err != nil || !strings.HasSuffix(n.Name(), ".seg") {
			continue
		}
		s.id = max(s.id, id)
		if alive[id] == 0 {
			if err := os.Remove(s.path(id)); err != nil {
				return nil, err
			}
		}
	}
	s.size = segmentBytes // begin a new one with the next payload
	return s, nil
}

func (s *segments) path(id uint64) string { return filepath.Join(s.dir, fmt.Sprintf("%012d.seg", id)) }

// append writes a payload at the end; it is durable after sync.
func (s *segments) append(data []byte) (span, error) {
	if s.size+int64(len(data)) > segmentBytes {
		if err := s.begin(); err != nil {
			return span{}, err
		}
	}
	f, err := s.file(s.id)
	if err != nil {
		return span{}, err
	}
	if _, err := f.WriteAt(data, s.size); err != nil {
		return span{}, fmt.Errorf("write %d bytes to segment %d: %w", len(data), s.id, err)
	}
	at := span{s.id, s.size, int64(len(data))}
	s.size += at.bytes
	s.dirty = true
	return at, nil
}

func (s *segments) begin() error {
	if err := s.sync(); err != nil {
		return err
	}
	f, err := os.OpenFile(s.path(s.id+1), os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("begin a segment: %w", err)
	}
	if err := syncFolder(s.dir); err != nil {
		f.Close()
		os.Remove(f.Name())
		return fmt.Errorf("begin a segment: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id, s.size = s.id+1, 0
	s.files[s.id] = f
	return nil
}

// sync makes what was appended durable.
func (s *segments) sync() error {
	if !s.dirty {
		return nil
	}
	f, err := s.file(s.id)
	if err == nil {
		err = unix.Fdatasync(int(f.Fd()))
	}
	if err != nil {
		return fmt.Errorf("sync segment %d: %w", s.id, err)
	}
	s.dirty = false
	return nil
}

func (s *segments) file(id uint64) (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.files[id]; f != nil {
		return f, nil
	}
	f, err := os.OpenFile(s.path(id), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	s.files[id] = f
	return f, nil
}

// read gives a payload. The caller checks it against its sha256.
func (s *segments) read(at span) ([]byte, error) {
	f, err := s.file(at.segment)
	if err != nil {
		return nil, err
	}
	data := make([]byte, at.bytes)
	if _, err := f.ReadAt(data, at.place); err != nil {
		return nil, fmt.Errorf("read %d bytes of segment %d: %w", at.bytes, at.segment, err)
	}
	return data, nil
}

// free gives the room of payloads back that no committed row names any more. What can't be given
// back now goes with the whole segment.
func (s *segments) free(gone []span) {
	for _, g := range gone {
		if s.alive[g.segment] == 0 {
			continue
		}
		from := (g.place + page - 1) / page * page
		to := (g.place + g.bytes) / page * page
		if f, err := s.file(g.segment); err == nil && to > from {
			_ = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, from, to-from)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range gone {
		if s.alive[g.segment] > 0 || g.segment == s.id {
			continue
		}
		if f := s.files[g.segment]; f != nil {
			f.Close()
			delete(s.files, g.segment)
		}
		if err := os.Remove(s.path(g.segment)); err == nil || errors.Is(err, fs.ErrNotExist) {
			delete(s.alive, g.segment)
		}
	}
}

// rest begins a new segment when the present one holds nothing, so that its room is given back.
func (s *segments) rest() {
	if s.size == 0 || s.size >= segmentBytes || s.alive[s.id] > 0 {
		return
	}
	old := s.id
	s.size, s.dirty = segmentBytes, false
	s.id++ // so that free may remove the old one; begin counts on from here
	s.free([]span{{segment: old}})
}

func (s *segments) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, f := range s.files {
		err = errors.Join(err, f.Close())
	}
	clear(s.files)
	return err
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
