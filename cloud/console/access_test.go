package console

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/shared/brokertest"
)

func TestOnOtherAddressesItRefusesToStartWithoutTLSAndLogin(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:8480", ":8480", "192.0.2.1:8480", "[::]:8480"} {
		c := DefaultConfig()
		c.Listen, c.Data = listen, t.TempDir()
		if k, err := New(t.Context(), c, Parts{Log: newFakeLog(), Products: t.TempDir()}); err == nil {
			k.Close()
			t.Errorf("it would listen on %s", listen)
		} else if !strings.Contains(err.Error(), "tokens_file") {
			t.Errorf("%s: %v does not say what to do", listen, err)
		}
		var fields []string
		c.Problems(func(field, _, _ string) { fields = append(fields, field) })
		if strings.Join(fields, " ") != "cert tokens_file" {
			t.Errorf("%s: %v", listen, fields)
		}
	}
	for _, listen := range []string{"127.0.0.1:1", "localhost:1", "[::1]:1"} {
		if !(Config{Listen: listen}).Loopback() {
			t.Errorf("%s is this machine", listen)
		}
	}
}

// letIn writes a tokens file for a viewer and an operator.
func letIn(t *testing.T) (file, viewer, operator string) {
	t.Helper()
	viewer, line1, err := auth.NewToken("vera", auth.Viewer)
	if err != nil {
		t.Fatal(err)
	}
	operator, line2, err := auth.NewToken("otto", auth.Operator)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte("# who may come in\n"+line1+"\n\n"+line2+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, viewer, operator
}

func TestRolesDecideWhoMayChangeSomething(t *testing.T) {
	file, viewer, operator := letIn(t)
	w := newWorld(t, func(c *Config) { c.TokensFile = file })
	w.fill()
	ask := func(method, path, token string, change func(*http.Request)) *http.Response {
		r, err := http.NewRequest(method, w.url+path, strings.NewReader(`{"action":"discard"}`))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		if change != nil {
			change(r)
		}
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		return answer
	}
	html := func(r *http.Request) { r.Header.Set("Accept", "text/html") }
	for _, c := range []struct {
		name, method, path, token string
		change                    func(*http.Request)
		want                      int
	}{
		{"nobody's program", "GET", "/api/v1/scenes", "", nil, 401}, {"nobody's browser", "GET", "/", "", html, 303}, {"a made-up token", "GET", "/api/v1/scenes", "canvas_x", nil, 401},
		{"nobody's picture", "GET", "/pictures/scenes/mast-7/alpha", "", nil, 401}, {"nobody's metrics", "GET", "/metrics", "", nil, 401},
		{"nobody's login page", "GET", "/login", "", html, 200}, {"nobody's style sheet", "GET", "/assets/console.css", "", nil, 200}, {"a probe", "GET", "/healthz", "", nil, 200},
		{"the viewer's look", "GET", "/letters/0/0", viewer, nil, 200}, {"the viewer's search", "POST", "/stac/search", viewer, nil, 200},
		{"the viewer's decision", "POST", "/api/v1/letters/0/0", viewer, nil, 403}, {"nobody's decision", "POST", "/api/v1/letters/0/0", "", nil, 401},
		{"the operator's decision", "POST", "/api/v1/letters/0/0", operator, nil, 200},
		{"another website's decision", "POST", "/api/v1/letters/0/0", operator, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		{"another website's form", "POST", "/letters/0/0", operator, func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403},
	} {
		if got := ask(c.method, c.path, c.token, c.change); got.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", c.name, got.StatusCode, c.want)
		}
	}
	if act := w.console.audit.Latest(1)[0]; act.Who != "otto" || act.Action != "discard" {
		t.Errorf("the audit says %+v", act)
	}
}

func TestABrowserLogsInAndOut(t *testing.T) {
	file, viewer, _ := letIn(t)
	w := newWorld(t, func(c *Config) { c.TokensFile = file })
	if r := w.post("/login", url.Values{"token": {"wrong"}}, nil); r.StatusCode != http.StatusForbidden || len(r.Cookies()) > 0 {
		t.Errorf("a wrong token: %d", r.StatusCode)
	}
	r := w.post("/login", url.Values{"token": {viewer}}, nil)
	if r.StatusCode != http.StatusSeeOther || len(r.Cookies()) != 1 || !r.Cookies()[0].HttpOnly || r.Cookies()[0].SameSite != http.SameSiteStrictMode {
		t.Fatalf("%d %v", r.StatusCode, r.Cookies())
	}
	cookie := r.Cookies()[0]
	with := func(r *http.Request) { r.AddCookie(cookie) }
	if r := w.post("/stac/search", nil, with); r.StatusCode == http.StatusUnauthorized {
		t.Error("the session does not hold")
	}
	w.post("/logout", nil, with)
	if r := w.post("/stac/search", nil, with); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("after logging out: %d", r.StatusCode)
	}
}

func TestOverTLSItServesOtherMachines(t *testing.T) {
	certs, err := brokertest.MakeCertificates(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file, viewer, _ := letIn(t)
	w := newWorld(t, func(c *Config) {
		c.Listen, c.Cert, c.Key, c.TokensFile = "0.0.0.0:0", certs.ServerCert, certs.ServerKey, file
	})
	port := w.url[strings.LastIndexByte(w.url, ':')+1:]
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // what is served counts here, not the name
	defer client.CloseIdleConnections()
	r, err := http.NewRequest(http.MethodGet, "https://127.0.0.1:"+port+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+viewer)
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%d %v", answer.StatusCode, answer.Header)
	}
}

func TestEveryAnswerTellsBrowsersToTrustNothingElse(t *testing.T) {
	w := newWorld(t, nil)
	for _, path := range []string{"/", "/nope", "/api/v1/edges", "/assets/live.js"} {
		r, err := http.Get(w.url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if p := r.Header.Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'none'") || strings.Contains(p, "unsafe") {
			t.Errorf("%s: %q", path, p)
		}
		if r.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s may be sniffed", path)
		}
		for _, outside := range []string{"https://", "http://", "<script>", "onclick", "style="} {
			if strings.Contains(r.Header.Get("Content-Type"), "html") && strings.Contains(string(body), outside) {
				t.Errorf("%s has %s", path, outside)
			}
		}
	}
}

func TestOnLoopbackOnlyItsOwnNameIsAnswered(t *testing.T) {
	w := newWorld(t, nil)
	for host, want := range map[string]int{"evil.example": http.StatusMisdirectedRequest, "localhost:8480": http.StatusOK, "127.0.0.1": http.StatusOK, "[::1]:9": http.StatusOK} {
		r, err := http.NewRequest(http.MethodGet, w.url+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: %d, want %d", host, answer.StatusCode, want)
		}
	}
}

func TestTooManyRequestsAreHeldOff(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.RequestsPerSecond = 1 })
	for range 4 {
		if status, _ := w.get("/healthz"); status != http.StatusOK {
			t.Fatal(status)
		}
	}
	if status, body := w.get("/healthz"); status != http.StatusTooManyRequests || !strings.Contains(body, "Wait") {
		t.Errorf("%d %s", status, body)
	}
}

func TestALargeBodyIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	r, err := http.Post(w.url+"/stac/search", "application/json", strings.NewReader(`{"ids":["`+strings.Repeat("x", 2<<20)+`"]}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusRequestEntityTooLarge {
		t.Error(r.StatusCode)
	}
}

func TestMetricsTellWhatTheConsoleKnows(t *testing.T) {
	w := newWorld(t, nil)
	w.fill()
	registry := prometheus.NewRegistry()
	if err := w.console.metrics.register(registry, w.console); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			got[f.GetName()] += m.GetGauge().GetValue()
		}
	}
	if got["canvas_cloud_console_workers"] != 1 || got["canvas_cloud_console_open_letters"] != 1 || got["canvas_cloud_console_letters"] != 1 || got["canvas_cloud_console_kafka_up"] != 1 {
		t.Errorf("%v", got)
	}
}
