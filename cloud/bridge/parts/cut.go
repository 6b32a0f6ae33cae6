package parts

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/shared/event"
)

// Identity is what an item is known by.
type Identity struct {
	Edge  string
	Epoch event.Epoch
	Seq   uint64
}

// IdentityOf is that of i.
func IdentityOf(i *event.Item) Identity { return Identity{i.Edge, i.Epoch, i.Seq} }

// MaxSeq is the last number that an item may have: the one after it must be a number too.
const MaxSeq = math.MaxUint64 - 1

// Cut is one way in which an item was cut into parts.
type Cut struct {
	ID   Identity
	hash event.Hash // of the whole
	Of   uint32     // how many parts there are
}

// CutOf is that of a part.
func CutOf(i *event.Item) Cut { return Cut{IdentityOf(i), i.SHA256, i.Attrs.Parts} }

// Under is what the parts of a slot's edges lie under in the object store.
func Under(slot int) string { return fmt.Sprintf("parts/%d/", slot) }

func (c Cut) under() string {
	return fmt.Sprintf("%s%s/%s/%d/", Under(slots.Of(c.ID.Edge)), c.ID.Edge, c.ID.Epoch, c.ID.Seq)
}

// Key is where a part rests. It says all that is needed to find an unfinished item again.
func (c Cut) Key(part uint32) string { return fmt.Sprintf("%s%s/%d/%d", c.under(), c.hash, c.Of, part) }

// parseKey takes a key apart.
func parseKey(key string) (c Cut, part uint32, ok bool) {
	field := strings.Split(key, "/")
	if len(field) != 8 || len(field[5]) != hex.EncodedLen(len(c.hash)) {
		return c, 0, false
	}
	_, errHash := hex.Decode(c.hash[:], []byte(field[5]))
	seq, err := strconv.ParseUint(field[4], 10, 64)
	of, errOf := strconv.ParseUint(field[6], 10, 32)
	n, errPart := strconv.ParseUint(field[7], 10, 32)
	c.ID = Identity{field[2], event.Epoch(field[3]), seq}
	c.Of = uint32(of)
	ok = errors.Join(errHash, err, errOf, errPart) == nil && n < of && of <= maxParts && seq > 0 && seq <= MaxSeq && c.ID.Epoch.Valid() && c.Key(uint32(n)) == key
	return c, uint32(n), ok
}
