package capture

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/google/renameio/v2"
)

// fingerprint tells a file, or a folder with all that is in it, from another of the same name.
type fingerprint struct {
	Size    int64 `json:"size"`            // bytes, of a folder those of all its files
	Changed int64 `json:"changed"`         // unix nanoseconds, of a folder those of its newest file
	Files   int   `json:"files,omitempty"` // of a folder
}

// fileLedger remembers which files of a folder were read. It is a small JSON file, replaced as a
// whole, and knows no more files than the folder has.
type fileLedger struct {
	path string
	read map[string]fingerprint
}

// maxLedgerBytes bounds what is read back: some hundred thousand files.
const maxLedgerBytes = 32 << 20

// openFileLedger reads the ledger. It is usable, and empty, also when there is an error.
func openFileLedger(path string) (*fileLedger, error) {
	l := &fileLedger{path: path, read: map[string]fingerprint{}}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return l, nil
	}
	data, _, err := readBounded(path, maxLedgerBytes)
	if err == nil {
		err = json.Unmarshal(data, &l.read)
	}
	if err != nil || l.read == nil {
		l.read = map[string]fingerprint{}
	}
	if err != nil {
		return l, fmt.Errorf("the ledger %s: %w", path, err)
	}
	return l, nil
}

func (l *fileLedger) has(name string, print fingerprint) bool {
	was, ok := l.read[name]
	return ok && was == print
}

func (l *fileLedger) add(name string, print fingerprint) error {
	l.read[name] = print
	return l.write()
}

// forgetAllBut drops what is no longer in the folder; the next add writes it.
func (l *fileLedger) forgetAllBut(present map[string]bool) {
	for name := range l.read {
		if !present[name] {
			delete(l.read, name)
		}
	}
}

func (l *fileLedger) write() error {
	data, err := json.Marshal(l.read)
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(l.path, data, 0o600); err != nil {
		return fmt.Errorf("the ledger %s: %w", l.path, err)
	}
	return nil
}
