package event

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestReceiptsAreWrittenAsPromised(t *testing.T) {
	r := Receipt{Epoch: "00c0ffee00c0ffee", Through: 17, Above: []Range{{19, 21}, {30, 30}}}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"epoch":"00c0ffee00c0ffee","through":17,"above":[[19,21],[30,30]]}`; string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
	item, err := Receipt{Epoch: "00c0ffee00c0ffee"}.Item("mast-7", sampleTime)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"epoch":"00c0ffee00c0ffee","through":0,"above":[]}`; string(item.Data) != want {
		t.Errorf("got  %s\nwant %s", item.Data, want)
	}
}

func TestReceiptsTravelDown(t *testing.T) {
	want := Receipt{Epoch: "00c0ffee00c0ffee", Through: 17, Above: []Range{{19, 21}}}
	item, err := want.Item("mast-7", sampleTime)
	if err != nil {
		t.Fatal(err)
	}
	b, err := item.MarshalMQTT()
	if err != nil {
		t.Fatal(err)
	}
	back, err := UnmarshalMQTT(b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseReceipt(back)
	if err != nil {
		t.Fatal(err)
	}
	if got.Epoch != want.Epoch || got.Through != 17 || len(got.Above) != 1 || got.Above[0] != want.Above[0] {
		t.Errorf("%+v", got)
	}
	for seq, has := range map[uint64]bool{0: false, 1: true, 17: true, 18: false, 19: true, 21: true, 22: false} {
		if got.Has(seq) != has {
			t.Errorf("seq %d: %v", seq, !has)
		}
	}
}

func TestBadReceiptsAreRefused(t *testing.T) {
	for _, data := range []string{
		``, `{}`, `[]`, `{"epoch":"a b","through":1}`,
		`{"epoch":"e1","through":-1}`, `{"epoch":"e1","through":1.5}`,
		`{"epoch":"e1","through":5,"above":[[5,6]]}`, `{"epoch":"e1","through":5,"above":[[8,7]]}`,
		`{"epoch":"e1","through":5,"above":[[7,9],[9,10]]}`, `{"epoch":"e1","through":5,"above":[[7]]}`,
		`{"epoch":"e1","through":5,"above":[[7,18446744073709551615]]}`, `{"epoch":"e1","through":5,"above":[7]}`,
	} {
		if r, err := ParseReceipt(Item{Kind: Ack, Data: []byte(data)}); err == nil {
			t.Errorf("%s was taken as %+v", data, r)
		}
	}
	if _, err := ParseReceipt(Item{Kind: Alert, Data: []byte(`{"epoch":"e1"}`)}); err == nil {
		t.Error("an alert was taken as a receipt")
	}
	many := Receipt{Epoch: "e1"}
	for i := range uint64(MaxRanges + 1) {
		many.Above = append(many.Above, Range{2*i + 2, 2*i + 2})
	}
	if _, err := many.Item("mast-7", sampleTime); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

func TestReceiptHasWhatItsRangesHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Receipt{Epoch: "e1", Through: rapid.Uint64Range(0, 20).Draw(t, "through")}
		held := map[uint64]bool{}
		for s := uint64(1); s <= r.Through; s++ {
			held[s] = true
		}
		at := r.Through + 1
		for range rapid.IntRange(0, 5).Draw(t, "ranges") {
			from := at + rapid.Uint64Range(0, 4).Draw(t, "gap")
			to := from + rapid.Uint64Range(0, 4).Draw(t, "length")
			r.Above = append(r.Above, Range{from, to})
			for s := from; s <= to; s++ {
				held[s] = true
			}
			at = to + 1
		}
		if err := r.Check(); err != nil {
			t.Fatal(err)
		}
		for s := range at + 3 {
			if r.Has(s) != held[s] {
				t.Fatalf("%+v: seq %d", r, s)
			}
		}
	})
}

func TestDropReportsNameOtherNumbers(t *testing.T) {
	for data, good := range map[string]bool{
		`{"drops":[{"seq":3,"kind":"tile","stream":"s","bytes":10,"reason":"quota"}]}`: true,
		`{"drops":[]}`:          true,
		`{"drops":[{"seq":0}]}`: false,
		`{"drops":[{"seq":9}]}`: false, // the report's own
		`{"drops":3}`:           false,
	} {
		_, err := ParseDropReport(Item{Kind: Ack, Epoch: "e1", Seq: 9, Data: []byte(data)})
		if (err == nil) != good {
			t.Errorf("%s: %v", data, err)
		}
	}
}

func FuzzParseReceipt(f *testing.F) {
	f.Add([]byte(`{"epoch":"e1","through":5,"above":[[7,9]]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ParseReceipt(Item{Kind: Ack, Data: data})
		if err == nil && r.Check() != nil {
			t.Fatal("a bad receipt passed")
		}
	})
}

func TestReceiptNamesThePartsThatTheCloudHolds(t *testing.T) {
	good := Receipt{Epoch: "0123456789abcdef", Parts: []PartsHeld{{Seq: 9, Of: 80, Have: []Range{{0, 41}, {60, 79}}}}}
	i, err := good.Item("e", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseReceipt(i)
	if err != nil || len(back.Parts) != 1 || back.Parts[0].Have[1] != (Range{60, 79}) {
		t.Fatalf("came back as %+v, %v", back, err)
	}
	for name, p := range map[string]PartsHeld{
		"no number":        {Of: 2},
		"no parts":         {Seq: 1},
		"beyond the last":  {Seq: 1, Of: 2, Have: []Range{{0, 2}}},
		"out of order":     {Seq: 1, Of: 9, Have: []Range{{4, 5}, {0, 1}}},
		"one over another": {Seq: 1, Of: 9, Have: []Range{{0, 4}, {4, 5}}},
	} {
		if err := (Receipt{Epoch: "0123456789abcdef", Parts: []PartsHeld{p}}).Check(); err == nil {
			t.Errorf("%s: %+v passed", name, p)
		}
	}
}
