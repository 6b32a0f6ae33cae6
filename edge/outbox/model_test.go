package outbox

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cloudcanvas/shared/event"
)

// simple is what the outbox should be, without a disk: the model that it is held against.
type simple struct {
	config  Config
	now     time.Time
	next    uint64
	waiting map[uint64]*kept
	keys    map[string]uint64
	ledger  map[uint64]string
	got     uint64
	epochs  []simpleEpoch
}

// simpleEpoch is one start of the outbox.
type simpleEpoch struct {
	name  event.Epoch
	first uint64 // in the buffer's own numbers
}

// place is how the cloud knows an item, by going through all epochs.
func (m *simple) place(seq uint64) (name event.Epoch, number uint64) {
	for _, e := range m.epochs {
		if e.first <= seq {
			name, number = e.name, seq-e.first+1
		}
	}
	return name, number
}

// through is the last number that was committed in an epoch.
func (m *simple) through(e int) uint64 {
	last := m.next
	if e+1 < len(m.epochs) {
		last = m.epochs[e+1].first - 1
	}
	return last - m.epochs[e].first + 1
}

type kept struct {
	Draft
	seq     uint64
	expires time.Time
}

func (m *simple) commit(d Draft, drop bool) (seq uint64, refused bool) {
	if seq, ok := m.keys[d.Key]; ok && d.Key != "" {
		return seq, false
	}
	if !drop && !m.room(d, len(d.Data), 1) {
		return 0, true
	}
	m.next++
	k := &kept{Draft: d, seq: m.next, expires: d.Expires}
	if after := m.config.Streams[d.Stream].ExpireAfter; after > 0 && k.expires.IsZero() {
		k.expires = m.now.Add(after)
	}
	m.waiting[m.next] = k
	if d.Key != "" {
		m.keys[d.Key] = m.next
	}
	own := m.config.Streams[d.Stream]
	switch {
	case drop && own.QuotaBytes > 0 && int64(len(d.Data)) > own.QuotaBytes:
		m.drop(k.seq, ReasonQuota)
	case drop:
		m.dropWhile(d.Stream, func(n int, b int64) bool {
			return own.QuotaRows > 0 && int64(n) > own.QuotaRows || own.QuotaBytes > 0 && b > own.QuotaBytes
		})
		m.dropWhile("", func(n int, b int64) bool { return int64(n) > m.config.QuotaRows || b > m.config.QuotaBytes })
	}
	return k.seq, false
}

func (m *simple) count(stream string) (n int, b int64) {
	for _, k := range m.waiting {
		if stream == "" || k.Stream == stream {
			n, b = n+1, b+int64(len(k.Data))
		}
	}
	return n, b
}

func (m *simple) room(d Draft, bytes, rows int) bool {
	n, b := m.count("")
	sn, sb := m.count(d.Stream)
	own := m.config.Streams[d.Stream]
	return int64(n+rows) <= m.config.QuotaRows && b+int64(bytes) <= m.config.QuotaBytes &&
		(own.QuotaRows == 0 || int64(sn+rows) <= own.QuotaRows) && (own.QuotaBytes == 0 || sb+int64(bytes) <= own.QuotaBytes)
}

func (m *simple) dropWhile(stream string, over func(int, int64) bool) {
	for over(m.count(stream)) {
		all := slices.Collect(maps.Values(m.waiting))
		worst := slices.MaxFunc(all, func(a, b *kept) int {
			switch {
			case stream != "" && (a.Stream == stream) != (b.Stream == stream):
				return map[bool]int{true: 1, false: -1}[a.Stream == stream]
			case a.Priority != b.Priority:
				return int(a.Priority) - int(b.Priority)
			case cheap(a.Draft) < cheap(b.Draft):
				return -1
			case cheap(a.Draft) > cheap(b.Draft):
				return 1
			}
			return int(int64(b.seq) - int64(a.seq))
		})
		m.drop(worst.seq, ReasonQuota)
	}
}

func (m *simple) drop(seq uint64, reason string) {
	delete(m.waiting, seq)
	m.ledger[seq] = reason
}

// TestTheOutboxIsWhatASimpleModelSays runs random operations, with restarts in between, and compares.
// Millions of operations with CANVAS_SOAK.
func TestTheOutboxIsWhatASimpleModelSays(t *testing.T) {
	rounds := 1
	if os.Getenv("CANVAS_SOAK") != "" {
		rounds = 500 // of 100 runs of some dozens of operations
	}
	for range rounds {
		rapid.Check(t, modelled)
	}
}

func modelled(t *rapid.T) {
	dir, err := os.MkdirTemp(memory(), "outbox")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	c := Config{QuotaBytes: 200 << 10, QuotaRows: 12, Streams: map[string]Stream{
		"small": {QuotaBytes: 60 << 10}, "few": {QuotaRows: 3}, "short": {ExpireAfter: time.Minute}}}
	m := &simple{config: c, now: time.Now(), waiting: map[uint64]*kept{}, keys: map[string]uint64{}, ledger: map[uint64]string{}}
	o := opened(t, dir, c)
	o.now = func() time.Time { return m.now }
	m.epochs = append(m.epochs, simpleEpoch{o.Epoch(), 1})
	is := func(i event.Item, seq uint64) bool {
		epoch, number := m.place(seq)
		return i.Epoch == epoch && i.Seq == number
	}
	defer func() { o.Close() }()
	someDraft := func(t *rapid.T) Draft {
		d := Draft{Kind: event.Tile, Type: "x", Stream: rapid.SampledFrom([]string{"a", "small", "few", "short"}).Draw(t, "stream"),
			Priority: event.Priority(rapid.IntRange(0, 3).Draw(t, "priority")), Value: float64(rapid.IntRange(0, 4).Draw(t, "value")) / 4,
			Data: bytes.Repeat([]byte{byte(rapid.IntRange(0, 255).Draw(t, "fill"))}, rapid.SampledFrom([]int{0, 10, 3000, 20 << 10, 50 << 10, 70 << 10}).Draw(t, "bytes"))}
		d.Key = rapid.SampledFrom([]string{"", "", "k1", "k2", "k3"}).Draw(t, "key")
		if rapid.IntRange(0, 4).Draw(t, "expires") == 0 {
			d.Expires = m.now.Add(30 * time.Second)
		}
		return d
	}
	t.Repeat(map[string]func(*rapid.T){
		"submit": func(t *rapid.T) {
			d := someDraft(t)
			a := <-o.Submit(t.Context(), d)
			if seq, _ := m.commit(d, true); a.Err != nil || !is(a.Item, seq) {
				t.Fatalf("submitted as %d, %v; the model says %d", a.Item.Seq, a.Err, seq)
			}
		},
		"commit": func(t *rapid.T) {
			d := someDraft(t)
			seq, refused := m.commit(d, false)
			if refused {
				return // it would wait
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			items, err := o.Commit(ctx, d)
			if err != nil || !is(items[0], seq) {
				t.Fatalf("committed as %v, %v; the model says %d", items, err, seq)
			}
		},
		"receive": func(t *rapid.T) {
			e := rapid.IntRange(0, len(m.epochs)-1).Draw(t, "epoch")
			last := m.through(e)
			r := event.Receipt{Epoch: m.epochs[e].name, Through: uint64(rapid.IntRange(0, int(last)).Draw(t, "through"))}
			if from := r.Through + 2; rapid.Bool().Draw(t, "above") && from <= last {
				r.Above = []event.Range{{From: from, To: min(from+2, last)}}
			}
			want := 0
			for seq := range m.waiting {
				if epoch, number := m.place(seq); epoch == r.Epoch && r.Has(number) {
					delete(m.waiting, seq)
					want++
				}
			}
			m.got += uint64(want)
			if n, err := o.Receive(t.Context(), r); err != nil || n != want {
				t.Fatalf("%+v freed %d, %v; the model says %d", r, n, err, want)
			}
		},
		"expire": func(t *rapid.T) {
			m.now = m.now.Add(time.Duration(rapid.IntRange(1, 50).Draw(t, "seconds")) * time.Second)
			want := 0
			for seq, k := range m.waiting {
				if !k.expires.IsZero() && k.expires.Before(m.now) {
					m.drop(seq, ReasonExpired)
					want++
				}
			}
			if n, err := o.Expire(t.Context()); err != nil || n != want {
				t.Fatalf("%d expired, %v; the model says %d", n, err, want)
			}
		},
		"withdraw": func(t *rapid.T) {
			key, want := rapid.SampledFrom([]string{"k1", "k2", "k3"}).Draw(t, "key"), 0
			if seq, ok := m.keys[key]; ok && m.waiting[seq] != nil {
				m.drop(seq, ReasonSuperseded)
				want = 1
			}
			if n, err := o.Withdraw(t.Context(), key); err != nil || n != want {
				t.Fatalf("%d withdrawn, %v; the model says %d", n, err, want)
			}
		},
		"restart": func(t *rapid.T) {
			epoch := o.Epoch()
			o.Close()
			o = opened(t, dir, c)
			o.now = func() time.Time { return m.now }
			if o.Epoch() == epoch {
				t.Fatal("a restart did not make a new epoch")
			}
			if last := &m.epochs[len(m.epochs)-1]; last.first > m.next {
				last.name = o.Epoch() // nothing was committed in the one before
			} else {
				m.epochs = append(m.epochs, simpleEpoch{o.Epoch(), m.next + 1})
			}
		},
		"send again": func(t *rapid.T) {
			e := rapid.IntRange(0, len(m.epochs)-1).Draw(t, "epoch")
			var of []*kept
			for _, k := range m.waiting {
				if epoch, _ := m.place(k.seq); epoch == m.epochs[e].name {
					of = append(of, k)
				}
			}
			slices.SortFunc(of, func(a, b *kept) int { return int(a.seq) - int(b.seq) })
			if n, err := o.sendAgain(t.Context(), m.epochs[e].name); err != nil || n != len(of) {
				t.Fatalf("%d are sent again, %v; the model says %d", n, err, len(of))
			}
			if last := &m.epochs[len(m.epochs)-1]; e == len(m.epochs)-1 && last.first > m.next {
				last.name = o.Epoch()
			} else if e == len(m.epochs)-1 {
				m.epochs = append(m.epochs, simpleEpoch{o.Epoch(), m.next + 1})
			}
			for _, k := range of {
				m.drop(k.seq, ReasonMoved)
				m.next++
				k.seq = m.next
				m.waiting[k.seq] = k
				if k.Key != "" {
					m.keys[k.Key] = k.seq
				}
			}
		},
		"": func(t *rapid.T) { compare(t, o, m) },
	})
}

func opened(t *rapid.T, dir string, c Config) *Outbox {
	o, err := Open(dir, "mast-7", c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func compare(t *rapid.T, o *Outbox, m *simple) {
	s := o.Stats()
	n, b := m.count("")
	if s.Committed != m.next || s.Received != m.got || s.Waiting != uint64(n) || s.Dropped != uint64(len(m.ledger)) || s.Bytes != b {
		t.Fatalf("%+v; the model has %d committed, %d received, %d waiting of %d bytes, %d dropped", s, m.next, m.got, n, b, len(m.ledger))
	}
	for seq := uint64(1); seq <= m.next; seq++ {
		k := m.waiting[seq]
		if k == nil {
			if o.Waits(seq) {
				t.Fatalf("item %d waits; in the model it is gone (%s)", seq, m.ledger[seq])
			}
			continue
		}
		i, err := o.Load(seq)
		epoch, number := m.place(seq)
		if err != nil || i.Epoch != epoch || i.Seq != number || o.Number(epoch, number) != seq || !bytes.Equal(i.Data, k.Data) || i.Priority != k.Priority || i.Stream != k.Stream {
			t.Fatalf("item %d: %v", seq, err)
		}
	}
	waiting := map[event.Epoch]uint64{}
	for seq := range m.waiting {
		epoch, _ := m.place(seq)
		waiting[epoch]++
	}
	for _, e := range o.Epochs() {
		at := slices.IndexFunc(m.epochs, func(s simpleEpoch) bool { return s.name == e.Epoch })
		if at < 0 || e.Through != m.through(at) || e.Waiting != waiting[e.Epoch] {
			t.Fatalf("%+v; the model has %d waiting of %v", e, waiting[e.Epoch], m.epochs)
		}
	}
	rows, err := o.db.Query("SELECT seq, reason FROM ledger")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	reported := map[uint64]string{}
	for rows.Next() {
		var seq uint64
		var reason string
		if err := rows.Scan(&seq, &reason); err != nil {
			t.Fatal(err)
		}
		reported[seq] = reason
	}
	if !maps.Equal(reported, m.ledger) {
		t.Fatalf("the ledger says %s; the model's %s", fmt.Sprint(reported), fmt.Sprint(m.ledger))
	}
}
