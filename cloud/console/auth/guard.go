// Package auth says who may come in to the console and what they may do: tokens, logins with OpenID
// Connect, sessions of browsers, rates of requests, and the audit of what operators did.
package auth

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"cloudcanvas/cloud/console/request"
)

// Options are what a guard is made of.
type Options struct {
	TokensFile        string // empty: there are no tokens
	OIDC              OIDC
	PublicURL         string
	Loopback          bool // only this machine reaches the console
	RequestsPerSecond float64
	Audit             *Audit
	Refuser           *request.Refuser
	LoginPage         func(w http.ResponseWriter, r *http.Request, status int, ways Ways)
	Now               func() time.Time
	Log               *slog.Logger
}

// Guard stands before every handler: who may come in, how often, and what a browser may do with the
// answer.
type Guard struct {
	o        Options
	tokens   *tokens   // nil: there are none
	oidc     *provider // nil: nobody logs in with one
	sessions sessions
	limits   limits
	origins  *http.CrossOriginProtection
}

// New reads who may come in.
func New(o Options) (g *Guard, err error) {
	g = &Guard{o: o, origins: http.NewCrossOriginProtection()}
	if o.TokensFile != "" {
		if g.tokens, err = readTokens(o.TokensFile); err != nil {
			return nil, err
		}
	}
	if o.OIDC.Enabled() {
		if g.oidc, err = newProvider(o.OIDC, o.PublicURL, o.Now); err != nil {
			return nil, err
		}
	}
	return g, nil
}

const sessionCookie = "canvas_session"

type personKey struct{}

// Who makes the request.
func Who(r *http.Request) Person {
	p, _ := r.Context().Value(personKey{}).(Person)
	return p
}

// Login says whether people must log in; else everybody at this machine is an operator.
func (g *Guard) Login() bool { return g.tokens != nil || g.oidc != nil }

// policy lets a page use nothing but what the console itself serves: no inline scripts, no frames,
// no outside requests.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// maxBody bounds what a request may bring.
const maxBody = 1 << 20

// Around lets through to next who may come in.
func (g *Guard) Around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if !g.hostAllowed(r) {
			g.o.Refuser.Refuse(w, r, http.StatusMisdirectedRequest, "This console answers only to the name of the machine it runs on.")
			return
		}
		if !g.limits.allow(address(r), g.o.RequestsPerSecond, g.o.Now()) {
			h.Set("Retry-After", "1")
			g.o.Refuser.Refuse(w, r, http.StatusTooManyRequests, "Too many requests came from your address. Wait a second and try again.")
			return
		}
		if err := g.origins.Check(r); err != nil {
			g.o.Refuser.Refuse(w, r, http.StatusForbidden, "This request came from another website and was not carried out.")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		who, ok := g.identify(r)
		if !ok && !open(r.URL.Path) {
			g.askToLogIn(w, r)
			return
		}
		if !who.May(needed(r)) && !open(r.URL.Path) {
			g.o.Refuser.Refuse(w, r, http.StatusForbidden, fmt.Sprintf("%s may look at this console, but changing something needs the role operator.", who.Name))
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), personKey{}, who)))
	})
}

// open are the paths that need no login: the login itself, and what its page is made of.
func open(path string) bool {
	return path == "/login" || path == "/login/oidc" || path == callbackPath || path == "/healthz" || path == "/readyz" || strings.HasPrefix(path, "/assets/")
}

// needed is the role for a request: looking is for viewers, also where a search comes as a POST.
func needed(r *http.Request) Role {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.URL.Path == "/stac/search" || r.URL.Path == "/logout" {
		return Viewer
	}
	return Operator
}

// hostAllowed keeps other websites from reaching a console on loopback through a name that they
// point at it (DNS rebinding).
func (g *Guard) hostAllowed(r *http.Request) bool {
	if !g.o.Loopback || g.Login() {
		return true
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.IsLoopback()
}

// identify says who asks: everybody where nobody must log in, else who shows a token or has a session.
func (g *Guard) identify(r *http.Request) (Person, bool) {
	if !g.Login() {
		return Person{"operator on this machine", Operator}, true
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		if g.tokens == nil {
			return Person{}, false
		}
		return g.tokens.who(token)
	}
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return Person{}, false
	}
	return g.sessions.who(cookie.Value, g.o.Now())
}

// askToLogIn sends people to the login page and says to programs what is missing.
func (g *Guard) askToLogIn(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="cloud canvas"`)
	g.o.Refuser.Refuse(w, r, http.StatusUnauthorized, "A token is needed: send it as `Authorization: Bearer …`.")
}

// begin begins a session for who shows a token, and says whether the token is known.
func (g *Guard) begin(w http.ResponseWriter, r *http.Request, token string) bool {
	if !g.Login() {
		return true
	}
	if g.tokens == nil {
		return false
	}
	who, ok := g.tokens.who(strings.TrimSpace(token))
	if !ok {
		return false
	}
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: g.sessions.begin(who, g.o.Now(), sessionLife), Path: "/", MaxAge: int(sessionLife.Seconds()),
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode})
	return true
}

func (g *Guard) end(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		g.sessions.end(cookie.Value)
	}
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode})
}

// address is whose requests are counted together: an IPv4 address, or an IPv6 network of 64 bits.
func address(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	a := at.Addr().Unmap()
	if a.Is6() {
		if prefix, err := a.WithZone("").Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return a.String()
}

// limits are the rates of the addresses that asked last.
type limits struct {
	mu  sync.Mutex
	all map[string]*rate.Limiter
}

const maxLimits = 10_000

func (l *limits) allow(address string, perSecond float64, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter := l.all[address]
	if limiter == nil {
		if l.all == nil || len(l.all) >= maxLimits {
			l.all = map[string]*rate.Limiter{}
		}
		limiter = rate.NewLimiter(rate.Limit(perSecond), int(4*perSecond))
		l.all[address] = limiter
	}
	return limiter.AllowN(now, 1)
}
