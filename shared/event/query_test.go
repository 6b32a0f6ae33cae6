package event

import (
	"strings"
	"testing"
)

func TestQueriesAreUnderstoodAsCloudEventsAndAsPlainJSON(t *testing.T) {
	tile := Query{ID: "q1", Scene: "field", Tile: "12_7"}
	for text, want := range map[string]Query{
		`{"id":"q1","scene":"field","tile":"12_7","what":"full"}`:                                        tile,
		`{"id":"q1","scene":"field","tile":"12_7"}`:                                                      tile,
		`{"specversion":"1.0","id":"q1","type":"x","source":"/","data":{"scene":"field","tile":"12_7"}}`: tile,
		` {"id":"a/b","camera":"gate","track":"1700000000.000001-1","what":"full"}`:                      {ID: "a/b", Camera: "gate", Track: "1700000000.000001-1"},
		`{"id":"x","camera":"gate","frame":17}`:                                                          {ID: "x", Camera: "gate", Frame: "17"},
		`{"id":"x","camera":"gate","frame":"now"}`:                                                       {ID: "x", Camera: "gate", Frame: FrameNow},
	} {
		if got, err := ParseQuery([]byte(text)); err != nil || got != want {
			t.Errorf("%s: %+v %v", text, got, err)
		}
	}
}

func TestAQueryWithoutAnIDIsKnownByItsWords(t *testing.T) {
	a, err := ParseQuery([]byte(`{"scene":"field","tile":"1_1"}`))
	b, _ := ParseQuery([]byte(`{"scene":"field","tile":"1_2"}`))
	again, _ := ParseQuery([]byte(`{"scene":"field","tile":"1_1"}`))
	if err != nil || len(a.ID) != 16 || a.ID != again.ID || a.ID == b.ID {
		t.Errorf("%v: %q %q %q", err, a.ID, again.ID, b.ID)
	}
}

func TestQueriesThatMeanNothingAreRefused(t *testing.T) {
	for _, text := range []string{
		``, `[]`, `7`, `{}`, `{"scene":"field"}`, `{"tile":"1_1"}`, `{"camera":"gate"}`, `{"camera":"gate","track":"a","frame":1}`,
		`{"scene":"field","tile":"1_1","camera":"gate","frame":1}`, `{"scene":"../etc","tile":"1_1"}`, `{"scene":"a","tile":"01_1"}`,
		`{"scene":"a","tile":"1_-1"}`, `{"scene":"a","tile":"1"}`, `{"camera":"gate","frame":-1}`, `{"camera":"gate","frame":1.5}`,
		`{"camera":"gate","frame":"soon"}`, `{"camera":"gate","track":"a/b"}`, `{"scene":"a","tile":"1_1","what":"half"}`,
		`{"id":"a b","scene":"a","tile":"1_1"}`, `{"specversion":"1.0","id":"x"}`, `{"scene":{},"tile":"1_1"}`,
		`{"scene":"` + strings.Repeat("a", 200) + `","tile":"1_1"}`, `{"scene":"a","tile":"1_1","x":"` + strings.Repeat("a", maxQueryBytes) + `"}`,
	} {
		if q, err := ParseQuery([]byte(text)); err == nil {
			t.Errorf("%.80s: %+v", text, q)
		}
	}
}

func FuzzParseQuery(f *testing.F) {
	f.Add([]byte(`{"id":"q1","scene":"field","tile":"12_7","what":"full"}`))
	f.Add([]byte(`{"specversion":"1.0","id":"q","data":{"camera":"gate","frame":"now"}}`))
	f.Add([]byte(`{"camera":"gate","frame":18446744073709551616}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		q, err := ParseQuery(payload)
		if err != nil {
			return
		}
		if q.ID == "" || (q.Scene == "") == (q.Camera == "") || strings.ContainsAny(q.Scene+q.Camera+q.Tile+q.Track+q.Frame, "/\x00\n") {
			t.Errorf("%q: %+v", payload, q)
		}
	})
}

// Devices of before answered with an item of kind receipt, which is read as a report of no drops.
func TestAnAnswerOfBeforeIsAReportOfNoDrops(t *testing.T) {
	old := Item{Kind: Ack, Epoch: "e1", Seq: 9, Data: []byte(`{"query":"q7","answer":"raised","items":1,"drops":[]}`)}
	if err := old.CheckContent(); err != nil {
		t.Error(err)
	}
	if r, err := ParseDropReport(old); err != nil || len(r.Drops) != 0 {
		t.Errorf("%+v %v", r, err)
	}
}
