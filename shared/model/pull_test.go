package model

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var weights = bytes.Repeat([]byte("weights "), 4096)

// served is a model whose weights come from handler over https.
func served(t *testing.T, handler http.HandlerFunc) (Puller, Model) {
	t.Helper()
	s := httptest.NewTLSServer(handler)
	t.Cleanup(s.Close)
	sum := sha256.Sum256(weights)
	m := Model{Manifest: Manifest{Name: "ship", SHA256: hex.EncodeToString(sum[:]), Source: "the yard", Golden: "golden.json", Fetch: Fetch{URL: s.URL + "/ship.onnx"}}}
	return Puller{HTTP: s.Client()}, m
}

func serveWeights(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "ship.onnx", time.Time{}, bytes.NewReader(weights))
}

func TestPulledWeightsAreVerifiedAndLaidOut(t *testing.T) {
	p, m := served(t, serveWeights)
	dir := t.TempDir()
	got, err := p.pull(context.Background(), dir, m)
	if err != nil || got.Path != filepath.Join(dir, "ship", "1", "model.onnx") {
		t.Fatalf("%+v, %v", got, err)
	}
	if data, err := os.ReadFile(got.Path); err != nil || !bytes.Equal(data, weights) {
		t.Fatal("other bytes", err)
	}
	p.HTTP = &http.Client{Transport: nowhere{}}
	if _, err := p.pull(context.Background(), dir, m); err != nil {
		t.Fatalf("what is there needs no network: %v", err)
	}
}

func TestAnInterruptedPullGoesOnWhereItStopped(t *testing.T) {
	asked := ""
	p, m := served(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Get("Range")
		serveWeights(w, r)
	})
	dir := lay(t, map[string]string{"ship/model.onnx.part": string(weights[:1000])})
	if _, err := p.pull(context.Background(), dir, m); err != nil || asked != "bytes=1000-" {
		t.Fatalf("asked for %q, %v", asked, err)
	}
}

func TestWrongBytesAreThrownAway(t *testing.T) {
	p, m := served(t, func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("<html>sign in</html>")) })
	dir := t.TempDir()
	if _, err := p.pull(context.Background(), dir, m); !errors.Is(err, ErrChecksum) {
		t.Fatalf("got %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "ship", "*")); len(left) != 0 {
		t.Fatalf("left behind: %v", left)
	}
}

type nowhere struct{}

func (nowhere) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no route to host")
}

func TestAnUnreachableSourceSaysWhatToDo(t *testing.T) {
	p, m := served(t, http.NotFound)
	broken := m
	broken.Fetch = Fetch{Package: "ship==1.0", File: "ship.onnx"}
	none := m
	none.Fetch = Fetch{}
	for name, c := range map[string]struct {
		p Puller
		m Model
	}{
		"not found":  {p, m},
		"no network": {Puller{HTTP: &http.Client{Transport: nowhere{}}}, m},
		"no client":  {Puller{Python: filepath.Join(t.TempDir(), "python3")}, broken},
		"no source":  {p, none},
	} {
		_, err := c.p.pull(context.Background(), t.TempDir(), c.m)
		if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "check the network, or get the file yourself (the yard)") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := p.Pull(context.Background(), t.TempDir(), "zeppelin"); !errors.Is(err, ErrUnknown) {
		t.Errorf("got %v", err)
	}
}

func TestTheProjectsOwnModelsAreInTheProgram(t *testing.T) {
	known, err := Known()
	if err != nil {
		t.Fatal(err)
	}
	own := 0
	for _, m := range known {
		if !Carried(m.Name) {
			continue
		}
		own++
		got, err := Puller{HTTP: &http.Client{Transport: nowhere{}}}.Pull(context.Background(), t.TempDir(), m.Name)
		if err != nil {
			t.Fatal(err)
		}
		if err := got.Verify(); err != nil || got.Case == nil {
			t.Fatalf("%s: %v, golden case %v", m.Name, err, got.Case)
		}
	}
	if own == 0 {
		t.Fatal("the program carries no weights")
	}
}
