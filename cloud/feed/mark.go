package feed

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/oklog/ulid/v2"
)

// Mark is what is known of one submitted file, in the object store: the same bytes under the same name
// are submitted once, and what was interrupted goes on under the ids that it began with.
type Mark struct {
	Name  string    `json:"name"`
	Began time.Time `json:"began"`
	Done  time.Time `json:"done,omitzero"`
	Items int       `json:"items,omitempty"`

	key string
}

// maxMark bounds a mark before it is read.
const maxMark = 64 << 10

// Begin is the mark of a file of those bytes, made where there is none.
func (f *Feeder) Begin(ctx context.Context, by, name string, sum [32]byte, now time.Time) (Mark, error) {
	hash := sha256.Sum256(fmt.Appendf(sum[:], "%s\x00%s", by, name))
	m := Mark{Name: name, Began: now.UTC().Truncate(time.Millisecond), key: fmt.Sprintf("submitted/%x", hash)}
	data, err := f.Objects.Get(ctx, m.key, maxMark)
	if errors.Is(err, fs.ErrNotExist) {
		return m, f.put(ctx, m)
	}
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		return m, fmt.Errorf("look whether %s was submitted: %w", name, err)
	}
	return m, nil
}

// Finish notes that all of it has gone.
func (f *Feeder) Finish(ctx context.Context, m Mark, items int, now time.Time) error {
	m.Done, m.Items = now.UTC(), items
	return f.put(ctx, m)
}

func (f *Feeder) put(ctx context.Context, m Mark) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := f.Objects.Put(ctx, m.key, data); err != nil {
		return fmt.Errorf("note that %s is submitted: %w", m.Name, err)
	}
	return nil
}

// Key begins the keys of all that is made of the file.
func (m Mark) Key() string { return m.key }

// ID is the id of the item under that key: the same whenever it is made.
func (m Mark) ID(key string) (id ulid.ULID) {
	_ = id.SetTime(ulid.Timestamp(m.Began)) // only the year 10889 is refused
	sum := sha256.Sum256([]byte(key))
	copy(id[6:], sum[:])
	return id
}
