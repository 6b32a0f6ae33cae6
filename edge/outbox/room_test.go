package outbox

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/event"
)

// submitted commits n items as a live source does, and waits for all of them.
func submitted(t testing.TB, o *Outbox, n int, d Draft) {
	t.Helper()
	answers := make([]<-chan Answer, n)
	for i := range answers {
		answers[i] = o.Submit(t.Context(), d)
	}
	for _, answer := range answers {
		if a := <-answer; a.Err != nil {
			t.Fatal(a.Err)
		}
	}
}

func TestALiveItemThatCanNeverFitDropsNothingButItself(t *testing.T) {
	for name, c := range map[string]Config{
		"larger than the quota":          {QuotaBytes: 1000, QuotaRows: 100},
		"larger than its stream's quota": {QuotaBytes: 1 << 20, QuotaRows: 100, Streams: map[string]Stream{"scene": {QuotaBytes: 1000}}},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, t.TempDir(), c)
			submitted(t, o, 5, draft(1))
			big := draft(2)
			big.Priority, big.Value, big.Data = event.Urgent, 1, make([]byte, 2000)
			a := <-o.Submit(t.Context(), big)
			if a.Err != nil || o.Waits(a.Item.Seq) {
				t.Errorf("the large one waits, or failed: %v", a.Err)
			}
			if s := balanced(t, o); s.Waiting != 5 || s.Dropped != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestTheQuotaHoldsWhereOneItemPushesOutMoreThanATransactionDrops(t *testing.T) {
	c := Config{QuotaBytes: 1 << 20, QuotaRows: 10_000}
	o := open(t, t.TempDir(), c)
	small := draft(1)
	small.Priority, small.Data = event.Low, make([]byte, 500)
	submitted(t, o, 2000, small)
	big := draft(2)
	big.Priority, big.Value, big.Data = event.High, 1, make([]byte, 900<<10)
	submitted(t, o, 1, big)
	// The next change is made after all that the item before it pushed out.
	if err := o.change(t.Context(), func(*step) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if s := balanced(t, o); s.Bytes > c.QuotaBytes || s.Dropped <= deletesAtOnce || !o.Waits(2001) {
		t.Errorf("%+v, the quota is %d", s, c.QuotaBytes)
	}
}

func TestDropsOfAStreamDoNotPassOverTheBacklogOfOthers(t *testing.T) {
	c := DefaultConfig()
	dir := t.TempDir()
	plan := func(c Config) string {
		o := open(t, dir, c)
		defer o.Close()
		rows, err := o.db.Query("EXPLAIN QUERY PLAN "+rowColumns+"WHERE stream=? AND "+droppable+worstFirst, "camera")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var steps []string
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			steps = append(steps, detail)
		}
		return strings.Join(steps, "; ")
	}
	if got := plan(c); strings.Contains(got, "items_stream") {
		t.Errorf("an index that nobody needs: %s", got)
	}
	c.Streams = map[string]Stream{"camera": {QuotaRows: 50}}
	if got := plan(c); got != "SEARCH items USING INDEX items_stream (stream=?)" {
		t.Errorf("drops of one stream: %s", got)
	}
	delete(c.Streams, "camera")
	if got := plan(c); strings.Contains(got, "items_stream") {
		t.Errorf("the index outlives its use: %s", got)
	}
}

func TestATransactionThatFailsLeavesNoBytesBehind(t *testing.T) {
	for _, kept := range []int{1, 0} { // beside a payload that waits, and in an empty segment
		t.Run(fmt.Sprintf("%d waiting", kept), func(t *testing.T) {
			dir := t.TempDir()
			o := open(t, dir, DefaultConfig())
			for i := range kept {
				if _, err := o.Commit(t.Context(), large(i)); err != nil {
					t.Fatal(err)
				}
			}
			no := errors.New("no")
			for range 20 {
				err := o.change(t.Context(), func(s *step) error {
					d := large(7)
					if _, err := s.insert(d, ulid.ULID{}, event.Sum(d.Data)); err != nil {
						return err
					}
					return no
				})
				if !errors.Is(err, no) {
					t.Fatal(err)
				}
			}
			payload := int64(len(large(0).Data))
			if used := allocated(t, dir); used > int64(kept)*payload+40*2*page {
				t.Errorf("%d bytes are allocated for %d payloads of %d", used, kept, payload)
			}
			items, err := o.Commit(t.Context(), large(8))
			if err != nil {
				t.Fatal(err)
			}
			for seq := uint64(1); seq <= items[0].Seq; seq++ {
				if _, err := o.Load(seq); err != nil {
					t.Error(err)
				}
			}
			balanced(t, o)
		})
	}
}
