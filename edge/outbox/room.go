package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// fits says whether a draft has room beside what waits, in all and of its stream.
func (o *Outbox) fits(all Stats, stream usage, d Draft) bool {
	bytes := int64(len(d.Data))
	if all.Bytes+bytes > o.quota() || int64(all.Waiting)+1 > o.config.QuotaRows {
		return false
	}
	own := o.config.Streams[d.Stream]
	return (own.QuotaBytes == 0 || stream.bytes+bytes <= own.QuotaBytes) && (own.QuotaRows == 0 || stream.waiting+1 <= own.QuotaRows)
}

// noRoom is why a draft of a source that can wait is not taken now: it waits, or it never fits.
func (o *Outbox) noRoom(d Draft) error {
	own, bytes := o.config.Streams[d.Stream].QuotaBytes, int64(len(d.Data))
	if bytes > o.config.QuotaBytes || own > 0 && bytes > own {
		return fmt.Errorf("%w: %d bytes of stream %s: raise outbox.quota_bytes, or the stream's", ErrTooLarge, bytes, d.Stream)
	}
	return errNoRoom
}

// row is an item as far as it takes to let it go.
type row struct {
	seq    uint64
	kind   event.Kind
	stream string
	at     span
}

// droppable are the rows that may be dropped to make room.
const droppable = "kind NOT IN ('" + string(event.Ack) + "', '" + string(event.Answer) + "')"

// neverDropped says whether items of a kind are committed however full the buffer is, and never dropped for
// room: what tells of drops, and what answers a question of the cloud.
func neverDropped(k event.Kind) bool { return k == event.Ack || k == event.Answer }

const rowColumns = "SELECT seq, kind, stream, bytes, segment, place FROM items "

func (s *step) rows(rest string, args ...any) ([]row, error) {
	found, err := s.conn.QueryContext(context.Background(), rowColumns+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("query the outbox: %w", err)
	}
	defer found.Close()
	var all []row
	for found.Next() {
		var r row
		if err := found.Scan(&r.seq, &r.kind, &r.stream, &r.at.bytes, &r.at.segment, &r.at.place); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, found.Err()
}

// worstFirst is the order of dropping: what is least urgent, then what is worth least per byte, then
// what is oldest. What is urgent goes only when nothing else is left; reports of drops never do.
const (
	worstFirst  = " ORDER BY priority DESC, cheap DESC, seq LIMIT 16"
	dropsAtOnce = 16
)

// admit makes room for what a live source has committed. What would not fit beside nothing goes
// itself: all else would go in vain.
func (s *step) admit(seq uint64, d Draft) error {
	own, bytes := s.o.config.Streams[d.Stream].QuotaBytes, int64(len(d.Data))
	if bytes <= s.o.quota() && (own == 0 || bytes <= own) {
		return s.makeRoom(d.Stream)
	}
	found, err := s.rows("WHERE seq=?", seq)
	if err != nil || len(found) == 0 {
		return err
	}
	return s.remove(found[0], ReasonQuota)
}

// makeRoom drops until the quotas hold, first the stream's, then the whole.
func (s *step) makeRoom(stream string) error {
	own, whole := s.o.config.Streams[stream], s.o.config
	unfinished, err := s.dropWhile(func() bool {
		u := s.usage(stream)
		return own.QuotaBytes > 0 && u.bytes > own.QuotaBytes || own.QuotaRows > 0 && u.waiting > own.QuotaRows
	}, "WHERE stream=? AND "+droppable+worstFirst, stream)
	if err != nil {
		return err
	}
	more, err := s.dropWhile(func() bool {
		return s.p.stats.Bytes > s.o.quota() || int64(s.p.stats.Waiting) > whole.QuotaRows
	}, "WHERE "+droppable+worstFirst)
	if unfinished || more {
		s.p.behind = append(s.p.behind, stream)
	}
	return err
}

// dropWhile drops while it is over a bound, but no more than one transaction should, and says whether
// that left some for the next.
func (s *step) dropWhile(over func() bool, which string, args ...any) (unfinished bool, err error) {
	for n := 0; over() && n < deletesAtOnce; n += dropsAtOnce {
		worst, err := s.rows(which, args...)
		if err != nil || len(worst) == 0 {
			return false, err
		}
		for i := range worst {
			if !over() {
				return false, nil
			}
			if err := s.remove(worst[i], ReasonQuota); err != nil {
				return false, err
			}
		}
	}
	return over(), nil
}

// catchUp goes on dropping where the bound of one transaction stopped short of a quota.
func (o *Outbox) catchUp() {
	for len(o.behind) > 0 {
		streams := o.behind
		o.behind = nil
		on := request{change: func(s *step) error {
			for _, stream := range streams {
				if err := s.makeRoom(stream); err != nil {
					return err
				}
			}
			return nil
		}}
		if err := o.tryAlone([]request{on}, make([]Answer, 1)); err != nil {
			o.log.Error("the outbox could not drop enough to keep its quota", telemetry.Err, err)
		}
	}
}

// remove takes an item out of the buffer: into the ledger with a reason, or without one as received.
func (s *step) remove(r row, reason string) error {
	var err error
	if reason != "" {
		epoch, seq := s.terms().place(r.seq)
		_, err = s.putDrop.Exec(r.seq, string(r.kind), r.stream, r.at.bytes, reason, s.o.now().UnixNano(), dropChecksum(r.seq, epoch, seq, reason))
		s.p.stats.Dropped++
	} else {
		s.p.stats.Received++
	}
	if err == nil && r.at.segment == 0 {
		_, err = s.dropPayload.Exec(r.seq)
	}
	if err == nil {
		_, err = s.dropItem.Exec(r.seq)
	}
	if _, held := s.o.parts[r.seq]; err == nil && held {
		_, err = s.dropParts.Exec(r.seq)
	}
	if err != nil {
		return fmt.Errorf("take item %d out of the outbox: %w", r.seq, err)
	}
	if r.at.segment != 0 {
		s.p.segments[r.at.segment]--
		s.p.spans = append(s.p.spans, r.at)
	}
	s.p.gone[r.seq] = true
	delete(s.p.parts, r.seq)
	s.countEpoch(r.seq, -1)
	s.countStream(r.stream, -1, -r.at.bytes)
	return nil
}

// onDiskFull lets a full disk be lived with: the ballast gives the room in which rows can still be
// deleted, and from now on the buffer holds less than it did. That room would else be filled as well.
func (o *Outbox) onDiskFull() {
	o.ballast.drop(o.log)
	defer o.signalChanged()
	o.note(func(s *Stats) {
		if !s.Full {
			o.fullSince = o.now()
		}
		s.Full = true
		o.ceiling = max(s.Bytes*9/10, o.config.BallastBytes/4)
	})
}

// quota is how many bytes may wait now.
func (o *Outbox) quota() int64 {
	if o.ceiling > 0 {
		return min(o.ceiling, o.config.QuotaBytes)
	}
	return o.config.QuotaBytes
}

// ballast is a file that holds room back: on a full disk it is thrown off, so that what was received
// can still be deleted and drops be written down.
type ballast struct {
	path  string
	bytes int64
}

// keep makes the ballast where it is missing and the disk has room for it twice over, and says
// whether it is there.
func (b ballast) keep(log *slog.Logger) bool {
	if b.bytes == 0 {
		return true
	}
	if info, err := os.Stat(b.path); err == nil && info.Size() == b.bytes {
		return true
	}
	var disk unix.Statfs_t
	if unix.Statfs(filepath.Dir(b.path), &disk) != nil || int64(disk.Bavail)*disk.Bsize < 2*b.bytes {
		return false
	}
	f, err := os.Create(b.path)
	if err == nil {
		if err = unix.Fallocate(int(f.Fd()), 0, 0, b.bytes); errors.Is(err, unix.EOPNOTSUPP) {
			_, err = f.Write(make([]byte, b.bytes))
		}
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		os.Remove(b.path)
		log.Warn("the outbox's ballast, which is room kept for a full disk, could not be made", "file", b.path, "bytes", b.bytes, telemetry.Err, err)
		return false
	}
	return true
}

// drop gives the room back, and says whether there was any.
func (b ballast) drop(log *slog.Logger) bool {
	if os.Remove(b.path) != nil {
		return false
	}
	log.Error("the outbox's disk is full: its ballast is deleted, and the least valuable items are dropped", "file", b.path, "bytes", b.bytes)
	return true
}

func isENOSPC(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }
