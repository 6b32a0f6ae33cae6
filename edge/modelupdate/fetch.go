package modelupdate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/event"
)

// fetch is a version on its way. Its files grow in a folder of their own, each from its beginning, so
// that what a file's length says is all that a restart has to know.
type fetch struct {
	offer     event.DownModel
	dir       string // the repository to be: <dir>/<model>/{model.yaml, …, <version>/model.onnx}
	file      string // that was requested …
	requested int64  // … up to there; 0: nothing is
	tries     int    // how often that was requested in vain
}

const offerFile = "offer.json"

// begin takes up a fetch where an earlier one of the same offer was left.
func begin(dir string, offer event.DownModel) (*fetch, error) {
	f := &fetch{offer: offer, dir: dir}
	want, err := json.Marshal(offer)
	if err != nil {
		return nil, err
	}
	have, err := os.ReadFile(filepath.Join(dir, offerFile))
	if err != nil || string(have) != string(want) {
		if err := os.RemoveAll(dir); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, offer.Model, offer.Version), 0o755); err != nil {
		return nil, err
	}
	return f, os.WriteFile(filepath.Join(dir, offerFile), want, 0o644)
}

func (f *fetch) path(file string) string {
	if file == event.ModelWeights {
		return filepath.Join(f.dir, f.offer.Model, f.offer.Version, file)
	}
	return filepath.Join(f.dir, f.offer.Model, file)
}

// missing is the first file that is not whole, and how much of it is there; nil where all are.
func (f *fetch) missing() (file *event.ModelFile, have int64, err error) {
	for i := range f.offer.Files {
		file := &f.offer.Files[i]
		info, err := os.Stat(f.path(file.Name))
		switch {
		case errors.Is(err, os.ErrNotExist):
			return file, 0, nil
		case err != nil:
			return nil, 0, err
		case info.Size() < file.Size:
			return file, info.Size(), nil
		case info.Size() > file.Size:
			return nil, 0, fmt.Errorf("%s has %d bytes, offered were %d", file.Name, info.Size(), file.Size)
		}
	}
	return nil, 0, nil
}

// errWrongPart says that a part is not the one that is missing: it came twice, or late.
var errWrongPart = errors.New("not the part that is missing")

// take adds a part. The bytes are safe when it returns.
func (f *fetch) take(d event.DownModel) error {
	file, have, err := f.missing()
	if err != nil {
		return err
	}
	if file == nil || d.Version != f.offer.Version || d.File != file.Name || d.Offset != have {
		return errWrongPart
	}
	if have+int64(len(d.Data)) > file.Size {
		return fmt.Errorf("%s has more bytes than the %d that were offered", file.Name, file.Size)
	}
	out, err := os.OpenFile(f.path(file.Name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = out.Write(d.Data)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		os.Truncate(f.path(file.Name), have) // a full disk may have taken a piece of it
	}
	return err
}

// check compares every file with what was offered.
func (f *fetch) check() error {
	for _, file := range f.offer.Files {
		in, err := os.Open(f.path(file.Name))
		if err != nil {
			return err
		}
		h := sha256.New()
		_, err = io.Copy(h, in)
		if err = errors.Join(err, in.Close()); err != nil {
			return err
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != file.SHA256 {
			return fmt.Errorf("%s came with sha256 %s, offered was %s", file.Name, got, file.SHA256)
		}
	}
	return nil
}

// install moves the whole version to its place, where a loss of power does not take it.
func (f *fetch) install(to string) error {
	if err := os.Remove(filepath.Join(f.dir, offerFile)); err != nil {
		return err
	}
	if err := durable.SyncTree(f.dir); err != nil {
		return err
	}
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return durable.Rename(f.dir, to)
}
