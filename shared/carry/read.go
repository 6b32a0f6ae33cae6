package carry

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"cloudcanvas/shared/event"
)

// ErrDamaged says that a file is not what the index says, or is none of ours.
var ErrDamaged = errors.New("the export is damaged")

// Find gives the exports in dir: dir itself, or the folders in it.
func Find(dir string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(dir, indexName)); err == nil {
		return []string{dir}, nil
	}
	found, err := filepath.Glob(filepath.Join(dir, "*", indexName))
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s holds no export: no %s in it or in its folders; one without was not finished", dir, indexName)
	}
	for i := range found {
		found[i] = filepath.Dir(found[i])
	}
	return found, nil
}

// ReadIndex reads what an export holds.
func ReadIndex(dir string) (Index, error) {
	path := filepath.Join(dir, indexName)
	f, err := os.Open(path)
	if err != nil {
		return Index{}, err
	}
	defer f.Close()
	var x Index
	if err := json.NewDecoder(io.LimitReader(f, maxIndex)).Decode(&x); err != nil {
		return x, fmt.Errorf("%w: %s: %w", ErrDamaged, path, err)
	}
	if event.CheckName(x.Edge) != nil || !x.Epoch.Valid() {
		return x, fmt.Errorf("%w: %s names edge %.40q, epoch %.40q", ErrDamaged, path, x.Edge, x.Epoch)
	}
	return x, nil
}

// Message is one thing to publish.
type Message struct {
	Topic   string
	Payload []byte
}

// Messages are those of one item, in order, after its file was held against the index.
func (x Index) Messages(dir string, e Entry) ([]Message, error) {
	bad := func(format string, args ...any) ([]Message, error) {
		return nil, fmt.Errorf("%w: %s: %s", ErrDamaged, e.File, fmt.Sprintf(format, args...))
	}
	if filepath.Base(e.File) != e.File {
		return bad("is no name of a file")
	}
	path := filepath.Join(dir, e.File)
	info, err := os.Stat(path)
	if err != nil {
		return bad("%v", err)
	}
	if most := int64(e.Bytes) + 1<<20 + int64(e.Bytes/PartBytes+1)*(64<<10); e.Bytes < 0 || info.Size() > most {
		return bad("%d bytes for %d of data", info.Size(), e.Bytes)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return bad("%v", err)
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != e.SHA256 {
		return bad("its sha256 is another")
	}
	var all []Message
	for r := bufio.NewReader(bytes.NewReader(data)); ; {
		message, err := next(r)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return bad("%v", err)
		}
		i, err := event.UnmarshalMQTT(message)
		if err != nil {
			return bad("%v", err)
		}
		if i.Edge != x.Edge || i.Epoch != x.Epoch || i.Seq != e.Seq {
			return bad("holds item %d of %s, epoch %s", i.Seq, i.Edge, i.Epoch)
		}
		all = append(all, Message{event.Topic(i.Edge, i.Priority, i.Kind), message})
	}
}

// next reads a message; io.EOF is the end where one may be.
func next(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, errors.New("it ends within a length")
		}
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > event.MaxEnvelope {
		return nil, fmt.Errorf("a message of %d bytes", n)
	}
	message := make([]byte, n)
	if _, err := io.ReadFull(r, message); err != nil {
		return nil, errors.New("it ends within a message")
	}
	return message, nil
}
