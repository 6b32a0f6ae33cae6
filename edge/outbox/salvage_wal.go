package outbox

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// SQLite believes its write-ahead log up to the first frame whose checksum is wrong, and passes over
// all behind it silently: after a power cut that is the torn end of a transaction which was never
// acknowledged. A flipped bit in the midst looks the same to it, and takes every later transaction
// along. So the log is read before SQLite opens it. https://sqlite.org/fileformat2.html#walformat

const (
	walHeader  = 32
	walFrame   = 24 // before each page
	walMagic   = 0x377f0682
	walVersion = 3007000
)

// walSums is SQLite's running checksum.
type walSums [2]uint32

func (s walSums) over(order binary.ByteOrder, data []byte) walSums {
	for ; len(data) >= 8; data = data[8:] {
		s[0] += order.Uint32(data) + s[1]
		s[1] += order.Uint32(data[4:]) + s[0]
	}
	return s
}

// walHead is the beginning of a log.
type walHead struct {
	order    binary.ByteOrder // of the checksums
	page     int
	sequence uint32
	salts    walSums
	sums     walSums
}

func readWALHead(b []byte) (h walHead, ok bool) {
	magic := binary.BigEndian.Uint32(b)
	h = walHead{order: binary.LittleEndian, page: int(binary.BigEndian.Uint32(b[8:])), sequence: binary.BigEndian.Uint32(b[12:]),
		salts: walSums{binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])}, sums: walSums{binary.BigEndian.Uint32(b[24:]), binary.BigEndian.Uint32(b[28:])}}
	if magic == walMagic+1 {
		h.order = binary.BigEndian
	}
	return h, magic&^1 == walMagic && h.page >= 512 && h.page <= 65536 && h.page&(h.page-1) == 0 && walSums{}.over(h.order, b[:24]) == h.sums
}

func (h walHead) write() []byte {
	b := make([]byte, walHeader)
	magic := uint32(walMagic)
	if h.order == binary.ByteOrder(binary.BigEndian) {
		magic++
	}
	for n, v := range []uint32{magic, walVersion, uint32(h.page), h.sequence, h.salts[0], h.salts[1]} {
		binary.BigEndian.PutUint32(b[4*n:], v)
	}
	s := walSums{}.over(h.order, b[:24])
	binary.BigEndian.PutUint32(b[24:], s[0])
	binary.BigEndian.PutUint32(b[28:], s[1])
	return b
}

// frame is one page of a log with what stands before it.
type frame []byte

func (f frame) number() uint32 { return binary.BigEndian.Uint32(f) }
func (f frame) commit() uint32 { return binary.BigEndian.Uint32(f[4:]) } // the database's size in pages; 0: not the last of its transaction
func (f frame) salts() walSums {
	return walSums{binary.BigEndian.Uint32(f[8:]), binary.BigEndian.Uint32(f[12:])}
}
func (f frame) sums() walSums {
	return walSums{binary.BigEndian.Uint32(f[16:]), binary.BigEndian.Uint32(f[20:])}
}
func (f frame) follows(h walHead, before walSums) bool {
	return f.salts() == h.salts && before.over(h.order, f[:8]).over(h.order, f[walFrame:]) == f.sums()
}

// walState is what was found in a log.
type walState struct {
	head    walHead
	headBad bool
	good    int    // frames from the beginning on that SQLite believes
	end     int    // where the last transaction ends of which something is believed; good where nothing is behind
	pages   uint32 // the largest size of the database that a believed frame tells
	// damaged: transactions were made durable behind the first bad frame. SQLite syncs each before the
	// next begins, so that two ends of transactions in one unbroken run behind it prove that the bad
	// frame was whole once.
	damaged bool
	// torn: something is behind the good frames that is of this log and not whole. That is a power
	// cut's trace, or damage to the very last transaction: only what is known otherwise tells.
	torn bool
}

// inspectWAL reads a log. None, and one that is empty, have nothing wrong.
func inspectWAL(path string, pageSize int) (found walState, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return found, err
	}
	defer f.Close()
	b := make([]byte, walHeader)
	if _, err := io.ReadFull(f, b); err != nil {
		return found, nil // SQLite takes it for none
	}
	head, ok := readWALHead(b)
	if ok {
		found.head = head
		return found, found.read(bufio.NewReaderSize(f, 1<<20))
	}
	// A damaged head says nothing for sure: the order that the frames' checksums have is the right one.
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if _, err := f.Seek(walHeader, io.SeekStart); err != nil {
			return found, err
		}
		l := walState{headBad: true, head: walHead{order: order, page: pageSize, sequence: head.sequence}}
		if err := l.read(bufio.NewReaderSize(f, 1<<20)); err != nil {
			return found, err
		}
		if found.head.page == 0 || l.damaged && !found.damaged {
			found = l
		}
	}
	return found, nil
}

func (l *walState) read(in io.Reader) error {
	before, bad := l.head.sums, l.headBad
	run, loose := 0, 0
	for n := 0; ; n++ {
		f := make(frame, walFrame+l.head.page)
		if _, err := io.ReadFull(in, f); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		} else if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		if l.headBad && n == 0 {
			l.head.salts = f.salts()
		}
		own := f.salts() == l.head.salts
		follows := own && f.follows(l.head, before)
		before = f.sums()
		if own && f.commit() != 0 {
			loose = n + 1
		}
		switch {
		case !bad && follows:
			l.good = n + 1
		case !bad:
			bad, l.torn = true, own
			if own && f.commit() != 0 {
				run = 1
			}
		case follows:
			if f.commit() != 0 {
				run, l.end = run+1, n+1
			}
		case n > 0 && run < 2:
			run = 0
		}
		if (follows || !bad) && f.commit() != 0 {
			l.pages = max(l.pages, f.commit())
		}
		l.damaged = l.damaged || run >= 2
	}
	l.torn = l.torn || l.end > l.good
	if l.torn && l.end <= l.good {
		l.end = loose
	}
	l.end = max(l.end, l.good)
	return nil
}

// repairWAL copies a log with its checksums made anew from the damage on, so that SQLite reads on. What
// its pages say must be believed by other means.
func repairWAL(from, to string, l walState, pages uint32) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	r, w := bufio.NewReaderSize(in, 1<<20), bufio.NewWriterSize(out, 1<<20)
	if _, err := r.Discard(walHeader); err != nil {
		return err
	}
	head := l.head.write()
	if _, err := w.Write(head); err != nil {
		return err
	}
	sums := walSums{binary.BigEndian.Uint32(head[24:]), binary.BigEndian.Uint32(head[28:])}
	most := max(pages, l.pages)
	for range l.end {
		f := make(frame, walFrame+l.head.page)
		if _, err := io.ReadFull(r, f); err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		if f.number() == 0 || f.number() > most || f.commit() > most {
			continue // no page of this database
		}
		binary.BigEndian.PutUint32(f[8:], l.head.salts[0])
		binary.BigEndian.PutUint32(f[12:], l.head.salts[1])
		sums = sums.over(l.head.order, f[:8]).over(l.head.order, f[walFrame:])
		binary.BigEndian.PutUint32(f[16:], sums[0])
		binary.BigEndian.PutUint32(f[20:], sums[1])
		if _, err := w.Write(f); err != nil {
			return err
		}
	}
	return w.Flush()
}

// pageSizeOf is the size of a database's pages, by its header; SQLite's usual one where that can't be read.
func pageSizeOf(path string) (page int, pages uint32) {
	page = 4096
	f, err := os.Open(path)
	if err != nil {
		return page, 0
	}
	defer f.Close()
	head := make([]byte, 100)
	if _, err := f.ReadAt(head, 0); err == nil {
		if n := int(binary.BigEndian.Uint16(head[16:])); n >= 512 && n&(n-1) == 0 {
			page = n
		}
	}
	if info, err := f.Stat(); err == nil {
		pages = uint32(info.Size() / int64(page))
	}
	return page, pages
}
