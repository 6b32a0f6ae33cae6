package crashguard

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
)

// A slot is a file that holds one note: which input is in native code now. Its pages outlive the
// process, which is all that is asked of them, so nothing is ever synced.
//
//	state 1 byte, 3 unused · meta's length · data's length · meta's CRC-32, each 4 bytes · meta · data
//
// The state is written last: a note that was cut short is none, and then native code had not begun.
type slot struct {
	file *os.File
	head []byte
}

const (
	headBytes = 16
	inHand    = 1
	maxMeta   = 64 << 10
	maxNote   = 128 << 20
)

// note is what is known of an input in native code.
type note struct {
	Key    string `json:"key"`
	Source string `json:"source"`
	Name   string `json:"name,omitempty"`
	Path   string `json:"path,omitempty"`
	What   string `json:"what,omitempty"`
	Live   bool   `json:"live,omitempty"`
	Alone  bool   `json:"alone,omitempty"` // nothing else could be in native code

	Goroutine uint64 `json:"goroutine,omitempty"` // that called native code

	data []byte
}

func openSlot(folder string, number int) (*slot, error) {
	f, err := os.OpenFile(filepath.Join(folder, fmt.Sprintf("slot-%d", number)), os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return &slot{file: f}, nil
}

// take writes a note.
func (s *slot) take(n note) error {
	meta, err := json.Marshal(n)
	if err != nil {
		return err
	}
	s.head = append(s.head[:0], make([]byte, headBytes)...)
	binary.LittleEndian.PutUint32(s.head[4:], uint32(len(meta)))
	binary.LittleEndian.PutUint32(s.head[8:], uint32(len(n.data)))
	binary.LittleEndian.PutUint32(s.head[12:], crc32.ChecksumIEEE(meta))
	s.head = append(s.head, meta...)
	if _, err := s.file.WriteAt(s.head, 0); err != nil {
		return err
	}
	if len(n.data) > 0 {
		if _, err := s.file.WriteAt(n.data, int64(len(s.head))); err != nil {
			return err
		}
	}
	_, err = s.file.WriteAt([]byte{inHand}, 0)
	return err
}

// clear says that the input is out of native code.
func (s *slot) clear() error {
	_, err := s.file.WriteAt([]byte{0}, 0)
	return err
}

var errNoNote = errors.New("no note")

// parseNote reads a slot's bytes; errNoNote where no input was in native code.
func parseNote(b []byte) (n note, err error) {
	if len(b) < headBytes || b[0] != inHand {
		return n, errNoNote
	}
	meta, data := int(binary.LittleEndian.Uint32(b[4:])), int(binary.LittleEndian.Uint32(b[8:]))
	if meta > maxMeta || data > maxNote || len(b)-headBytes < meta+data {
		return n, fmt.Errorf("a note of %d + %d bytes in a slot of %d", meta, data, len(b))
	}
	text := b[headBytes : headBytes+meta]
	if crc32.ChecksumIEEE(text) != binary.LittleEndian.Uint32(b[12:]) {
		return n, errors.New("a note with a wrong checksum")
	}
	if err := json.Unmarshal(text, &n); err != nil {
		return n, fmt.Errorf("a note that is no JSON: %w", err)
	}
	if n.Key == "" {
		return n, errors.New("a note without a key")
	}
	n.data = b[headBytes+meta : headBytes+meta+data]
	return n, nil
}

// readNotes gives what was in native code when the last process ended.
func readNotes(folder string) (notes []note, problems error) {
	paths, err := filepath.Glob(filepath.Join(folder, "slot-*"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err == nil {
			var n note
			if n, err = parseNote(b); err == nil {
				notes = append(notes, n)
			}
		}
		if err != nil && !errors.Is(err, errNoNote) {
			problems = errors.Join(problems, fmt.Errorf("%s: %w", filepath.Base(path), err))
		}
	}
	return notes, problems
}
