package console

import (
	"errors"
	"net/http"
	"sync"
	"time"

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

// toProvider sends somebody to the login provider.
func (k *Console) toProvider(w http.ResponseWriter, r *http.Request) {
	if k.guard.oidc == nil {
		k.refuse(w, r, http.StatusNotFound, "There is no such page here.")
		return
	}
	address, state, err := k.guard.oidc.begin()
	if err != nil {
		k.loginFailed(w, r, err)
		return
	}
	http.SetCookie(w, cookie(flowCookie, state, "/login/", flowLife))
	http.Redirect(w, r, address, http.StatusSeeOther)
}

// fromProvider begins a session for who comes back from the login provider.
func (k *Console) fromProvider(w http.ResponseWriter, r *http.Request) {
	if k.guard.oidc == nil {
		k.refuse(w, r, http.StatusNotFound, "There is no such page here.")
		return
	}
	expected := ""
	if c, err := r.Cookie(flowCookie); err == nil {
		expected = c.Value
	}
	http.SetCookie(w, cookie(flowCookie, "", "/login/", 0))
	who, err := k.guard.oidc.finish(r.Context(), expected, r.URL.Query().Get)
	if err != nil {
		if errors.Is(err, errNoRole) {
			k.audited(Act{Who: who.Name, Action: actRefused, What: aboutLogin, Detail: "no group of theirs has a role"})
		}
		k.loginFailed(w, r, err)
		return
	}
	if !k.audited(Act{Who: who.Name, Action: actLogIn, What: aboutLogin, Detail: string(who.Role)}) {
		k.refuse(w, r, http.StatusServiceUnavailable, "Nobody can log in now: the audit can't be written. The console's log says why.")
		return
	}
	life := k.guard.oidc.config.Session
	http.SetCookie(w, cookie(sessionCookie, k.guard.sessions.begin(who, k.now(), life), "/", life))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// audited writes an act and says whether it stands.
func (k *Console) audited(act Act) bool {
	act.Time = k.now().UTC()
	err := k.audit.write(act)
	if err != nil {
		k.Logger.Error("the audit can't be written", "act", act.Action, "who", act.Who, telemetry.Err, err)
	}
	return err == nil
}

// loginFailed says why somebody is not let in: in full to the log, to the person what they can act on.
func (k *Console) loginFailed(w http.ResponseWriter, r *http.Request, err error) {
	k.Logger.Warn("a login failed", "address", address(r), telemetry.Err, err)
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
	k.refuse(w, r, status, message)
}
