package outbox

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/event"
)

// identity is what of an item must never be read wrongly: a number or an id with a flipped bit would
// make another item of it. What may change while it waits (its priority, when it expires) is not in it.
type identity struct {
	own     uint64 // the buffer's number
	epoch   event.Epoch
	seq     uint64 // in the epoch
	id      ulid.ULID
	kind    event.Kind
	stream  string
	subject string
	time    int64
	attrs   []byte
	media   string
	sha256  event.Hash
	bytes   int64
}

// checksum is a checksum over an identity, kept in the item's row; never 0, which rows of earlier
// programs have.
func (i identity) checksum() int64 {
	h := sha256.New()
	var n [8]byte
	number := func(v uint64) {
		binary.BigEndian.PutUint64(n[:], v)
		h.Write(n[:])
	}
	text := func(s string) {
		number(uint64(len(s)))
		h.Write([]byte(s))
	}
	number(i.own)
	number(i.seq)
	number(uint64(i.time))
	number(uint64(i.bytes))
	h.Write(i.id[:])
	h.Write(i.sha256[:])
	for _, s := range []string{string(i.epoch), string(i.kind), i.stream, i.subject, string(i.attrs), i.media} {
		text(s)
	}
	return nonZero(h.Sum(nil))
}

// dropChecksum is the same for an entry of the ledger: a wrong number there would let the cloud think that
// an item never comes.
func dropChecksum(own uint64, epoch event.Epoch, seq uint64, reason string) int64 {
	return identity{own: own, epoch: epoch, seq: seq, subject: reason}.checksum()
}

func nonZero(sum []byte) int64 {
	m := int64(binary.BigEndian.Uint64(sum))
	if m == 0 {
		return 1
	}
	return m
}

// identityOf is an item's. attrs are as they stand in its row.
func identityOf(own uint64, i event.Item, attrs []byte) identity {
	return identity{own: own, epoch: i.Epoch, seq: i.Seq, id: i.ID, kind: i.Kind, stream: i.Stream, subject: i.Subject, time: i.Time.UnixNano(),
		attrs: attrs, media: i.Type, sha256: i.SHA256, bytes: int64(len(i.Data))}
}
