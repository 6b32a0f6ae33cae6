package signed

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"testing"
	"time"
)

func key(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return private
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// pair is a cloud and a device that trusts it and that it has heard.
func pair(t testing.TB) (*Signer, *Verifier) {
	t.Helper()
	k := key(t)
	s, v := NewSigner(k), NewVerifier("mast-7", []ed25519.PublicKey{public(k)})
	s.Heard("mast-7", v.Session())
	return s, v
}

func sign(t testing.TB, s *Signer, edge, what string, message []byte) []byte {
	t.Helper()
	payload, err := s.Sign(edge, what, message)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// messages are of each form that goes down.
var messages = map[string][]byte{
	"receipts":   []byte("\x0a\x1a01J0000000000000000000000\x12\x0c/edge/mast-7"),
	"query":      []byte("{ \n \"id\": \"q7\", \"scene\": \"may\" }"),
	"models":     append([]byte(`{"type":"part","model":"m"}`+"\n"), bytes.Repeat([]byte{0, 0xa2, 6, 97, '{'}, 1000)...),
	"references": []byte(`{"system":"s"}` + "\n"),
}

func TestAMessageComesOutAsItWentIn(t *testing.T) {
	s, v := pair(t)
	for what, message := range messages {
		got, announce, err := v.Open(what, sign(t, s, "mast-7", what, message))
		if err != nil || announce || !bytes.Equal(got, message) {
			t.Errorf("%s: %q %v %v", what, got, announce, err)
		}
	}
}

// TestASignedObjectIsStillOne reads signed messages as those do who know of no signatures.
func TestASignedObjectIsStillOne(t *testing.T) {
	s, _ := pair(t)
	for _, message := range []string{`{"id":"q7","scene":"may"}`, "{\n\t\"id\": \"q7\" }"} {
		var got struct{ ID string }
		if err := json.Unmarshal(sign(t, s, "mast-7", "query", []byte(message)), &got); err != nil || got.ID != "q7" {
			t.Errorf("%s: %+v %v", message, got, err)
		}
	}
}

func TestNoByteOfASignedMessageMayChange(t *testing.T) {
	for what, message := range map[string][]byte{"receipts": messages["receipts"], "query": messages["query"]} {
		s, v := pair(t)
		payload := sign(t, s, "mast-7", what, message)
		for at := range payload {
			for _, flip := range []byte{1, 0x20, 0x80} {
				changed := bytes.Clone(payload)
				changed[at] ^= flip
				if got, _, err := v.Open(what, changed); err == nil {
					t.Fatalf("%s: byte %d of %d changed by %#x was believed: %q", what, at, len(payload), flip, got)
				}
			}
		}
		for _, changed := range [][]byte{payload[:len(payload)-1], append(bytes.Clone(payload), 0), payload[1:], message, nil, payload[len(payload)-len(pbTrailer)-sealBytes:]} {
			if _, _, err := v.Open(what, changed); err == nil {
				t.Fatalf("%s: %q was believed", what, changed)
			}
		}
		if _, _, err := v.Open(what, payload); err != nil {
			t.Fatalf("%s: after all that the true one is refused: %v", what, err)
		}
	}
}

func TestWhatIsForOthersIsNotBelieved(t *testing.T) {
	s, v := pair(t)
	s.Heard("mast-8", v.Session()) // whoever can make the cloud believe that
	message := messages["receipts"]
	other := NewSigner(key(t))
	other.Heard("mast-7", v.Session())
	for name, c := range map[string]struct {
		what    string
		payload []byte
		want    error
	}{
		"unsigned":             {"receipts", message, ErrUnsigned},
		"another device's":     {"receipts", sign(t, s, "mast-8", "receipts", message), ErrForged},
		"another topic's":      {"models", sign(t, s, "mast-7", "receipts", message), ErrForged},
		"of a key of nobody's": {"receipts", sign(t, other, "mast-7", "receipts", message), ErrUnknown},
	} {
		if _, announce, err := v.Open(c.what, c.payload); !errors.Is(err, c.want) || announce {
			t.Errorf("%s: %v %v", name, announce, err)
		}
	}
}

func TestOldMessagesAreRefusedAndOnesThatComeTwiceAreNoAttack(t *testing.T) {
	s, v := pair(t)
	first := sign(t, s, "mast-7", "models", []byte(`{"version":"1"}`))
	held := sign(t, s, "mast-7", "models", []byte(`{"version":"2"}`)) // kept back by somebody
	last := sign(t, s, "mast-7", "models", []byte(`{"version":"3"}`))
	for n, c := range []struct {
		payload []byte
		want    error
	}{{first, nil}, {first, ErrRepeated}, {last, nil}, {last, ErrRepeated}, {first, ErrRepeated}, {held, ErrReplayed}} {
		if _, _, err := v.Open("models", c.payload); !errors.Is(err, c.want) {
			t.Errorf("%d: %v", n, err)
		}
	}
	again := NewVerifier("mast-7", []ed25519.PublicKey{public(s.key)}) // the agent starts anew
	if _, announce, err := again.Open("models", last); !errors.Is(err, ErrSession) || !announce {
		t.Errorf("after a restart: %v %v", announce, err)
	}
	for range maxSeen + 1 {
		if _, _, err := v.Open("models", sign(t, s, "mast-7", "models", []byte(`{"version":"4"}`))); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := v.Open("models", last); !errors.Is(err, ErrReplayed) {
		t.Errorf("long after: %v", err)
	}
}

func TestACloudWhoseClockGoesBackIsHeardAgain(t *testing.T) {
	s, v := pair(t)
	now := time.Unix(2_000_000_000, 0)
	s.now, v.now = func() time.Time { return now.Add(365 * 24 * time.Hour) }, func() time.Time { return now }
	if _, _, err := v.Open("receipts", sign(t, s, "mast-7", "receipts", messages["receipts"])); err != nil {
		t.Fatal(err)
	}
	second := NewSigner(s.key) // another bridge, with the right time
	second.now = v.now
	second.Heard("mast-7", v.Session())
	before, refused := v.Session(), 0
	for ; ; now = now.Add(time.Second) {
		_, announce, err := v.Open("receipts", sign(t, second, "mast-7", "receipts", messages["receipts"]))
		if announce {
			second.Heard("mast-7", v.Session())
		} else if err == nil {
			break
		}
		if refused++; refused > 120 {
			t.Fatal("it is never heard")
		}
	}
	if refused < 30 || refused > 32 || v.Session() == before {
		t.Errorf("%d messages were refused, the session is %s and was %s", refused, v.Session(), before)
	}
}

func TestTwoKeysAreTrustedWhileOneTakesTheOthersPlace(t *testing.T) {
	older, newer := key(t), key(t)
	v := NewVerifier("mast-7", []ed25519.PublicKey{public(older), public(newer)})
	for _, k := range []ed25519.PrivateKey{older, newer} {
		s := NewSigner(k)
		s.Heard("mast-7", v.Session())
		if _, _, err := v.Open("query", sign(t, s, "mast-7", "query", messages["query"])); err != nil {
			t.Error(err)
		}
	}
}

func TestEmptyMessagesAreNotSigned(t *testing.T) {
	s, _ := pair(t)
	for _, message := range []string{"", "{}", "{ \n}", "{"} {
		if payload, err := s.Sign("mast-7", "query", []byte(message)); err == nil {
			t.Errorf("%q became %q", message, payload)
		}
	}
}

func FuzzOpen(f *testing.F) {
	s, v := pair(f)
	for what, message := range messages {
		f.Add(what, sign(f, s, "mast-7", what, message))
		f.Add(what, message)
	}
	stranger := NewVerifier("mast-7", nil)
	f.Fuzz(func(t *testing.T, what string, payload []byte) {
		if _, _, err := stranger.Open(what, payload); err == nil {
			t.Error("a key of nobody's was believed")
		}
		v.Open(what, payload)
	})
}

// BenchmarkReceipt is what a receipt of the usual size costs on both sides.
func BenchmarkReceipt(b *testing.B) {
	s, v := pair(b)
	message := bytes.Repeat([]byte{0x0a}, 309)
	b.Run("sign", func(b *testing.B) {
		for b.Loop() {
			sign(b, s, "mast-7", "receipts", message)
		}
	})
	b.Run("verify", func(b *testing.B) {
		all := make([][]byte, 0, 1024)
		for range cap(all) {
			all = append(all, sign(b, s, "mast-7", "receipts", message))
		}
		for n := 0; b.Loop(); n++ {
			if n%cap(all) == 0 {
				v.topics = map[string]*topic{}
			}
			if _, _, err := v.Open("receipts", all[n%cap(all)]); err != nil {
				b.Fatal(err)
			}
		}
	})
}
