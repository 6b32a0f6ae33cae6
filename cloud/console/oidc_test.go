package console

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestAPersonLogsInWithTheProviderAndOut(t *testing.T) {
	p := startIDP(t)
	w := newWorld(t, p.letInBy)
	b := w.visitor()
	if r, _ := b.visit("GET", "/"); r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/login" {
		t.Fatalf("without a login: %d", r.StatusCode)
	}
	if _, page := b.visit("GET", "/login"); !strings.Contains(page, `href="/login/oidc"`) || strings.Contains(page, `name="token"`) {
		t.Errorf("the login page: %s", page)
	}
	r, page := b.visit("GET", b.toCallback())
	if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/" {
		t.Fatalf("%d %s", r.StatusCode, page)
	}
	session := b.cookies[sessionCookie]
	if session == nil || !session.HttpOnly || !session.Secure || session.SameSite != http.SameSiteLaxMode || session.MaxAge != int((8*time.Hour).Seconds()) {
		t.Fatalf("%+v", session)
	}
	if b.cookies[flowCookie] != nil {
		t.Error("the login's own cookie stays")
	}
	if r, page := b.visit("GET", "/"); r.StatusCode != http.StatusOK || !strings.Contains(page, "vera (user-4711) (viewer)") {
		t.Errorf("%d %s", r.StatusCode, page)
	}
	if r, _ := b.visit("POST", "/letters/0/0"); r.StatusCode != http.StatusForbidden {
		t.Errorf("a viewer decides: %d", r.StatusCode)
	}
	if act := w.console.audit.Latest(1)[0]; act.Who != "vera (user-4711)" || act.Action != "log in" || act.Detail != "viewer" {
		t.Errorf("%+v", act)
	}
	if r, _ := b.visit("POST", "/logout"); r.StatusCode != http.StatusSeeOther || b.cookies[sessionCookie] != nil {
		t.Errorf("%d", r.StatusCode)
	}
	if act := w.console.audit.Latest(1)[0]; act.Who != "vera (user-4711)" || act.Action != "log out" {
		t.Errorf("%+v", act)
	}
	b.cookies[sessionCookie] = session // as a thief would
	if r, _ := b.visit("GET", "/"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("after the logout the session holds: %d", r.StatusCode)
	}
}

func TestWhatAProviderSaysIsCheckedBeforeAnybodyIsLetIn(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := startIDP(t)
	w := newWorld(t, p.letInBy)
	for _, c := range []struct {
		name   string
		bend   func(map[string]any)
		signer *rsa.PrivateKey
		status int
		says   string
	}{
		{"another login's nonce", func(c map[string]any) { c["nonce"] = "another" }, nil, 403, "can&#39;t be trusted"},
		{"no nonce", func(c map[string]any) { delete(c, "nonce") }, nil, 403, "can&#39;t be trusted"},
		{"an expired token", func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() }, nil, 403, "can&#39;t be trusted"},
		{"another program's token", func(c map[string]any) { c["aud"] = "mail" }, nil, 403, "can&#39;t be trusted"},
		{"a token shared with another program", func(c map[string]any) { c["aud"] = []string{"console", "mail"}; c["azp"] = "mail" }, nil, 403, "can&#39;t be trusted"},
		{"another issuer's token", func(c map[string]any) { c["iss"] = "https://evil.example" }, nil, 403, "can&#39;t be trusted"},
		{"another key's signature", nil, other, 403, "can&#39;t be trusted"},
		{"nobody's group", func(c map[string]any) { c["groups"] = []string{"staff"} }, nil, 403, "canvas-viewers, canvas-operators"},
		{"no groups at all", func(c map[string]any) { delete(c, "groups") }, nil, 403, "no role here"},
	} {
		p.mu.Lock()
		p.bend, p.signer = c.bend, c.signer
		p.mu.Unlock()
		b := w.visitor()
		r, page := b.visit("GET", b.toCallback())
		if r.StatusCode != c.status || !strings.Contains(page, c.says) || b.cookies[sessionCookie] != nil {
			t.Errorf("%s: %d %v\n%s", c.name, r.StatusCode, b.cookies, page)
		}
	}
	if act := w.console.audit.Latest(1)[0]; act.Action != "log in refused" || act.Who != "vera (user-4711)" {
		t.Errorf("%+v", act)
	}
}

func TestGroupsGiveTheHighestRole(t *testing.T) {
	p := startIDP(t)
	w := newWorld(t, func(c *Config) {
		p.letInBy(c)
		c.OIDC.RoleClaim = "realm_access.roles"
	})
	p.bend = func(c map[string]any) {
		c["realm_access"] = map[string]any{"roles": []string{"canvas-viewers", "canvas-operators"}}
	}
	b := w.visitor()
	b.visit("GET", b.toCallback())
	if _, page := b.visit("GET", "/"); !strings.Contains(page, "(operator)") {
		t.Error("an operator is none")
	}
}

func TestALoginThatWasNotBegunHereIsRefused(t *testing.T) {
	p := startIDP(t)
	w := newWorld(t, p.letInBy)
	mine, theirs := w.visitor(), w.visitor()
	answer := mine.toCallback()
	forged, err := url.Parse(answer)
	if err != nil {
		t.Fatal(err)
	}
	q := forged.Query()
	q.Set("state", "forged")
	forged.RawQuery = q.Encode()
	for name, visit := range map[string]func() (*http.Response, string){
		"a forged state":             func() (*http.Response, string) { return mine.visit("GET", forged.String()) },
		"another browser's login":    func() (*http.Response, string) { return theirs.visit("GET", answer) },
		"an answer without anything": func() (*http.Response, string) { return w.visitor().visit("GET", callbackPath) },
	} {
		if r, page := visit(); r.StatusCode != http.StatusBadRequest || !strings.Contains(page, "begin again") {
			t.Errorf("%s: %d %s", name, r.StatusCode, page)
		}
	}
	if p.token != 0 {
		t.Error("the provider was asked for a token all the same")
	}
}

func TestAnAnswerCountsOnce(t *testing.T) {
	p := startIDP(t)
	w := newWorld(t, p.letInBy)
	b := w.visitor()
	answer := b.toCallback()
	flow := b.cookies[flowCookie]
	if r, page := b.visit("GET", answer); r.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", r.StatusCode, page)
	}
	thief := w.visitor()
	thief.cookies[flowCookie] = flow
	if r, _ := thief.visit("GET", answer); r.StatusCode != http.StatusBadRequest || thief.cookies[sessionCookie] != nil {
		t.Errorf("the same answer again: %d", r.StatusCode)
	}
	// The code alone, within another login that is good otherwise: the provider refuses it.
	used, fresh := query(t, answer), query(t, thief.toCallback())
	fresh.Set("code", used.Get("code"))
	if r, page := thief.visit("GET", callbackPath+"?"+fresh.Encode()); r.StatusCode != http.StatusForbidden || !strings.Contains(page, "invalid_grant") {
		t.Errorf("the same code again: %d %s", r.StatusCode, page)
	}
}

func query(t *testing.T, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

func TestAProviderThatIsDownIsSaidAndComesBackByItself(t *testing.T) {
	p := startIDP(t)
	p.setDown(true)
	w := newWorld(t, p.letInBy)
	b := w.visitor()
	r, page := b.visit("GET", "/login/oidc")
	if r.StatusCode != http.StatusServiceUnavailable || !strings.Contains(page, "login provider does not answer") || strings.Contains(page, "maintenance") {
		t.Fatalf("%d %s", r.StatusCode, page)
	}
	p.setDown(false)
	w.eventually("the provider is asked again", func() bool {
		r, _ := b.visit("GET", "/login/oidc")
		return r.StatusCode == http.StatusSeeOther
	})
	if r, page := b.visit("GET", b.toCallback()); r.StatusCode != http.StatusSeeOther {
		t.Errorf("%d %s", r.StatusCode, page)
	}
	if r, page := b.visit("GET", callbackPath+"?error=access_denied&error_description=%3Cb%3Eno&state="+begun(t, b)); r.StatusCode != http.StatusForbidden || !strings.Contains(page, "access_denied &lt;b&gt;no") {
		t.Errorf("what the provider refuses: %d %s", r.StatusCode, page)
	}
}

// begun begins a login and gives its state.
func begun(t *testing.T, b *visitor) string {
	t.Helper()
	return query(t, b.toCallback()).Get("state")
}

func TestTokensAndTheProviderStandBesideEachOther(t *testing.T) {
	p := startIDP(t)
	file, _, operator := letIn(t)
	w := newWorld(t, func(c *Config) {
		p.letInBy(c)
		c.TokensFile = file
	})
	if _, page := w.visitor().visit("GET", "/login"); !strings.Contains(page, `href="/login/oidc"`) || !strings.Contains(page, `name="token"`) {
		t.Error("the login page lacks a way in")
	}
	r, err := http.NewRequest(http.MethodGet, w.url+"/api/v1/scenes", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+operator)
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("a program's token: %d", answer.StatusCode)
	}
}

func TestEveryMistakeInHowPeopleLogInIsNamed(t *testing.T) {
	good := func() Config {
		c := DefaultConfig()
		c.PublicURL = "https://canvas.example"
		c.OIDC.Issuer, c.OIDC.ClientID, c.OIDC.Viewers = "https://login.example", "console", []string{"v"}
		return c
	}
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.OIDC.Issuer = "http://login.example" }, "oidc.issuer"},
		{func(c *Config) { c.OIDC.Issuer = "http://127.0.0.1:9" }, ""},
		{func(c *Config) { c.OIDC.Issuer = "" }, "oidc.issuer"},
		{func(c *Config) { c.OIDC.ClientID = "" }, "oidc.client_id"},
		{func(c *Config) { c.OIDC.ClientSecretFile = "/nowhere" }, "oidc.client_secret_file"},
		{func(c *Config) { c.OIDC.ClientSecretFile, c.OIDC.ClientSecretEnv = "/nowhere", "X" }, "oidc.client_secret_env"},
		{func(c *Config) { c.OIDC.ClientSecretEnv = "CANVAS_TEST_NO_SUCH_SECRET" }, "oidc.client_secret_file"},
		{func(c *Config) { c.PublicURL = "" }, "oidc.redirect_url"},
		{func(c *Config) { c.OIDC.RedirectURL = "https://canvas.example/elsewhere" }, "oidc.redirect_url"},
		{func(c *Config) { c.OIDC.RoleClaim = "" }, "oidc.role_claim"},
		{func(c *Config) { c.OIDC.Viewers = nil }, "oidc.operators"},
		{func(c *Config) { c.OIDC.Session = time.Second }, "oidc.session"},
		{func(c *Config) { c.Listen = "0.0.0.0:1"; c.Cert, c.Key = "c", "k" }, ""},
	} {
		config := good()
		c.change(&config)
		var fields []string
		config.Problems(func(field, message, hint string) {
			if message == "" || hint == "" {
				t.Errorf("%s says %q, %q", field, message, hint)
			}
			fields = append(fields, field)
		})
		if strings.Join(fields, " ") != c.want {
			t.Errorf("%v, want %q", fields, c.want)
		}
	}
}
