package index

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestPagesNeitherRepeatNorSkipWhileScenesArrive turns pages of a search of which only some scenes
// match, while others arrive between two pages: every scene that was there at the beginning and
// matches comes once, and no page but the last is short.
func TestPagesNeitherRepeatNorSkipWhileScenesArrive(t *testing.T) {
	x, err := openIn(t.Context(), t.TempDir(), willing{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	rapid.Check(t, func(t *rapid.T) {
		if _, err := x.write.Exec("DELETE FROM scenes"); err != nil {
			t.Fatal(err)
		}
		number := 0
		arrive := func(n int) (ids []string) {
			for range n {
				number++
				id := fmt.Sprintf("s%d-%v", number, rapid.Bool().Draw(t, "matches"))
				if _, err := x.write.Exec("INSERT INTO scenes (edge, id, captured) VALUES (?, ?, ?)", rapid.SampledFrom([]string{"a", "b"}).Draw(t, "edge"), id, rapid.Int64Range(0, 5).Draw(t, "captured")); err != nil {
					t.Fatal(err)
				}
				ids = append(ids, id)
			}
			return ids
		}
		match := func(s Scene) bool { return strings.HasSuffix(s.ID, "true") }
		there := arrive(rapid.IntRange(0, 20).Draw(t, "there"))
		q := SceneQuery{Limit: rapid.IntRange(1, 5).Draw(t, "limit")}
		var got []string
		for more := true; more; {
			var page []Scene
			var err error
			if page, more, err = x.Scenes.Matching(t.Context(), q, match); err != nil {
				t.Fatal(err)
			}
			if more && len(page) != q.Limit {
				t.Fatalf("a page of %d, and another follows", len(page))
			}
			for _, s := range page {
				if slices.Contains(got, s.ID) {
					t.Fatalf("%s comes twice", s.ID)
				}
				got = append(got, s.ID)
			}
			if more {
				if q.After, err = ParsePlace(PlaceOf(page[len(page)-1]).String()); err != nil {
					t.Fatal(err)
				}
			}
			arrive(rapid.IntRange(0, 2).Draw(t, "arrive"))
			if number > 100 {
				return
			}
		}
		for _, id := range there {
			if strings.HasSuffix(id, "true") && !slices.Contains(got, id) {
				t.Fatalf("%s is on no page", id)
			}
		}
	})
}

func FuzzTokensOfPages(f *testing.F) {
	f.Add((&ScenePlace{1, "mast-7", "S2"}).String())
	f.Add("-1")
	f.Fuzz(func(t *testing.T, token string) {
		if p, err := ParsePlace(token); err == nil {
			if again, err := ParsePlace(p.String()); err != nil || *again != *p {
				t.Fatalf("%+v %v", again, err)
			}
		}
	})
}

// openIn opens an index that follows no Kafka.
func openIn(ctx context.Context, folder string, on Disk) (*Index, error) {
	return Open(ctx, Options{Folder: folder, Disk: on, Logger: slog.New(slog.DiscardHandler)})
}

// willing is a disk that is never to blame.
type willing struct{}

func (willing) Blames(error) bool { return false }
func (willing) Err() error        { return nil }
