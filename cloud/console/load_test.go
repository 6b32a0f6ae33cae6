package console

import (
	"database/sql"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/soak"
)

// load is how much a console is asked to carry.
type load struct {
	scenes, cameras, events, tries int
	p95                            time.Duration
}

// The issue's own figures take a minute to fill in. The short form has no limit on the time.
func theLoad() load {
	if soak.Asked() {
		return load{1000, 200, 1_000_000, 20, 200 * time.Millisecond}
	}
	return load{scenes: 30, cameras: 10, events: 1_000, tries: 3}
}

func TestPagesStayQuickWithMuchInTheIndex(t *testing.T) {
	l := theLoad()
	w := newWorld(t, nil)
	w.putScene("alpha", w.start)
	w.putCamera("gate", time.Now().UTC())
	w.caughtUp()
	l.fill(w)
	for _, path := range []string{
		"/", "/scenes", "/scenes?page=3", "/scenes/mast-7/alpha", "/cameras", "/cameras?label=label-3", "/cameras/mast-7/camera-7", "/cameras?kind=alert&from=2020-01-01", "/sensors", "/link", "/cluster", "/letters",
		"/api/v1/scenes?bbox=7,47,8,49", "/api/v1/events?label=label-3&limit=100", "/api/v1/events?edge=mast-7&stream=camera-7", "/stac/search?limit=10", "/api/v1/overview",
	} {
		took := make([]time.Duration, l.tries)
		for i := range took {
			start := time.Now()
			if status, body := w.get(path); status != http.StatusOK {
				t.Fatalf("%s: %d %.300s", path, status, body)
			}
			took[i] = time.Since(start)
		}
		slices.Sort(took)
		if p95 := took[max(l.tries*95/100, 1)-1]; soak.Timed() && p95 > l.p95 {
			t.Errorf("%s: 95 of 100 answers within %v, want %v", path, p95, l.p95)
		}
	}
}

// fill puts rows where the index would, in large transactions.
func (l load) fill(w *world) {
	w.Helper()
	db := w.database()
	const chunk = 50_000
	start := w.start.Add(-24 * time.Hour).UnixMilli()
	for from := 0; from < l.events; from += chunk {
		transact(w, db, func(tx *sql.Tx) error {
			for n := from; n < min(from+chunk, l.events); n++ {
				kind, at := event.Track, start+int64(n)*50
				if n%50 == 0 {
					kind = event.Alert
				}
				_, err := tx.Exec(`INSERT INTO events (id, kind, edge, stream, label, state, score, at, until, heard, frame, frames, box, picture)
					VALUES (?, ?, 'mast-7', ?, ?, 'end', 0.5, ?, ?, ?, 0, 0, '[0,0,1,1]', '')`,
					fmt.Sprint(kind, "/", n), string(kind), fmt.Sprintf("camera-%d", n%l.cameras), fmt.Sprintf("label-%d", n%20), at, at+1000, at)
				if err != nil {
					return err
				}
			}
			_, err := tx.Exec("INSERT OR REPLACE INTO labels SELECT label, count(*) FROM events GROUP BY label")
			return err
		})
	}
	transact(w, db, func(tx *sql.Tx) error {
		for n := range l.scenes {
			_, err := tx.Exec(`INSERT INTO scenes (edge, id, captured, manifested, published, complete, width, height, ring, west, south, east, north, product)
				SELECT edge, ?, captured - ?, manifested, published, complete, width, height, ring, west, south, east, north, product FROM scenes WHERE id = 'alpha'`, fmt.Sprint("scene-", n), (n+1)*60_000)
			if err != nil {
				return err
			}
		}
		for n := range l.cameras {
			_, err := tx.Exec("INSERT INTO cameras (edge, name, model, width, height, heard) SELECT edge, ?, model, width, height, heard FROM cameras WHERE name = 'gate'", fmt.Sprint("camera-", n))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func transact(t testing.TB, db *sql.DB, do func(*sql.Tx) error) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := do(tx); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}
