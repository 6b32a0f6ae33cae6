package outbox

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

const itemColumns = "SELECT i.seq, i.id, kind, stream, subject, time, priority, attrs, type, sha256, bytes, segment, place, data, value, rung, expires, mark, committed FROM items i LEFT JOIN payloads p ON p.seq=i.seq "

// Load is an item that waits, with its data. One that is gone is ErrGone; so is one whose bytes are
// no longer those that were committed: it goes into the ledger.
func (o *Outbox) Load(seq uint64) (event.Item, error) {
	found, err := scanItem(o.db.QueryRow(itemColumns+"WHERE i.seq=?", seq))
	i := found.Item
	if errors.Is(err, sql.ErrNoRows) {
		return i, fmt.Errorf("item %d: %w", seq, ErrGone)
	}
	if err != nil {
		if o.noteIfCorrupt(err); errors.Is(err, errUndecodable) {
			i.Epoch, i.Seq = o.Place(seq)
			o.noteCorruptRow(i)
		}
		return i, fmt.Errorf("read item %d of the outbox: %w", seq, err)
	}
	i.Edge = o.edge
	i.Epoch, i.Seq = o.Place(seq)
	if found.at.segment != 0 {
		i.Data, err = o.segments.read(found.at)
		if errors.Is(err, fs.ErrNotExist) && !o.Waits(seq) { // received meanwhile
			return i, fmt.Errorf("item %d: %w", seq, ErrGone)
		}
	}
	if err == nil && !found.intact(i) && o.Waits(seq) { // it may be another item's number
		o.noteCorruptRow(i)
		return i, fmt.Errorf("item %d: its row is not as it was committed: %w", seq, errCorrupt)
	}
	if err == nil && event.Sum(i.Data) == i.SHA256 {
		return i, nil
	}
	if !o.Waits(seq) { // its room was given back while it was read
		return i, fmt.Errorf("item %d: %w", seq, ErrGone)
	}
	o.log.Error("an item's data has changed on the disk; it is dropped as corrupt, with an entry in the ledger of drops", "epoch", i.Epoch, "seq", i.Seq, telemetry.Err, err)
	if err := o.discard(context.Background(), seq, ReasonCorrupt); err != nil {
		return i, err
	}
	return i, fmt.Errorf("item %d is damaged: %w", seq, ErrGone)
}

// stored is an item as the database has it.
type stored struct {
	event.Item
	at        span // of its data, where that is not in the database
	value     float64
	rung      event.Rung
	expires   int64
	checksum  int64
	committed int64
	own       uint64 // the buffer's number
	attrs     []byte
}

// intact says whether the row says what was committed; i is the item as the cloud will know it. Rows
// of earlier programs have no checksum, and count as intact while nothing else is wrong.
func (s stored) intact(i event.Item) bool {
	return s.checksum == 0 || s.checksum == identityOf(s.own, i, s.attrs).checksum()
}

// errUndecodable says that a row could be read, and holds what was never written.
var errUndecodable = errors.New("a row of the outbox can't be decoded")

func scanItem(row interface{ Scan(...any) error }) (i stored, err error) {
	var id, sum []byte
	var when int64
	if err = row.Scan(&i.Seq, &id, &i.Kind, &i.Stream, &i.Subject, &when, &i.Priority, &i.attrs, &i.Type, &sum,
		&i.at.bytes, &i.at.segment, &i.at.place, &i.Data, &i.value, &i.rung, &i.expires, &i.checksum, &i.committed); err != nil {
		if strings.HasPrefix(err.Error(), "sql: Scan error") {
			err = fmt.Errorf("%w: %w", errUndecodable, err)
		}
		return i, err
	}
	i.own = i.Seq
	copy(i.ID[:], id)
	copy(i.SHA256[:], sum)
	i.Time = time.Unix(0, when).UTC()
	if err = json.Unmarshal(i.attrs, &i.Attrs); err != nil {
		err = fmt.Errorf("%w: %w", errUndecodable, err)
	}
	return i, err
}

// Ladder is what waits by priority and rung, the most urgent first. It reads every row that waits:
// for people, not for the way of an item.
func (o *Outbox) Ladder(ctx context.Context) ([]event.LadderStep, error) { return ladder(ctx, o.db) }

// Ladder is what waits by priority and rung, the most urgent first.
func (r *Reader) Ladder(ctx context.Context) ([]event.LadderStep, error) { return ladder(ctx, r.db) }

func ladder(ctx context.Context, db *sql.DB) ([]event.LadderStep, error) {
	rows, err := db.QueryContext(ctx, "SELECT priority, rung, count(*), sum(bytes), min(committed) FROM items GROUP BY priority, rung ORDER BY priority, rung")
	if err != nil {
		return nil, fmt.Errorf("count what waits: %w", err)
	}
	defer rows.Close()
	all := []event.LadderStep{}
	for rows.Next() {
		var s event.LadderStep
		var oldest int64
		if err := rows.Scan(&s.Priority, &s.Rung, &s.Items, &s.Bytes, &oldest); err != nil {
			return nil, fmt.Errorf("count what waits: %w", err)
		}
		s.Oldest = time.Unix(0, oldest).UTC()
		all = append(all, s)
	}
	return all, rows.Err()
}

// About says what an item that waits is, without its data; ErrGone where it waits no more.
func (o *Outbox) About(ctx context.Context, seq uint64) (kind event.Kind, stream, subject string, err error) {
	err = o.db.QueryRowContext(ctx, "SELECT kind, stream, subject FROM items WHERE seq=?", seq).Scan(&kind, &stream, &subject)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("item %d: %w", seq, ErrGone)
	}
	return kind, stream, subject, err
}

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
