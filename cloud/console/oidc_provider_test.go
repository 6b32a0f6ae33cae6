package console

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	callbackPath  = "/login/oidc/callback"
	flowCookie    = "canvas_login"
	sessionCookie = "canvas_session"
)

// idp is a small OpenID Connect provider with a key of its own. What it says in id tokens can be bent.
type idp struct {
	*testing.T
	server *httptest.Server
	key    *rsa.PrivateKey
	signer *rsa.PrivateKey // nil: key

	mu    sync.Mutex
	down  bool
	codes map[string]url.Values // what a code was asked for with
	bend  func(claims map[string]any)
	token int // answers of the token endpoint
}

const clientSecret = "s3cret of the console"

func startIDP(t *testing.T) *idp {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &idp{T: t, key: key, codes: map[string]url.Values{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.describe)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.exchange)
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &p.key.PublicKey, KeyID: "one", Algorithm: "RS256", Use: "sig"}}})
	})
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		down := p.down
		p.mu.Unlock()
		if down {
			http.Error(w, "down for maintenance", http.StatusBadGateway)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.server.Close)
	return p
}

func (p *idp) setDown(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

func (p *idp) describe(w http.ResponseWriter, _ *http.Request) {
	at := p.server.URL
	json.NewEncoder(w).Encode(map[string]any{"issuer": at, "authorization_endpoint": at + "/authorize", "token_endpoint": at + "/token", "jwks_uri": at + "/keys",
		"id_token_signing_alg_values_supported": []string{"RS256"}})
}

// authorize lets everybody in at once.
func (p *idp) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != "console" || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("nonce") == "" || !strings.Contains(q.Get("scope"), "openid") {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	p.mu.Lock()
	p.codes[code] = q
	p.mu.Unlock()
	back, _ := url.Parse(q.Get("redirect_uri"))
	back.RawQuery = url.Values{"code": {code}, "state": {q.Get("state")}}.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

// exchange gives an id token for a code, once, to who has the verifier and the secret.
func (p *idp) exchange(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.token++
	asked, ok := p.codes[r.FormValue("code")]
	delete(p.codes, r.FormValue("code"))
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	id, secret, _ := r.BasicAuth()
	if unescaped, err := url.QueryUnescape(secret); err == nil {
		secret = unescaped
	}
	w.Header().Set("Content-Type", "application/json")
	if !ok || base64.RawURLEncoding.EncodeToString(sum[:]) != asked.Get("code_challenge") || id != "console" || secret != clientSecret {
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(map[string]string{"error": "invalid_grant"})
		return
	}
	now := time.Now()
	claims := map[string]any{"iss": p.server.URL, "sub": "user-4711", "aud": "console", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "nonce": asked.Get("nonce"),
		"preferred_username": "vera", "groups": []string{"staff", "canvas-viewers"}}
	if p.bend != nil {
		p.bend(claims)
	}
	signer := p.key
	if p.signer != nil {
		signer = p.signer
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: signer, KeyID: "one"}}, nil)
	if err != nil {
		p.Error(err)
		return
	}
	raw, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		p.Error(err)
	}
	json.NewEncoder(w).Encode(map[string]any{"access_token": "unused", "token_type": "Bearer", "id_token": raw})
}

// letInBy configures a console for the provider.
func (p *idp) letInBy(c *Config) {
	secret := filepath.Join(p.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(clientSecret+"\n"), 0o600); err != nil {
		p.Fatal(err)
	}
	c.OIDC.Issuer, c.OIDC.ClientID, c.OIDC.ClientSecretFile = p.server.URL, "console", secret
	c.OIDC.RedirectURL = "http://127.0.0.1" + callbackPath // the port is known later: the browser puts it in
	c.OIDC.Viewers, c.OIDC.Operators = []string{"canvas-viewers"}, []string{"canvas-operators"}
}

// visitor is one person's, with cookies. It sends Secure ones over http, as browsers do on loopback.
type visitor struct {
	*world
	cookies map[string]*http.Cookie
}

func (w *world) visitor() *visitor { return &visitor{w, map[string]*http.Cookie{}} }

// visit asks for an address without following where it leads; the console's own port is put in.
func (b *visitor) visit(method, address string) (*http.Response, string) {
	b.Helper()
	if path, own := strings.CutPrefix(address, "http://127.0.0.1/"); own {
		address = b.url + "/" + path
	}
	if strings.HasPrefix(address, "/") {
		address = b.url + address
	}
	r, err := http.NewRequest(method, address, nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	for c := range maps.Values(b.cookies) {
		if strings.HasPrefix(address, b.url) && strings.HasPrefix(r.URL.Path, c.Path) {
			r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		b.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range answer.Cookies() {
		if b.cookies[c.Name] = c; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return answer, string(body)
}

// toCallback goes through the provider and stops before its answer is given to the console.
func (b *visitor) toCallback() string {
	b.Helper()
	out, body := b.visit(http.MethodGet, "/login/oidc")
	if out.StatusCode != http.StatusSeeOther {
		b.Fatalf("%d %s", out.StatusCode, body)
	}
	back, body := b.visit(http.MethodGet, out.Header.Get("Location"))
	if back.StatusCode != http.StatusFound {
		b.Fatalf("%d %s", back.StatusCode, body)
	}
	return back.Header.Get("Location")
}
