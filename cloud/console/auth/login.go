package auth

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"cloudcanvas/cloud/console/request"
	"cloudcanvas/cloud/console/text"
	"cloudcanvas/shared/telemetry"
)

// flow is a login on its way through the provider.
type flow struct {
	state, nonce, verifier string
	until                  time.Time
}

// flows are those that were begun: each ends once, within flowLife. Beyond maxFlows the oldest make way,
// since anybody may begin one.
type flows struct {
	mu    sync.Mutex
	all   map[string]flow
	order []string
}

const (
	flowLife = 10 * time.Minute
	maxFlows = 10_000
)

func (s *flows) add(f flow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]flow{}
	}
	s.all[f.state] = f
	s.order = append(s.order, f.state)
	if len(s.order) > maxFlows {
		delete(s.all, s.order[0])
		s.order = s.order[1:]
	}
}

func (s *flows) take(state string, now time.Time) (flow, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.all[state]
	delete(s.all, state)
	return f, ok && !now.After(f.until)
}

// flowCookie ties a login to the browser that began it. It goes to the login's own pages only.
const flowCookie = "canvas_login"

func cookie(name, value, path string, life time.Duration) *http.Cookie {
	c := &http.Cookie{Name: name, Value: value, Path: path, MaxAge: int(life.Seconds()), HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// What the audit says of logins.
const (
	actLogIn   = "log in"
	actLogOut  = "log out"
	actRefused = "log in refused"
	aboutLogin = "console"
)

// Ways are in which people log in here.
type Ways struct{ Unknown, Token, Provider bool } // Unknown: the token that was given

// Routes adds the login's own paths.
func (g *Guard) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) { g.o.LoginPage(w, r, http.StatusOK, g.ways(false)) })
	mux.HandleFunc("POST /login", g.logIn)
	mux.HandleFunc("GET /login/oidc", g.toProvider)
	mux.HandleFunc("GET "+callbackPath, g.fromProvider)
	mux.HandleFunc("POST /logout", g.logOut)
}

func (g *Guard) ways(unknown bool) Ways {
	return Ways{Unknown: unknown, Token: g.tokens != nil || g.oidc == nil, Provider: g.oidc != nil}
}

func (g *Guard) logIn(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		g.o.Refuser.Fail(w, r, fmt.Errorf("%w: %w", request.ErrBad, err))
		return
	}
	if !g.begin(w, r, r.PostForm.Get("token")) {
		g.o.LoginPage(w, r, http.StatusForbidden, g.ways(true))
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (g *Guard) logOut(w http.ResponseWriter, r *http.Request) {
	if who := Who(r); g.oidc != nil && who.Name != "" {
		g.audited(Act{Who: who.Name, Action: actLogOut, What: aboutLogin})
	}
	g.end(w, r)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// toProvider sends somebody to the login provider.
func (g *Guard) toProvider(w http.ResponseWriter, r *http.Request) {
	if g.oidc == nil {
		g.o.Refuser.Refuse(w, r, http.StatusNotFound, "There is no such page here.")
		return
	}
	address, state, err := g.oidc.begin()
	if err != nil {
		g.loginFailed(w, r, err)
		return
	}
	http.SetCookie(w, cookie(flowCookie, state, "/login/", flowLife))
	http.Redirect(w, r, address, http.StatusSeeOther)
}

// fromProvider begins a session for who comes back from the login provider.
func (g *Guard) fromProvider(w http.ResponseWriter, r *http.Request) {
	if g.oidc == nil {
		g.o.Refuser.Refuse(w, r, http.StatusNotFound, "There is no such page here.")
		return
	}
	expected := ""
	if c, err := r.Cookie(flowCookie); err == nil {
		expected = c.Value
	}
	http.SetCookie(w, cookie(flowCookie, "", "/login/", 0))
	who, err := g.oidc.finish(r.Context(), expected, r.URL.Query().Get)
	if err != nil {
		if errors.Is(err, errNoRole) {
			g.audited(Act{Who: who.Name, Action: actRefused, What: aboutLogin, Detail: "no group of theirs has a role"})
		}
		g.loginFailed(w, r, err)
		return
	}
	if !g.audited(Act{Who: who.Name, Action: actLogIn, What: aboutLogin, Detail: string(who.Role)}) {
		g.o.Refuser.Refuse(w, r, http.StatusServiceUnavailable, "Nobody can log in now: the console can't write its audit. Its log says why.")
		return
	}
	life := g.oidc.config.Session
	http.SetCookie(w, cookie(sessionCookie, g.sessions.begin(who, g.o.Now(), life), "/", life))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// audited writes an act and says whether it stands.
func (g *Guard) audited(act Act) bool {
	act.Time = g.o.Now().UTC()
	err := g.o.Audit.Write(act)
	if err != nil {
		g.o.Log.Error("the console can't write its audit", "act", act.Action, "who", act.Who, telemetry.Err, err)
	}
	return err == nil
}

// loginFailed says why somebody is not let in: in full to the log, to the person what they can act on.
func (g *Guard) loginFailed(w http.ResponseWriter, r *http.Request, err error) {
	g.o.Log.Warn("the console refused a login", "address", address(r), telemetry.Err, err)
	status, message := http.StatusForbidden, ""
	switch {
	case errors.Is(err, errProvider):
		status, message = http.StatusServiceUnavailable, "The login provider does not answer. Try again in a moment; it works again by itself when the provider is back. The console's log says more."
		w.Header().Set("Retry-After", "3")
	case errors.Is(err, errStale):
		status, message = http.StatusBadRequest, text.Sentence(errStale)
	case errors.Is(err, errToken):
		message = text.Sentence(errToken) + " The console's log says why. Begin again at the login page."
	default: // the provider refused, or there is no role: the reason is for the person
		message = text.Sentence(err)
	}
	g.o.Refuser.Refuse(w, r, status, message)
}
